"""A run's model card: the sections of Mitchell et al., "Model cards for model reporting", FAT* 2019."""

from wbc_core.augment.shifts import SHIFTS, STRENGTHS
from wbc_core.balance.leaky import WARNING as LEAKY
from wbc_core.evaluation.latency import foreseen_macs
from wbc_core.export.card_blocks import (
    Block,
    Bullets,
    Card,
    Code,
    Paragraph,
    Section,
    Table,
    number,
    share,
)
from wbc_core.export.card_facts import CardFacts
from wbc_core.export.card_limits import limits
from wbc_core.export.entry import NAME_CLASS, READ_PICTURE
from wbc_core.export.registry import FORMATS
from wbc_core.records import Json, Operation
from wbc_core.wording import counted

INTENDED_USE = "Research only, not a medical device."


def card_of(facts: CardFacts) -> Card:
    """Lay the facts out."""
    sections = (
        ("Model details", _details(facts)),
        ("Intended use", _intended_use()),
        ("Factors", _factors(facts)),
        ("Metrics", _metrics()),
        ("Evaluation data", _evaluation_data(facts)),
        ("Training data", _training_data(facts)),
        ("Quantitative analyses", _analyses(facts)),
        ("Ethical considerations", _ethics()),
        ("Caveats and recommendations", [Bullets(limits(facts))]),
        ("Exported files and how to run them", _exports(facts)),
    )
    title = f"Model card: {facts.run.backbone}, run {facts.run.id}"
    return Card(title, tuple(Section(name, tuple(blocks)) for name, blocks in sections if blocks))


def _leaky(facts: CardFacts, consequence: str) -> list[Block]:
    return [Paragraph(f"{LEAKY.capitalize()}{consequence}", strong=True)] if facts.run.leaky else []


def _cost(facts: CardFacts) -> str:
    run, report = facts.run, facts.main
    parts = [f"{run.parameters:,} parameters"]
    macs = facts.latency["macs"] if facts.latency else foreseen_macs(run)
    if macs:
        parts.append(f"about {number(macs / 1e6)} million multiply-accumulates an image")
    parts.append(f"{number(report['file_size_bytes'] / 1e6)} MB as .keras")
    for size in (1, 32):
        if facts.latency and (timed := facts.latency["batches"].get(str(size))):
            parts.append(
                f"{number(timed['median_ms'])} ms (95th percentile {number(timed['p95_ms'])} ms) "
                f"for a batch of {size}"
            )
    return "; ".join(parts)


def _made(facts: CardFacts) -> list[str]:
    run = facts.run
    if run.members:
        shares = zip(run.members, run.member_weights, strict=True)
        told = ", ".join(f"{member} ({100 * weight:.3g} %)" for member, weight in shares)
        how = (
            "alike" if run.member_weighting == "mean" else "as the log loss on the validation images asks for"
        )
        return [
            f"Ensemble whose probabilities are the weighted mean of those of {told}, counted {how}: "
            f"{_cost(facts)}.",
            f"Its members were trained for {run.seconds:,.0f} s together; their own model cards tell how.",
        ]
    return [
        f"Backbone {run.backbone}, weights {run.spec.weights}: {_cost(facts)}.",
        f"Trained for {counted(run.epochs, 'epoch')} (best: {run.best_epoch}) in {run.seconds:,.0f} s on "
        f"{run.device_name}, begun {run.created[:10]}.",
        f"Settings: {_settings(run.spec.to_json())}.",
    ]


def _details(facts: CardFacts) -> list[Block]:
    run = facts.run
    height, width, _ = run.image_shape
    names = ("wbc-lab", "python", "keras", "tensorflow", "jax", "torch", "numpy")
    versions = ", ".join(f"{name} {facts.versions[name]}" for name in names if name in facts.versions)
    items = [
        f"Names the class of an image of one blood cell, {height} x {width} pixels, RGB, values 0 to 255. "
        f"Outputs, in order: probabilities of {', '.join(run.class_names)}.",
        *_made(facts),
        f"SHA-256 of the model: {facts.main['model_sha256']}.",
    ]
    return [Bullets(tuple(items + ([f"Versions: {versions}."] if versions else [])))]


def _settings(spec: Json) -> str:
    left_out = ("prepared", "backbone", "weights")
    return ", ".join(f"{name} {value}" for name, value in spec.items() if name not in left_out)


def _intended_use() -> list[Block]:
    return [
        Paragraph(INTENDED_USE, strong=True),
        Paragraph(
            "For people who study the classification of blood cells. It may not be used to diagnose, to "
            "monitor or to treat, nor to choose which samples a person looks at."
        ),
    ]


def _factors(facts: CardFacts) -> list[Block]:
    tested = [SHIFTS.get(name).title.lower() for name in SHIFTS if name in {key[1] for key in facts.shifted}]
    missing = [
        SHIFTS.get(name).title.lower() for name in SHIFTS if SHIFTS.get(name).title.lower() not in tested
    ]
    said = f"Changes of the picture tested: {', '.join(tested)}." if tested else ""
    unsaid = f" Not tested: {', '.join(missing)}." if missing else ""
    return [
        Paragraph(
            "The class of the cell, and how the picture was taken: stain, microscope, focus, light, the "
            "cut-out. Who the cells are from, which device took them and how they were stained is not "
            f"recorded in the data set. {said}{unsaid}".strip()
        )
    ]


def _metrics() -> list[Block]:
    return [
        Paragraph(
            "Accuracy, and per class precision, recall, specificity and F1, since classes differ in size; "
            "macro-F1 weighs them alike. A cell's class is the most probable one. Intervals are 95 %: "
            "Wilson's for rates, a stratified bootstrap of 2,000 draws for F1. Calibration: expected "
            "calibration error over 15 bins (ECE), of equal width and of equal mass."
        )
    ]


def _evaluation_data(facts: CardFacts) -> list[Block]:
    items = []
    for name, report in facts.plain_reports.items():
        if report["tta"]:
            continue
        where = {
            "test": "the split's test part, never looked at while training",
            "validation": "the split's validation part, on which the best epoch was chosen",
            "file": f"the file {report.get('file')}, SHA-256 {report.get('file_sha256')}",
        }[report["part"]]
        items.append(f"{name}: {counted(report['images'], 'image')} of {where}.")
    return [Bullets(tuple(items))] if items else []


def _operations(operations: tuple[Operation, ...]) -> str:
    return ", ".join(operation.name for operation in operations)


def _training_data(facts: CardFacts) -> list[Block]:
    dataset, split, prepared, recipe = facts.dataset, facts.split, facts.prepared, facts.prepared.recipe
    dropped = ", ".join(
        f"{count:,} {check.replace('_', ' ') or 'by eye'}" for check, count in sorted(facts.dropped.items())
    )
    shares = " / ".join(f"{100 * fraction:g}" for fraction in split.fractions)
    stages = [f"balance {recipe.balance}"]
    if recipe.operations:
        stages.append(f"one augmented copy an operation: {_operations(recipe.operations)}")
    if recipe.online:
        stages.append(f"drawn anew every epoch: {_operations(recipe.online)}")
    items = (
        f"Data set: {dataset.name}, {dataset.images:,} images of {len(dataset.class_names):,} classes, "
        f"{dataset.id}.",
        f"Cleaning: {counted(sum(facts.dropped.values()), 'image')} dropped"
        + (f" ({dropped})" if dropped else "")
        + f", {facts.relabelled:,} given another class; clean set {split.clean}; decision log up to line "
        f"{split.decisions_head:,}, SHA-256 {facts.decisions_sha256}.",
        f"Split: {shares} in {', '.join(split.parts)}, seed {split.seed}, "
        f"{counted(split.grouped, 'group')} of duplicates kept together, {split.id}.",
        f"Recipe {recipe.name}: {'; '.join(stages)}; {prepared.images:,} train images, seed {recipe.seed}, "
        f"{prepared.id}.",
    )
    return [Bullets(items), *_leaky(facts, "."), _class_table(facts)]


def _class_table(facts: CardFacts) -> Table:
    split, prepared = facts.split, facts.prepared
    rows = []
    for index, name in enumerate(facts.run.class_names):
        parts = [counts[index] for counts in split.parts.values()]
        counts = [facts.imported.get(name, 0), sum(parts), *parts, prepared.classes[index]]
        rows.append((name, *(f"{count:,}" for count in counts)))
    head = ("Images per class", "imported", "clean", *split.parts, "learnt from")
    return Table(head, tuple(rows))


def _analyses(facts: CardFacts) -> list[Block]:
    report = facts.main
    return [
        *_leaky(facts, ": these figures are too good."),
        _report_table(facts),
        Paragraph(_calibration(report)),
        _score_table(report, next(iter(facts.reports))),
        *_shift_table(facts),
    ]


def _report_table(facts: CardFacts) -> Table:
    rows = [
        (
            name.replace("-tta", ", averaged over 8 views"),
            f"{report['images']:,}",
            share(report["accuracy"], report["accuracy_ci"]),
            share(report["macro_f1"], report["macro_f1_ci"]),
            share(report["balanced_accuracy"]),
            number(report["matthews_correlation"]),
            number(report["log_loss"]),
            share(report["ece"]),
            share(report["ece_equal_mass"]),
        )
        for name, report in (facts.plain_reports or facts.reports).items()
    ]
    head = ("Report", "Images", "Accuracy", "Macro-F1", "Balanced accuracy", "Matthews correlation")
    return Table((*head, "Log loss, nats", "ECE, equal width", "ECE, equal mass"), tuple(rows))


def _calibration(report: Json) -> str:
    bins = report["reliability"]["equal_width"]
    images = sum(entry["images"] for entry in bins)
    if not images:
        return "Calibration is undefined: there are no images."
    confidence = sum(entry["images"] * entry["confidence"] for entry in bins) / images
    right = sum(entry["images"] * entry["accuracy"] for entry in bins) / images
    word = "more" if confidence > right else "less"
    return (
        f"The mean probability of the class named is {share(confidence)}, and {share(right)} are right: on "
        f"average the model is {100 * abs(confidence - right):.1f} points {word} sure than it is right."
    )


def _score_table(report: Json, name: str) -> Table:
    scores = ("precision", "recall", "specificity", "f1")
    rows = []
    for label in report["classes"]:
        entry = report["per_class"][label]
        cells = (share(entry[score], entry[f"{score}_ci"]) for score in scores)
        rows.append((label, f"{entry['support']:,}", *cells))
    return Table((f"Class ({name})", "Images", "Precision", "Recall", "Specificity", "F1"), tuple(rows))


def _shift_table(facts: CardFacts) -> list[Block]:
    rows = []
    for (part, shift), by_strength in facts.shifted.items():
        reports = [by_strength.get(strength) for strength in STRENGTHS]
        cells = (
            share(report["accuracy"], report["accuracy_ci"]).replace(" %", "") if report else "–"
            for report in reports
        )
        rows.append((f"{SHIFTS.get(shift).title} ({part})", *cells))
    head = ("Accuracy on shifted images, %", *(f"strength {strength}" for strength in STRENGTHS))
    return [Table(head, tuple(rows))] if rows else []


def _ethics() -> list[Block]:
    return [
        Paragraph(
            "A wrong class of a white blood cell can mislead about infections and leukaemias. The lab knows "
            "the pictures and their files' names; whether the people they are of agreed, and whom they stand "
            "for, is for the data set's own documents to say."
        )
    ]


def _exports(facts: CardFacts) -> list[Block]:
    table: list[Block] = []
    if facts.exports:
        rows = []
        for passport in facts.exports:
            rows.append(
                (
                    FORMATS.get(passport["format"]).title,
                    f"{number(passport['bytes'] / 1e6)} MB ({passport['size_ratio']:.2f})",
                    f"{passport['largest_gap']:.2g}",
                    f"{passport['label_changes']:,} of {passport['checked_images']:,}",
                    share(passport["accuracy"], passport["accuracy_ci"]),
                    f"{number(passport['latency']['median_ms'])} ({number(passport['latency']['p95_ms'])})",
                )
            )
        first = facts.exports[0]
        timed = first["original_latency"]
        before = share(first["original_accuracy"], first["original_accuracy_ci"])
        note = (
            "Each file was opened by its own runtime and held against the original on validation images. The "
            f"original in Keras: accuracy {before}, {number(timed['median_ms'])} "
            f"({number(timed['p95_ms'])}) ms. Size in brackets: against .keras. Time: one image on the "
            "machine that exported, median (95th percentile)."
        )
        head = ("Format", "Size", "Largest gap of a probability", "Other classes", "Accuracy", "Time, ms")
        table = [Table(head, tuple(rows), note)]
    names = [passport["format"] for passport in facts.exports] or FORMATS.names()
    samples = [Code(f"{FORMATS.get(name).title}, then", FORMATS.get(name).sample) for name in names]
    # LiteRT's two files are run by the same lines.
    unlike = {sample.text: sample for sample in reversed(samples)}
    return [
        *table,
        Code("In an exported folder, read a square cut-out of one cell", READ_PICTURE),
        *reversed(unlike.values()),
        Code("and last", NAME_CLASS.lstrip()),
    ]
