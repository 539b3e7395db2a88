"""The immutable records that one step of the lab hands to the next, their JSON, and their content ids."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Self

from wbc_core.errors import WbcError

Json = dict[str, Any]


def content_id(prefix: str, payload: object) -> str:
    """Name a record by what made it: the same payload always gives the same id.

    Args:
        prefix: Two letters or so that tell the kind of record.
        payload: Anything that `json.dumps` takes.

    Returns:
        The prefix, a hyphen and 12 hexadecimal digits of the SHA-256 of the canonical JSON.

    Example:
        >>> content_id("ds", {"b": 1, "a": 2}) == content_id("ds", {"a": 2, "b": 1})
        True
    """
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{prefix}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Record:
    """Base of every record: to and from plain JSON."""

    def to_json(self) -> Json:
        """Return the record as plain JSON types."""
        plain: Json = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain

    @classmethod
    def from_json(cls, plain: Json) -> Self:
        """Build the record from its JSON, ignoring keys that a newer version may have written.

        Raises:
            WbcError: A key is missing.
        """
        names = {entry.name: entry for entry in dataclasses.fields(cls)}
        values = {name: value for name, value in plain.items() if name in names}
        for name, value in values.items():
            if isinstance(value, list) and "tuple" in str(names[name].type):
                values[name] = tuple(tuple(item) if isinstance(item, list) else item for item in value)
        needed = [
            name
            for name, entry in names.items()
            if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        ]
        missing = [name for name in needed if name not in values]
        if missing:
            raise WbcError(
                f"A record of kind {cls.__name__} is damaged.",
                expected=f"the keys {', '.join(needed)}",
                got=f"none named {', '.join(missing)}",
                fix="Restore it from a backup.",
            )
        return cls(**values)


@dataclass(frozen=True)
class Dataset(Record):
    """Images of one size with one label each, as imported.

    Attributes:
        id: `ds-...`, from name, class names, shape, pixels and labels.
        name: What the user calls it.
        class_names: Class names; a label is an index into them.
        image_shape: Height, width and 3 channels, in pixels.
        images: Number of images.
        source: Where it came from, as the user named it.
        created: When it was imported, ISO 8601 in UTC.
    """

    id: str
    name: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    images: int
    source: str
    created: str


@dataclass(frozen=True)
class Finding(Record):
    """One thing that a check found: an image, or a group of images that belong together.

    Attributes:
        check: Name of the check.
        rows: Row numbers of the data set, the one to keep first where copies are grouped.
        image_ids: Their image ids, in the same order.
        score: The raw score; higher is worse. Never changed by a threshold.
        flagged: Whether the score passed the check's threshold.
        suggested: Row number (as a string, for JSON) to `keep`, `drop` or `relabel:CLASS`.
        evidence: One sentence with the measured numbers and their units.
    """

    check: str
    rows: tuple[int, ...]
    image_ids: tuple[str, ...]
    score: float
    flagged: bool
    suggested: dict[str, str]
    evidence: str


@dataclass(frozen=True)
class Decision(Record):
    """One line of the decision log; undoing one is a further line.

    Attributes:
        id: Position in the log, rising.
        dataset: Id of the data set.
        row: Row number in the data set.
        image_id: Id of the image.
        action: `keep`, `drop`, `relabel` or `undo`.
        label: The new label where the action is `relabel`.
        reason: Why, in words.
        who: Name of the person.
        at: When, ISO 8601 in UTC.
        check: The check whose suggestion was followed, if any.
        step: Decisions made in one go share a step and are undone together.
        undoes: Id of the decision that an `undo` takes back.
        threshold: Score from which the check's suggestions were followed, all at once; None where a person
            decided on the image itself, and in logs older than this entry.
    """

    id: int
    dataset: str
    row: int
    image_id: str
    action: str
    label: int | None
    reason: str
    who: str
    at: str
    check: str | None
    step: str
    undoes: int | None
    threshold: float | None = None


@dataclass(frozen=True)
class Split(Record):
    """Which images are learnt from and which are held out. The image lists lie in the Parquet file beside it.

    Attributes:
        id: `sp-...`, from everything below but `created`.
        dataset: Id of the data set.
        clean: Id of the clean set, `cl-...`: data set and effective decisions.
        decisions_head: Last line of the decision log that was heeded (0: none).
        fractions: Share of each part, summing to 1.
        seed: Seed of the shuffle.
        parts: Part name to images per class, in class order.
        grouped: Number of groups of (near) duplicates that were kept together.
        created: When, ISO 8601 in UTC.
        folds: Of how many folds of a cross-validation it holds one out; 0 where it is none of them.
        keeps: Id of the split whose parts its images keep after further decisions; empty where it was drawn.
        raw: Whether the train part of that split is uncleaned in it: for a study alone.
    """

    id: str
    dataset: str
    clean: str
    decisions_head: int
    fractions: tuple[float, ...]
    seed: int
    parts: dict[str, list[int]]
    grouped: int
    created: str
    folds: int = 0
    keeps: str = ""
    raw: bool = False


@dataclass(frozen=True)
class Operation(Record):
    """One augmentation with its parameters, by its name in the registry.

    Attributes:
        name: Name in the registry of operations.
        parameters: Its settings by name.
        probability: Share of the images that it is applied to, 0..1; the others stay as they are.
        classes: Names of the classes that it is applied to; all of them where empty.
    """

    name: str
    parameters: dict[str, float] = field(default_factory=dict)
    probability: float = 1.0
    classes: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """Return the operation as JSON, without what every image gets: recipes made before keep their id."""
        plain = super().to_json()
        unused = {"probability": 1.0, "classes": []}
        return {key: value for key, value in plain.items() if key not in unused or value != unused[key]}


@dataclass(frozen=True)
class Recipe(Record):
    """How the train part is balanced and augmented.

    Attributes:
        name: What the user calls it.
        balance: Name of a balance plan in its registry.
        operations: The materialised stage: each adds one augmented copy of every balanced train image.
        seed: Seed of everything random in it.
        online: The online stage: applied one after the other, drawn anew for every image in every epoch.
        balance_parameters: Settings of the plan, as in `wbc_core.balance.parameters`.
        leaky: Whether the source report's order is followed: balanced before the split, so that held-out
            images helped make the train part. Every figure that comes of it is marked.
        engine: Whose operations the materialised stage uses: `lab`, or `keras_cv` for KerasCV's layers.
    """

    name: str
    balance: str = "none"
    operations: tuple[Operation, ...] = ()
    seed: int = 0
    online: tuple[Operation, ...] = ()
    balance_parameters: Json = field(default_factory=dict)
    leaky: bool = False
    engine: str = "lab"

    @classmethod
    def from_json(cls, plain: Json) -> Self:
        """Build the recipe and its operations from JSON."""
        stages = {
            stage: tuple(Operation.from_json(item) for item in plain.get(stage, ()))
            for stage in ("operations", "online")
        }
        return super().from_json({**plain, **stages})

    def to_json(self) -> Json:
        """Return the recipe as JSON, without what is empty of the newer keys: older recipes keep their id."""
        plain = super().to_json()
        for stage in ("operations", "online"):
            plain[stage] = [operation.to_json() for operation in getattr(self, stage)]
        unused = {"online": [], "balance_parameters": {}, "leaky": False, "engine": "lab"}
        return {key: value for key, value in plain.items() if key not in unused or value != unused[key]}

    @property
    def id(self) -> str:
        """`rc-...`, from everything in the recipe."""
        return content_id("rc", self.to_json())


@dataclass(frozen=True)
class PreparedSet(Record):
    """The train part of a split, balanced and augmented, on disk.

    Attributes:
        id: `pr-...`, from split and recipe.
        split: Id of the split.
        dataset: Id of the data set.
        recipe: The recipe, whole.
        images: Number of train images after the recipe.
        classes: Images per class, in class order.
        seconds: How long it took, in seconds.
        peak_mb: Largest resident memory of the process, in MB.
        created: When, ISO 8601 in UTC.
    """

    id: str
    split: str
    dataset: str
    recipe: Recipe
    images: int
    classes: tuple[int, ...]
    seconds: float
    peak_mb: float
    created: str

    @property
    def leaky(self) -> bool:
        """Whether held-out images helped make it, so that every figure of it must be marked."""
        return self.recipe.leaky

    @classmethod
    def from_json(cls, plain: Json) -> Self:
        """Build the record and its recipe from JSON."""
        return super().from_json({**plain, "recipe": Recipe.from_json(plain.get("recipe", {}))})


JOB_STATES = ("queued", "running", "succeeded", "failed", "cancelled")
PRIORITIES = ("high", "normal", "low")
TERMINAL_STATES = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Job(Record):
    """One piece of slow work in the queue.

    Attributes:
        id: `job-...`; a run's id is the id of the job that trains it.
        kind: Name of a task in the tasks registry.
        spec: What the task is called with.
        state: One of `JOB_STATES`.
        progress: Fraction done, 0..1.
        message: What it is doing, in words.
        epoch: The epoch under way, for training, from 1.
        attempts: How often it was started since an attempt last finished an epoch before it died.
        device: Where it runs or ran (`cpu`, `gpu:0`, `gpu:ray:NODE`).
        heartbeat_at: Last sign of life, ISO 8601 in UTC.
        cancel_requested: Whether someone asked it to stop.
        error: Why it failed, in words.
        result: What the task returned.
        created, finished: When, ISO 8601 in UTC.
        started: When its present or last attempt began, ISO 8601 in UTC.
        earlier_seconds: How long its attempts before that one ran.
        paused: Whether it is passed over while it waits.
        usage: What its processes use or last used; see `wbc_core.jobs.meters.Meters`.
        priority: One of `PRIORITIES`; while it waits, those of a higher one are taken before it.
    """

    id: str
    kind: str
    spec: Json
    state: str
    progress: float
    message: str
    epoch: int | None
    attempts: int
    device: str | None
    heartbeat_at: str | None
    cancel_requested: bool
    error: str | None
    result: Json | None
    created: str
    started: str | None
    finished: str | None
    paused: bool = False
    usage: Json | None = None
    priority: str = "normal"
    earlier_seconds: float = 0.0
