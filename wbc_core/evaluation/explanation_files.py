"""Explanations as files for people and scripts: PNG overlays, and one JSON document with the neighbours."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wbc_core.evaluation import overlays
from wbc_core.evaluation.explain import Explainer, confused_images
from wbc_core.evaluation.explanations import Explanation, MixUp
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Json
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace, whole_folder


def _save(folder: Path, pictures: dict[str, NDArray[np.uint8]], name: str) -> dict[str, str]:
    files = {}
    for kind, picture in pictures.items():
        files[kind] = f"{name}-{kind.replace('_', '-')}.png"
        Image.fromarray(picture).save(folder / files[kind], "PNG")
    return files


def _explained(folder: Path, explanation: Explanation, names: Sequence[str]) -> Json:
    classes = overlays.shown_classes(explanation)
    heat, drop = overlays.largest_grad_cam(explanation), overlays.largest_drop(explanation)
    pictures = {"original": overlays.drawn(explanation.image)}
    for kind, label in classes.items():
        pictures[f"grad_cam_{kind}"] = overlays.draw_grad_cam(explanation, label, heat)
        pictures[f"occlusion_{kind}"] = overlays.draw_occlusion(explanation, label, drop)
    return {
        "row": explanation.row,
        "image_id": explanation.image_id,
        "part": explanation.part,
        "label": None if explanation.label is None else names[explanation.label],
        "predicted": names[explanation.predicted],
        "probabilities": dict(zip(names, explanation.probabilities.tolist(), strict=True)),
        "grad_cam_places": list(explanation.grad_cam.shape[1:]),
        "grad_cam_largest": heat,
        "occlusion_largest": drop,
        "neighbours": [{**one.to_json(), "label": names[one.label]} for one in explanation.neighbours],
        "files": _save(folder, pictures, f"row-{explanation.row:06d}"),
    }


def _averaged(folder: Path, mix_up: MixUp, names: Sequence[str]) -> Json:
    heat = overlays.largest_grad_cam(mix_up)
    pictures = {"mean": overlays.drawn(mix_up.image)}
    for kind, label in overlays.shown_classes(mix_up).items():
        pictures[f"grad_cam_{kind}"] = overlays.draw_grad_cam(mix_up, label, heat)
    return {
        "true": names[mix_up.true],
        "predicted": names[mix_up.predicted],
        "images": mix_up.count,
        "grad_cam_largest": heat,
        "files": _save(folder, pictures, f"mean-{mix_up.true}-{mix_up.predicted}"),
    }


def write_explanations(
    folder: Path, run: Run, checksum: str, explanations: Sequence[Explanation], mix_ups: Sequence[MixUp]
) -> Json:
    """Write PNG files into a folder.

    Args:
        folder: An empty folder.
        run: The run.
        checksum: SHA-256 of its model, in hexadecimal.
        explanations: Of rows of its data set.
        mix_ups: Averaged maps.

    Returns:
        The document about them: `run`, `model_sha256`, `units`, `images` and `mix_ups`. Files are named
        without the folder; the values of full colour are `grad_cam_largest` (nats) and `occlusion_largest`
        (0..1).
    """
    return {
        "run": run.id,
        "model_sha256": checksum,
        "units": {"grad_cam": overlays.GRAD_CAM.unit, "occlusion": "drop of the probability, -1 to 1"},
        "images": [_explained(folder, one, run.class_names) for one in explanations],
        "mix_ups": [_averaged(folder, one, run.class_names) for one in mix_ups],
    }


def explain_all(workspace: Workspace, spec: Json, progress: Progress = silent) -> Json:
    """Explain images of one run and average the maps of its mix-ups, as a job of the kind `explain` does.

    Args:
        workspace: The lab.
        spec: `run`, and of these what is wanted: `rows` of its data set; `names` of pictures in `source`;
            `mix_ups`, pairs of classes as numbers, over whose images in the report `report` the maps are
            averaged; `patch` and `stride` in pixels; `out`, a new folder for pictures and a document.
        progress: Told the fraction done.

    Returns:
        What was written into `out`; without it, how many there are of each.

    Raises:
        WbcError: No such run, row, picture or report, no image in a mix-up, patches that do not fit, or a
            folder that is not empty.
    """
    explainer = Explainer(workspace, spec["run"], patch=spec.get("patch"), stride=spec.get("stride"))
    pairs, rows, names = spec.get("mix_ups") or [], spec.get("rows") or [], spec.get("names") or []
    averaging = 0.5 * bool(pairs)
    mix_ups = []
    for number, (true, predicted) in enumerate(pairs):
        begin, end = (averaging * (number + more) / len(pairs) for more in (0, 1))
        images = confused_images(workspace, spec["run"], true, predicted, spec.get("report"))
        mix_ups.append(explainer.mix_up(true, predicted, images, part_of(progress, begin, end)))
    explained = explainer.rows(rows, part_of(progress, averaging, 1.0)) if rows else []
    if names:
        explainer.pictures(Path(spec["source"]), names, progress)
    if spec.get("out"):
        with whole_folder(Path(spec["out"])) as folder:
            made = write_explanations(folder, explainer.run, explainer.checksum, explained, mix_ups)
            workspace.write_json(folder / "explanations.json", made)
        return {**made, "out": spec["out"]}
    counts = {"rows": len(rows), "pictures": len(names), "mix_ups": len(mix_ups)}
    return {"run": spec["run"], "model_sha256": explainer.checksum, **counts}
