"""The Augment page in a real browser: what a choice reported twice does, and how sliders and preview meet."""

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.conftest import Lab, Open
from wbc_core.records import Dataset
from wbc_core.splitting import make_split

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

_CHANGED = """() => {
  const pictures = () => [...document.querySelectorAll('.wbc-pairs img')].map(image => image.src);
  const before = pictures();
  const observer = new MutationObserver(() => {
    const now = pictures();
    if (now.length !== before.length || now.every((source, place) => source === before[place])) return;
    observer.disconnect();
    window.originals = now.every((source, place) => place % 2 || source === before[place]) ? 'same' : 'new';
  });
  observer.observe(document.querySelector('.stMain'), {childList: true, subtree: true, attributes: true});
}"""


@pytest.fixture(scope="module")
def path(lab: Lab) -> Iterator[str]:
    from wbc_core.datasets.store import list_datasets

    demo: Dataset = next(entry for entry in list_datasets(lab.workspace) if entry.name.startswith("demo"))
    split = make_split(lab.workspace, demo.id)
    yield f"/augment?dataset={demo.id}&split={split.id}"
    lab.workspace.split_path(split.id).unlink()


def titles(page: Page) -> list[str]:
    return [text.split()[-1] for text in page.locator("[class*='st-key-card-open-']").all_inner_texts()]


def add(page: Page, name: str) -> None:
    """Choose an operation of the online stage, and do not wait for what comes of it."""
    # The field of before may still be there for a moment, below the new one.
    field = page.locator("[class*='st-key-recipe_add_online'] input").first
    # A page that is drawn anew meanwhile closes the list.
    for _ in range(20):
        field.click()
        field.fill(name)
        with contextlib.suppress(PlaywrightTimeout):
            page.get_by_role("option", name=name, exact=True).click(timeout=5_000)
            return
    raise AssertionError(f"the list of operations closed each time before {name} was chosen")


def test_operations_chosen_in_haste_are_added_once(path: str, open_page: Open) -> None:
    page = open_page(path)
    page.locator(".wbc-pairs img").first.wait_for()
    add(page, "Rotation")
    page.locator("[class*='st-key-card-open-']", has_text="Rotation").wait_for()
    add(page, "MixUp")
    page.get_by_role("radio", name="Whole recipe").click()
    page.get_by_text("What training gets in epoch 0").wait_for()
    # While a busy page is drawn anew, the card of before may still be there.
    page.locator("[class*='st-key-card-open-']", has_text="MixUp").first.wait_for()
    page.get_by_role("radio", name="Open operation").click()
    page.locator(".wbc-table").wait_for(state="detached")
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")
    assert titles(page) == ["contrast", "saturation", "Solarization", "cutout", "Rotation", "MixUp"]
    assert not page.locator("[data-testid=stException]").count()


def test_a_slider_answers_with_the_same_images(path: str, open_page: Open) -> None:
    page = open_page(path)
    page.locator(".wbc-pairs img").first.wait_for()
    page.get_by_text("looked at").first.wait_for()
    page.locator("[data-testid=stSlider] input").first.focus()
    page.evaluate(_CHANGED)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("window.originals")
    assert page.evaluate("window.originals") == "same"


def test_on_a_phone_the_preview_stays_in_sight_of_the_sliders(path: str, open_page: Open) -> None:
    page = open_page(path, **PHONE)
    page.locator(".wbc-pairs img").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    slider = page.get_by_text("Share of images")
    slider.scroll_into_view_if_needed()
    picture = page.locator(".wbc-pairs img").first.bounding_box()
    below = slider.bounding_box()
    assert picture is not None
    assert below is not None
    assert 0 <= picture["y"] < below["y"] < 844
