"""Recipes: how the train part is balanced and augmented, as presets, saved files, or any JSON file."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from wbc_core.augment.keras_cv_engine import check_layers
from wbc_core.augment.mixes import MIXES, MixType
from wbc_core.augment.operations import OPERATIONS, OperationType
from wbc_core.balance import PLANS, check_parameters
from wbc_core.errors import WbcError
from wbc_core.records import Operation, Recipe
from wbc_core.registry import Registry
from wbc_core.workspace import Workspace

MAXIMUM_OPERATIONS = 32
MAXIMUM_FILE_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_LARGEST_SEED = 2**32 - 1
ENGINES = ("lab", "keras_cv")
_KEYS = {"name", "balance", "operations", "seed", "online", "balance_parameters", "leaky", "engine"}


def check_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe with every parameter's default filled in, so that equal recipes are equal records.

    Raises:
        WbcError: The name, the balance plan, an operation, a parameter or the seed is not valid.
    """
    if not isinstance(recipe.name, str) or not _NAME.fullmatch(recipe.name):
        raise WbcError(
            "The recipe's 'name' cannot be used.",
            expected="1 to 40 letters, digits, _ or -, beginning with a letter or digit",
            got=repr(recipe.name)[:60],
            fix="Choose another name.",
        )
    if not isinstance(recipe.balance, str):
        raise WbcError("The recipe's 'balance' is not a name.", expected="one of " + ", ".join(PLANS.names()))
    parameters = check_parameters(recipe.balance, recipe.balance_parameters)
    if not isinstance(recipe.leaky, bool):
        raise WbcError("The recipe's 'leaky' is neither true nor false.", got=repr(recipe.leaky)[:60])
    if recipe.engine not in ENGINES:
        raise WbcError(
            "The recipe's 'engine' is unknown.",
            expected=f"one of {', '.join(ENGINES)}",
            got=repr(recipe.engine)[:60],
        )
    if recipe.engine == "keras_cv":
        check_layers(recipe.operations)
    if (
        isinstance(recipe.seed, bool)
        or not isinstance(recipe.seed, int)
        or not 0 <= recipe.seed <= _LARGEST_SEED
    ):
        raise WbcError(
            "The recipe's 'seed' cannot be used.",
            expected=f"a whole number from 0 to {_LARGEST_SEED}",
            got=repr(recipe.seed)[:60],
        )
    for stage in ("operations", "online"):
        count = len(getattr(recipe, stage))
        if count > MAXIMUM_OPERATIONS:
            raise WbcError(
                f"The recipe has too many operations in {stage!r}.",
                expected=f"at most {MAXIMUM_OPERATIONS}",
                got=count,
            )
    return replace(
        recipe,
        operations=check_operations(recipe.operations),
        online=check_online(recipe.online),
        balance_parameters=parameters,
    )


def check_operations(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations of the materialised stage with every parameter's default filled in.

    Raises:
        WbcError: An operation or a parameter is unknown, or a value is out of its range.
    """
    for operation in operations:
        if operation.name in MIXES:
            raise WbcError(
                f"The operation {operation.name} mixes two images and their labels.",
                expected="one that keeps the label, in the materialised stage",
                fix="Move it to 'online'.",
            )
    return tuple(_checked(operation, OPERATIONS.get(operation.name)) for operation in operations)


def check_online(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations of the online stage with every parameter's default filled in.

    Raises:
        WbcError: An operation or a parameter is unknown, or a value is out of its range.
    """
    return tuple(_checked(operation, online_operation(operation.name)) for operation in operations)


def online_operation(name: str) -> OperationType | MixType:
    """The operation of this name that an online stage may have: any that keeps the label, or a mix.

    Raises:
        WbcError: There is none.
    """
    return MIXES.get(name) if name in MIXES else OPERATIONS.get(name)


def _checked(operation: Operation, kind: OperationType | MixType) -> Operation:
    probability = operation.probability
    number = isinstance(probability, int | float) and not isinstance(probability, bool)
    if not number or not 0 <= probability <= 1:
        raise WbcError(
            f"The probability of the operation {operation.name} is out of range.",
            expected="a number from 0 to 1",
            got=repr(probability)[:60],
            fix="Correct the recipe.",
        )
    classes = operation.classes
    if not isinstance(classes, tuple) or not all(isinstance(name, str) for name in classes):
        raise WbcError(
            f"The classes of the operation {operation.name} are no names.",
            expected="a list of class names, empty for all of them",
            got=repr(classes)[:60],
            fix="Correct the recipe.",
        )
    return Operation(
        operation.name, kind.checked(operation.parameters), float(probability), tuple(dict.fromkeys(classes))
    )


PRESETS: Registry[Recipe] = Registry("preset")
PRESETS.add("plain", Recipe("plain"))
_REPORT = ("auto_contrast", "random_saturation", "solarization", "random_cutout")
for _name, _operations in (("an2dl", _REPORT), ("an2dl_randaugment", (*_REPORT, "rand_augment"))):
    PRESETS.add(_name, check_recipe(Recipe(_name, "smote", tuple(Operation(name) for name in _operations))))
PRESETS.add("an2dl_leaky", replace(PRESETS.get("an2dl"), name="an2dl_leaky", leaky=True))
_SYMMETRIES = (Operation("flip"), Operation("quarter_turns"))
# Chosen by accuracy on shifted validation images: docs/decisions/010-a-recipe-for-shifted-images.md.
_ROBUST = (
    *_SYMMETRIES,
    Operation("rotation", {"degrees": 45}, 0.5),
    Operation("shear", {"x_factor": 0.25, "y_factor": 0.25}, 0.3),
    Operation("translation", {"height_factor": 0.12, "width_factor": 0.12}, 0.3),
    Operation("zoom", {"zoom_in": 0.15, "zoom_out": 0.15}, 0.3),
    Operation("elastic", {"distance": 2.5}, 0.15),
    Operation("stain_jitter", {"gain": 0.4, "shift": 0.06}, 0.3),
    Operation("brightness", {"factor": 0.25}, 0.25),
    Operation("contrast", {"factor": 0.5}, 0.25),
    Operation("hue", {"factor": 0.1}, 0.2),
    Operation("channel_shift", {"factor": 0.3}, 0.2),
    Operation("random_saturation", {"factor_low": 0.2, "factor_high": 0.8}, 0.2),
    Operation("illumination_gradient", {"strength": 0.5}, 0.2),
    Operation("gaussian_blur", {"sigma_low": 0.3, "sigma_high": 1.8}, 0.15),
    Operation("gaussian_noise", {"deviation_low": 2, "deviation_high": 20}, 0.15),
    Operation("jpeg_quality", {"quality_low": 15, "quality_high": 70}, 0.15),
    Operation("random_cutout", {"height_factor": 0.7, "width_factor": 0.7}, 0.3),
    Operation("grid_mask", {"ratio": 0.55}, 0.25),
)
_STAIN = (
    *_SYMMETRIES,
    Operation("stain_jitter", {"gain": 0.5, "shift": 0.08}, 0.8),
    Operation("brightness", {"factor": 0.15}, 0.3),
    Operation("illumination_gradient", {"strength": 0.4}, 0.3),
)
for _name, _online in (("robust", _ROBUST), ("stain", _STAIN)):
    PRESETS.add(_name, check_recipe(Recipe(_name, online=_online)))


def parse_recipe(plain: object) -> Recipe:
    """Build a recipe from JSON that anybody may have written.

    Args:
        plain: `{"name": "..", "balance": "smote", "operations": [..], "online": [..], "seed": 0}`; all but
            the name may be left out. An operation is `{"name": "..", "parameters": {..}, "probability": 1.0,
            "classes": []}`, where again only the name is needed. `"balance_parameters": {..}` sets the
            plan (`wbc_core.balance.parameters`), `"leaky": true` asks for the source report's order.

    Raises:
        WbcError: Something in it is not valid; the message names the key.

    Example:
        >>> parse_recipe({"name": "mine", "operations": [{"name": "auto_contrast"}]}).operations
        (Operation(name='auto_contrast', parameters={}, probability=1.0, classes=()),)
    """
    recipe = _object(plain, "The recipe", _KEYS)
    return check_recipe(
        Recipe(
            name=recipe["name"],  # type: ignore[arg-type]
            balance=recipe.get("balance", "none"),  # type: ignore[arg-type]
            operations=_read_operations(recipe, "operations"),
            seed=recipe.get("seed", 0),  # type: ignore[arg-type]
            online=_read_operations(recipe, "online"),
            balance_parameters=recipe.get("balance_parameters", {}),  # type: ignore[arg-type]
            leaky=recipe.get("leaky", False),  # type: ignore[arg-type]
            engine=recipe.get("engine", "lab"),  # type: ignore[arg-type]
        )
    )


def _read_operations(recipe: dict[str, object], stage: str) -> tuple[Operation, ...]:
    listed = recipe.get(stage, [])
    if not isinstance(listed, list):
        raise WbcError(
            f"The recipe's {stage!r} is no list.",
            expected='[{"name": "..", "parameters": {..}}]',
            got=type(listed).__name__,
        )
    operations = []
    for position, item in enumerate(listed[: MAXIMUM_OPERATIONS + 1]):
        what = f"operation {position + 1} in {stage!r}"
        keys = {"name", "parameters", "probability", "classes"}
        entry = _object(item, what.capitalize(), keys)
        name, parameters, classes = entry["name"], entry.get("parameters", {}), entry.get("classes", [])
        if not isinstance(name, str):
            raise WbcError(
                f"The 'name' of {what} is no text.",
                expected=f"one of {', '.join(OPERATIONS)}",
                got=repr(name)[:60],
            )
        if not isinstance(parameters, dict):
            raise WbcError(
                f"The 'parameters' of {what} ({name[:40]}) are no JSON object.",
                got=type(parameters).__name__,
            )
        if not isinstance(classes, list):
            raise WbcError(
                f"The 'classes' of {what} ({name[:40]}) are no list.",
                expected="a list of class names",
                got=type(classes).__name__,
            )
        operations.append(
            Operation(name, parameters, entry.get("probability", 1.0), tuple(classes))  # type: ignore[arg-type]
        )
    return tuple(operations)


def _object(plain: object, what: str, keys: set[str]) -> dict[str, object]:
    if not isinstance(plain, dict):
        raise WbcError(f"{what} is no JSON object.", got=type(plain).__name__)
    unknown = [str(key)[:40] for key in plain if key not in keys]
    if unknown:
        raise WbcError(
            f"{what} has an unknown key {unknown[0]!r}.",
            expected=", ".join(sorted(keys)),
            fix="Remove it or correct its spelling.",
        )
    if "name" not in plain:
        raise WbcError(f"{what} has no 'name'.", fix="Add one.")
    return plain


def load_recipe(workspace: Workspace, name_or_path: str) -> Recipe:
    """Find a recipe: a preset's name, a saved recipe's name, or the path of a JSON file.

    Raises:
        WbcError: There is none, or it is not valid.
    """
    if name_or_path in PRESETS:
        return PRESETS.get(name_or_path)
    if _NAME.fullmatch(name_or_path):
        saved = workspace.recipes_dir / f"{name_or_path}.json"
        if saved.is_file():
            return _read(saved)
    path = Path(name_or_path)
    if path.suffix == ".json" and path.is_file():
        return _read(path)
    names = PRESETS.names() + [recipe.name for recipe in list_recipes(workspace)]
    raise WbcError(
        f"There is no recipe {name_or_path!r}.",
        expected=f"one of {', '.join(names)}, or the path of a .json file",
        fix="Check the spelling, or save the recipe on the Augment page.",
    )


def _read(path: Path) -> Recipe:
    size = path.stat().st_size
    if size > MAXIMUM_FILE_BYTES:
        raise WbcError(
            f"{path.name} is too large for a recipe.",
            expected=f"at most {MAXIMUM_FILE_BYTES:,} bytes",
            got=f"{size:,}",
        )
    try:
        return recipe_from_text(path.read_bytes())
    except WbcError as error:
        raise WbcError(f"{path.name}: {error}") from None


def recipe_from_text(text: str | bytes) -> Recipe:
    """Build a recipe from the text of a JSON file that anybody may have written.

    Raises:
        WbcError: It is no JSON, or something in it is not valid.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON number")

    try:
        plain = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise WbcError("The recipe holds no JSON.", got=error, fix="Correct it or export it again.") from None
    return parse_recipe(plain)


def save_recipe(workspace: Workspace, recipe: Recipe) -> Recipe:
    """Save a recipe under its name, in place of an older one of that name.

    Returns:
        The recipe as saved, every default filled in.

    Raises:
        WbcError: The recipe is not valid, or its name is a preset's.
    """
    recipe = check_recipe(recipe)
    if recipe.name in PRESETS:
        raise WbcError(
            f"The name {recipe.name!r} is a preset's.",
            expected=f"another than {', '.join(PRESETS)}",
            fix="Choose another name.",
        )
    workspace.write_json(workspace.recipes_dir / f"{recipe.name}.json", recipe.to_json())
    return recipe


def delete_recipe(workspace: Workspace, name: str) -> None:
    """Delete a saved recipe; sets prepared with it keep their own copy.

    Raises:
        WbcError: There is none of this name.
    """
    _saved_path(workspace, name).unlink()


def rename_recipe(workspace: Workspace, old: str, new: str) -> Recipe:
    """Give a saved recipe another name.

    Raises:
        WbcError: There is none of the old name, or the new one is taken or cannot be used.
    """
    path = _saved_path(workspace, old)
    if _NAME.fullmatch(new) and (workspace.recipes_dir / f"{new}.json").exists():
        raise WbcError(f"There is a recipe {new!r} already.", fix="Choose another name, or delete that one.")
    renamed = save_recipe(workspace, replace(_read(path), name=new))
    path.unlink()
    return renamed


def _saved_path(workspace: Workspace, name: str) -> Path:
    path = workspace.recipes_dir / f"{name}.json"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise WbcError(f"There is no saved recipe {name[:60]!r}.", fix="Choose one from the list.")
    return path


def list_recipes(workspace: Workspace) -> list[Recipe]:
    """The saved recipes, by name; files that hold no valid recipe are left out."""
    recipes = []
    for path in sorted(workspace.recipes_dir.glob("*.json")):
        try:
            recipe = _read(path)
        except (WbcError, OSError):
            continue
        if recipe.name == path.stem:
            recipes.append(recipe)
    return recipes
