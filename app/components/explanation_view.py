"""Why a run named an image as it did: the maps with their scales, and the train images it resembles."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TypeVar

import streamlit as st

from app import cache, explanation_cache, state
from app.components.page import percent, plain, thousands
from app.components.pictures import Picture, strip
from wbc_core.evaluation import overlays
from wbc_core.evaluation.explanations import Explanation, MixUp
from wbc_core.training.runs import Run
from wbc_core.wording import counted

Chosen = TypeVar("Chosen", int, str)

_SIDE = 168
_NEIGHBOUR = 80
_TITLES = {"grad_cam": "Grad-CAM", "occlusion": "Occlusion"}

HOW_TO_READ = (
    "**Grad-CAM**: where the network's last map holds what speaks for a class. The map is coarse, and its "
    "edges are not those of the cell.  \n"
    "**Occlusion**: orange where covering a patch with the image's mean colour takes probability from the "
    "class, blue where it adds some.  \n"
    "Both show what the model used, not whether that was sound. Each scale ends at the largest value of "
    "this image, so compare classes of one image, not images. Probabilities are the model's own, before any "
    "calibration."
)


def _caption(name: str, explained: Explanation | MixUp, names: Sequence[str]) -> str:
    what, _, kind = name.partition(" ")
    label = overlays.shown_classes(explained)[kind]
    return f"{_TITLES[what]} for {names[label]} ({kind})"


def _pictures(run: Run, about: Explanation | MixUp, original: str) -> list[Picture]:
    drawn = explanation_cache.drawn(run, about)
    # What is to be compared stands side by side: first all of one method, then of the other.
    maps = sorted((name for name in drawn if name != "original"), key=lambda name: name.split(" ")[0])
    captions = {name: _caption(name, about, run.class_names) for name in maps}
    return [
        Picture(drawn["original"], original),
        *(Picture(drawn[name], captions[name]) for name in maps),
    ]


_STYLE = """<style>
.wbc-scales { display: flex; flex-wrap: wrap; gap: .6rem 1.5rem; }
.wbc-scales figure { margin: 0; width: 240px; max-width: 100%; font-size: .75rem; line-height: 1.4;
  font-variant-numeric: tabular-nums; }
.wbc-scales img { width: 100%; height: 12px; display: block; border-radius: 3px; }
.wbc-scales figcaption, .wbc-scales div { opacity: .75; display: flex; justify-content: space-between; }
</style>"""


def _scale(name: str, title: str, marks: Sequence[str]) -> str:
    ends = escape(f"Colour scale from {marks[0]} to {marks[-1]}", quote=True)
    below = "".join(f"<span>{escape(mark)}</span>" for mark in marks)
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<img src="{explanation_cache.ramp(name)}" alt="{ends}"><div>{below}</div></figure>'
    )


def _scales(about: Explanation | MixUp) -> None:
    places = about.grad_cam.shape[1:]
    scales = [
        _scale(
            "grad_cam",
            f"Grad-CAM: nats of the logit, on {places[0]} x {places[1]} places",
            ("0", f"{overlays.largest_grad_cam(about):.3g} nats"),
        )
    ]
    if isinstance(about, Explanation):
        largest = 100 * overlays.largest_drop(about)
        scales.append(
            _scale(
                "occlusion",
                f"Occlusion: probability lost, {about.patch} x {about.patch} px covered",
                (f"-{largest:.3g} points", "0", f"{largest:.3g} points"),
            )
        )
    st.html(f'{_STYLE}<div class="wbc-scales">{"".join(scales)}</div>')


def _told(run: Run, explained: Explanation) -> str:
    names = run.class_names
    chance = percent(float(explained.probabilities[explained.predicted]))
    # As the network gives it for this one view, not calibrated nor averaged as other figures may be.
    told = f"Network: {names[explained.predicted]} ({chance})"
    if explained.label is not None:
        true = percent(float(explained.probabilities[explained.label]))
        told += f", labelled {names[explained.label]} ({true})"
    return told


def choose(
    label: str, told: Mapping[Chosen, str], asked: Chosen | None, parameter: str, order: str
) -> Chosen:
    """Draw the choice of what to explain, kept in the URL; the first one at first.

    Args:
        label: What the field says.
        told: What can be chosen, with its words; not empty.
        asked: What the URL names.
        parameter: The query parameter that keeps the choice.
        order: Which come first, in a sentence.
    """
    key = f"why-{parameter}"

    def keep() -> None:
        st.query_params[parameter] = str(st.session_state[key])

    state.tell_widget(key, asked if asked in told else next(iter(told)))
    st.selectbox(label, list(told), format_func=told.get, key=key, on_change=keep, width=560, help=order)
    chosen: Chosen = st.session_state[key]
    return chosen


def maps(run: Run, explained: Explanation) -> None:
    """Draw an image with its maps for the predicted and, where it is another one, the true class."""
    strip(_pictures(run, explained, _told(run, explained)), size=_SIDE)
    _scales(explained)


def averaged(run: Run, mix_up: MixUp) -> None:
    """Draw the mean image of a mix-up with its mean maps."""
    images = f"Mean of {counted(mix_up.count, 'image')}"
    strip(_pictures(run, mix_up, images), size=_SIDE)
    _scales(mix_up)


def neighbours(run: Run, explained: Explanation) -> None:
    """Draw the nearest train images, and warn where one of them is the very picture."""
    copies = [one for one in explained.neighbours if one.duplicate]
    held_out = explained.part in ("validation", "test")
    for one in copies:
        consequence = (
            " The run has seen what it is judged on here: this is leakage. Drop the copy on the Review page "
            "and split again."
            if held_out
            else " The run has learnt from it, so its answer is no evidence."
        )
        st.warning(
            f"Train image {thousands(one.row)} shows this picture: {plain(one.duplicate or '')}."
            + (consequence if explained.part != "train" else ""),
            icon=":material/content_copy:",
        )
    if not explained.neighbours:
        st.markdown(":gray[The train part holds no other image.]")
        return
    counts = dict.fromkeys(run.class_names, 0)
    for one in explained.neighbours:
        counts[run.class_names[one.label]] += 1
    found = sorted(((count, name) for name, count in counts.items() if count), key=lambda item: -item[0])
    st.caption(
        plain(", ".join(f"{count} {name}" for count, name in found))
        + " among the nearest train images, the nearest first. Cosine distance in the run's own features: "
        "0 is the same direction, 2 the opposite."
    )
    sources = cache.thumbnails(run.dataset, tuple(one.row for one in explained.neighbours))
    strip(
        [
            Picture(
                source,
                f"{run.class_names[one.label]} {one.distance:.3g}" + (" · copy" if one.duplicate else ""),
                f"Train image {one.row:,}, {run.class_names[one.label]}, distance {one.distance:.3g}",
            )
            for one, source in zip(explained.neighbours, sources, strict=True)
        ],
        size=_NEIGHBOUR,
    )
