"""The frame: navigation, ids in the URL, chain bar, formatting, charts, and what the grid sends."""

import pytest
from sqlalchemy import event
from streamlit import config
from streamlit.testing.v1 import AppTest

from app.components import chain_bar, charts, charts_results
from app.components.gallery import Press, write_presses
from app.formatting import percent, plain, seconds, thousands
from app.pages import PAGES
from tests.app.opening import page_at, page_drawn_by
from tests.results_lab import add_run, build_dataset, build_split
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.review import decide
from wbc_core.database import engine_of
from wbc_core.datasets.synthetic import build_demo_dataset
from wbc_core.errors import WbcError
from wbc_core.records import Dataset
from wbc_core.splitting import make_split
from wbc_core.workspace import Workspace


def open_app(view: str = "dataset", **parameters: str) -> AppTest:
    page = page_at(**parameters).run()
    return page if view == "dataset" else page.switch_page(f"views/{view}.py").run()


def links(page: AppTest) -> dict[str, str]:
    return {link.label: link.proto.query_string for link in page.get("page_link")}


@pytest.mark.parametrize("view", list(PAGES))
def test_every_page_opens_on_an_empty_lab_and_leads_on(empty_lab: Workspace, view: str) -> None:
    page = open_app(view)
    assert not page.exception
    assert page.title[0].value
    assert page.button or links(page)


@pytest.mark.parametrize("view", list(PAGES))
def test_every_page_opens_on_a_scanned_data_set(demo_dataset: Dataset, view: str) -> None:
    page = open_app(view, dataset=demo_dataset.id)
    assert not page.exception


def test_no_collection_of_all_objects_follows_a_draw() -> None:
    # A name that Streamlit does not know raises.
    assert config.get_option("runner.postScriptGC") is False


def test_a_change_by_hand_is_not_told_to_the_browser_again(demo_dataset: Dataset) -> None:
    page = open_app("review", dataset=demo_dataset.id, check="blur")
    high = CHECKS.get("blur").threshold_range[1]
    page.slider(key="slider-blur").set_value(high).run()
    assert page.slider(key="slider-blur").value == high
    assert not page.slider(key="slider-blur").proto.set_value


def _draw_a_choice() -> None:
    import streamlit as st

    from app import state

    page_is_drawn = state.page_begins()
    state.choose_view("View", "view", {"a": "A", "b": "B"}, default="b")
    if "again" not in st.session_state:
        st.session_state["again"] = True
        st.rerun()
    page_is_drawn()


def test_what_a_run_told_that_came_to_no_end_is_told_again() -> None:
    page = page_drawn_by(_draw_a_choice).run()
    assert page.segmented_control(key="view").proto.set_value
    assert not page.run().segmented_control(key="view").proto.set_value


@pytest.mark.parametrize("scanned", [True, False])
def test_a_page_that_came_to_its_end_tells_nothing_again(demo_dataset: Dataset, scanned: bool) -> None:
    # Without a scan the page stops early.
    ids = [demo_dataset.id, build_demo_dataset(Workspace.default(), images=80, seed=1).id]
    page = open_app("review", dataset=ids[scanned])
    page.query_params["dataset"] = ids[not scanned]
    assert page.run().selectbox(key="dataset_picker").proto.set_value
    assert not page.run().selectbox(key="dataset_picker").proto.set_value


def test_a_page_that_was_cut_short_tells_again(demo_dataset: Dataset) -> None:
    page = open_app("review", dataset=demo_dataset.id, check="blur")
    page.session_state["thresholds"] = {demo_dataset.id: {"blur": 50.0}}
    # What no page can be ends the run below the slider.
    page.session_state["page"] = "none"
    assert page.run().exception
    page.session_state["page"] = 1
    assert not page.run().exception
    assert page.slider(key="slider-blur").proto.set_value


def test_without_a_choice_the_newest_data_set_is_taken_and_named_in_the_url(demo_dataset: Dataset) -> None:
    page = open_app()
    assert page.query_params["dataset"] == demo_dataset.id
    assert page.selectbox(key="dataset_picker").value == demo_dataset.id


def test_a_link_to_a_data_set_that_is_gone_falls_back(demo_dataset: Dataset) -> None:
    page = open_app(dataset="ds-000000000000")
    assert not page.exception
    assert page.query_params["dataset"] == demo_dataset.id


def test_the_id_stays_when_the_page_changes(demo_dataset: Dataset) -> None:
    page = open_app("review", dataset=demo_dataset.id)
    assert page.query_params["dataset"] == demo_dataset.id


def test_the_chain_bar_shows_counts_and_its_links_keep_the_ids(demo_dataset: Dataset) -> None:
    decide(Workspace.default(), demo_dataset.id, {0: ("drop", None), 5: ("drop", None)}, who="anna")
    shown = links(open_app(dataset=demo_dataset.id))
    assert shown["demo 160"] == f"dataset={demo_dataset.id}"
    assert shown["clean 158"] == f"dataset={demo_dataset.id}"
    assert ":gray[compare]" in shown


def test_the_chain_bar_follows_the_run_that_is_shown(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    dataset = build_dataset(workspace)
    for fractions, run in (((0.5, 0.5), "job-aaaaaaaaaaaa"), ((0.8, 0.2), "job-bbbbbbbbbbbb")):
        add_run(workspace, build_split(workspace, dataset, fractions)[1], run)
    page = open_app("report", run="job-aaaaaaaaaaaa")
    assert {"split 50/50", "plain recipe 30"} <= set(links(page))
    page.selectbox(key="run_picker").select("job-bbbbbbbbbbbb").run()
    assert {"split 80/20", "plain recipe 48"} <= set(links(page))


def test_without_a_data_set_every_step_is_greyed() -> None:
    assert not any(step.there for step in chain_bar.links(None))


def test_names_from_files_cannot_write_markdown() -> None:
    hostile = "**x**[y](javascript:1)<b>:red[z]\n# title"
    assert plain(hostile) == r"\*\*x\*\*\[y\]\(javascript\:1\)\<b\>\:red\[z\] \# title"


def test_numbers_are_written_with_units_and_separators() -> None:
    assert (thousands(13759), percent(0.98714), percent(None)) == ("13,759", "98.7 %", "–")
    assert (seconds(0.4251), seconds(59.9), seconds(61), seconds(7260), seconds(None)) == (
        "0.425 s", "59.9 s", "1 min 1 s", "2 h 1 min", "–",
    )  # fmt: skip


def test_a_class_keeps_its_colour_and_the_first_twelve_differ() -> None:
    names = [f"class {number}" for number in range(12)]
    colours = charts.class_colours(names)
    assert len(set(colours.values())) == 12
    assert charts.class_colours(names[:3]) == dict(list(colours.items())[:3])


def test_charts_leave_undefined_values_out_and_keep_the_order_of_classes() -> None:
    figure = charts.interval_bars({"a": (0.5, 0.4, 0.7), "b": (None, None, None)}, x_title="F1")
    assert list(figure.data[0].y) == ["a"]
    assert list(figure.layout.yaxis.categoryarray) == ["a", "b"]
    bars = charts.bar_by_class({"before": {"b": 2}, "after": {"a": 1, "b": 1}}, class_names=["a", "b"])
    assert [list(bar.x) for bar in bars.data] == [[0, 2], [1, 1]]


def test_charts_write_names_short_and_never_as_html() -> None:
    assert charts.written("<b>blast</b> & co") == "&lt;b&gt;blast&lt;/b&gt; &amp; co"
    axis = charts.name_axis(["polychromatophilic erythroblast", "ig"])
    assert axis["ticktext"] == ["polychromatophilic er…", "ig"]
    assert axis["tickvals"] == ["polychromatophilic erythroblast", "ig"]


def test_a_confusion_matrix_with_an_empty_class_divides_by_nothing() -> None:
    figure = charts_results.confusion([[3, 1], [0, 0]], ["a", "b"])
    assert figure.data[0].z.tolist() == [[1.0, (1 / 3) ** 0.5], [0.0, 0.0]]
    assert [note.text for note in figure.layout.annotations] == ["75", "25"]


def press(seq: int, client: str = "tab") -> Press:
    return Press(client=client, seq=seq, context="{}", action="drop", label=None, rows=[seq])


def test_each_press_is_written_once_and_in_order(empty_lab: Workspace) -> None:
    written = []

    def write(entry: Press) -> None:
        written.append((entry["client"], entry["seq"]))

    assert write_presses([press(1), press(2)], write) == {"tab": 2}
    # A copy of the tab holds what was pressed before the copy was made, and goes on as another client.
    sent = [press(1), press(2), press(1, "copy"), press(3)]
    assert write_presses(sent, write) == {"tab": 3, "copy": 1}
    assert written == [("tab", 1), ("tab", 2), ("copy", 1), ("tab", 3)]


def test_a_redraw_with_what_was_sent_before_writes_nothing(empty_lab: Workspace) -> None:
    sent = [press(1), press(2), press(1, "copy")]
    statements = []
    write_presses(sent, lambda entry: None)
    engine = engine_of(empty_lab)
    event.listen(engine, "before_cursor_execute", lambda *told: statements.append(told[2].split()[0]))
    assert write_presses(sent, lambda entry: None) == {"tab": 2, "copy": 1}
    assert set(statements) <= {"SELECT", "BEGIN"}
    assert statements.count("SELECT") == 2
    assert write_presses([press(2), press(3)], lambda entry: None) == {"tab": 3}
    assert "UPDATE" in statements


def test_a_press_is_tried_again_after_a_fault_but_not_after_a_refusal(empty_lab: Workspace) -> None:
    written = []

    def fault(entry: Press) -> None:
        if entry["seq"] == 1:
            raise WbcError("Refused.")
        if not written:
            written.append("fault")
            raise OSError("the disk is away")
        written.append(entry["seq"])

    with pytest.raises(OSError, match="away"):
        write_presses([press(1), press(2)], fault)
    assert write_presses([press(1)], fault) == {"tab": 1}
    write_presses([press(1), press(2)], fault)
    assert written == ["fault", 2]


def test_a_link_to_a_split_alone_finds_its_data_set_and_keeps_the_split(demo_dataset: Dataset) -> None:
    split = make_split(Workspace.default(), demo_dataset.id)
    build_demo_dataset(Workspace.default(), images=80, seed=1)
    page = open_app(split=split.id)
    assert not page.exception
    assert page.query_params["dataset"] == demo_dataset.id
    assert page.query_params["split"] == split.id
    assert f"dataset={demo_dataset.id}&split={split.id}" in links(page)["split 70/30"]
