"""What a recipe may set of its balance plan: how many images a class gets, how neighbours are found."""

from collections.abc import Mapping, Sequence

from wbc_core.errors import WbcError
from wbc_core.records import Json

NEIGHBOURS = ("pixels", "features")
"""Where SMOTE and its relatives take distances: the pixels, or their projection (`balance.projection`)."""

LARGEST_COUNT = 1_000_000
DEFAULT_BETA = 0.999
"""Beta of the effective number of samples, between the 0.99 and 0.9999 of Cui et al. 2019, section 5."""

COMMON = ("cap", "targets")


def checked_parameters(plan: str, allowed: Sequence[str], parameters: object) -> Json:
    """Return the parameters without those that are at their default, so that equal recipes are equal records.

    Args:
        plan: Name of the plan, for messages.
        allowed: What the plan knows beside `COMMON`.
        parameters: `cap`: no class gets more images, a whole number from 1. `targets`: class name to how
            many images it gets, whatever the plan says. `neighbours`: one of `NEIGHBOURS`. `beta`: of the
            effective number, 0 to below 1.

    Raises:
        WbcError: A parameter is unknown to the plan, or out of its range; the message names it.
    """
    if not isinstance(parameters, Mapping):
        raise WbcError(
            "The recipe's 'balance_parameters' are no JSON object.",
            expected='{"cap": 1000}',
            got=type(parameters).__name__,
        )
    known = (*COMMON, *allowed)
    result: Json = {}
    for name, value in parameters.items():
        if name not in known:
            raise WbcError(
                f"The balance plan {plan} has no parameter {str(name)[:40]!r}.",
                expected=f"one of {', '.join(known)}",
                fix="Remove it or correct its spelling.",
            )
        checked = _CHECKS[name](value)
        if checked is not None:
            result[name] = checked
    return result


def _count(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST_COUNT:
        raise WbcError(
            f"The balance parameter {name} cannot be used.",
            expected=f"a whole number from {least} to {LARGEST_COUNT:,}",
            got=repr(value)[:60],
        )
    return value


def _cap(value: object) -> int | None:
    return None if value is None else _count("'cap'", value, 1)


def _targets(value: object) -> dict[str, int] | None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise WbcError(
            "The balance parameter 'targets' cannot be used.",
            expected='class names and counts, {"monocyte": 900}',
            got=repr(value)[:60],
        )
    return {name: _count(f"'targets' of {name[:40]!r}", count, 1) for name, count in value.items()} or None


def _neighbours(value: object) -> str | None:
    if not isinstance(value, str) or value not in NEIGHBOURS:
        raise WbcError(
            "The balance parameter 'neighbours' cannot be used.",
            expected=f"one of {', '.join(NEIGHBOURS)}",
            got=repr(value)[:60],
        )
    return None if value == NEIGHBOURS[0] else value


def _beta(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise WbcError(
            "The balance parameter 'beta' cannot be used.",
            expected="a number from 0 to below 1",
            got=repr(value)[:60],
        )
    return None if value == DEFAULT_BETA else float(value)


_CHECKS = {"cap": _cap, "targets": _targets, "neighbours": _neighbours, "beta": _beta}


def adjusted_counts(
    counts: Sequence[int], targets: Sequence[int], parameters: Json, class_names: Sequence[str]
) -> list[int]:
    """Apply `cap` and `targets` to what a plan makes of the classes. One without images stays without.

    Args:
        counts: Images per class before, in class order.
        targets: Images per class after the plan.
        parameters: Checked parameters.
        class_names: Names of the classes, in the same order.

    Raises:
        WbcError: `targets` names a class that there is not, or one without images.

    Example:
        >>> adjusted_counts([3, 9], [9, 9], {"cap": 6, "targets": {"b": 8}}, ["a", "b"])
        [6, 8]
    """
    cap = parameters.get("cap", LARGEST_COUNT)
    result = [min(target, cap) for target in targets]
    for name, count in parameters.get("targets", {}).items():
        if name not in class_names or not counts[list(class_names).index(name)]:
            raise WbcError(
                f"The recipe sets a target for the class {name[:40]!r}, which has no train images.",
                expected=f"one of {', '.join(class_names)}",
                fix="Correct the recipe's 'targets'.",
            )
        result[list(class_names).index(name)] = count
    return result
