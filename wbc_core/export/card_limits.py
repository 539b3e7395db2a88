"""What a model was not shown, and where its figures say that it fails."""

from wbc_core.augment.shifts import SHIFTS
from wbc_core.export.card_blocks import share
from wbc_core.export.card_facts import CardFacts

FEW_IMAGES = 50
"""Below this support a 95 % interval of recall is wider than some 10 points."""


def limits(facts: CardFacts) -> tuple[str, ...]:
    """The limits of a run, one sentence or two each, the general ones first."""
    report = facts.main
    found = [
        "The held-out images come from the same source as those learnt from. Other microscopes, stains, "
        "scanners and patients were not tested, and accuracy elsewhere can be far lower.",
        "Images were divided one by one, not by patient, which the data set does not name: cells of one "
        "patient may lie in the train part and among the held-out images.",
        "The model names one of its classes for any picture, also for a picture that shows none of them.",
        "The intervals know how many images were held out, not how training varies with its seed.",
    ]
    support = {name: report["per_class"][name]["support"] for name in report["classes"]}
    few = [f"{name} ({count:,})" for name, count in support.items() if count < FEW_IMAGES]
    if few:
        found.append(f"Few held-out images, hence wide intervals: {', '.join(few)}.")
    learnt = dict(zip(facts.run.class_names, facts.split.parts["train"], strict=True))
    rare = [f"{name} ({count:,})" for name, count in learnt.items() if count < FEW_IMAGES]
    if rare:
        found.append(f"Few real images to learn from: {', '.join(rare)}.")
    if report["part"] == "validation":
        found.append(
            "The best epoch was chosen on the same images that the first figures are from, which makes them "
            "somewhat too good."
        )
    return (*found, *_failing_shifts(facts))


def _failing_shifts(facts: CardFacts) -> list[str]:
    """Shifts whose accuracy is surely lower: its interval ends below that of the images as they are."""
    found = []
    for (part, shift), by_strength in facts.shifted.items():
        plain = facts.plain_reports.get(part)
        if plain is None or not plain["accuracy_ci"]:
            continue
        lower = {
            strength: report["accuracy"]
            for strength, report in sorted(by_strength.items())
            if report["accuracy_ci"] and report["accuracy_ci"][1] < plain["accuracy_ci"][0]
        }
        if lower:
            weakest, worst = min(lower), min(lower, key=lambda strength: lower[strength])
            found.append(
                f"{SHIFTS.get(shift).title} shifts ({part}): clearly worse from strength {weakest} on, "
                f"{share(lower[worst])} at strength {worst} against {share(plain['accuracy'])}."
            )
    return found
