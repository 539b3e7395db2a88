"""How every `wbc` command reads its options, reports progress, prints its result and fails."""

import errno
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from wbc_core.errors import WbcError
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import Progress
from wbc_core.records import Json
from wbc_core.workspace import Workspace

application = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="WBC Lab: from a dirty pile of blood-cell images to a comparison one can defend.",
)

_HOME = Annotated[Path | None, typer.Option(help="The workspace; $WBC_HOME, else ./workspace.")]
_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

_WIDEST, _LISTED = 60, 3
"""Characters of a cell in a table, and entries of a list in it."""

# These take several values, so `--accept a b` means `--accept a --accept b`.
_REPEATED = ("--accept", "--drop", "--keep", "--relabel", "--set", "--grid", "--checks", "--row")


class WorkFailed(Exception):
    """The input was good, yet the work did not succeed: exit status 1."""


def command(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as a command: it gains `--home` and `--json`, and what it returns is printed.

    Args:
        name: Name on the command line. The function's first parameter is the workspace.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*, home: Path | None, as_json: bool, **values: Any) -> None:
            workspace = Workspace(home) if home else Workspace.default()
            show(function(workspace, **values), as_json=as_json)

        keyword = inspect.Parameter.KEYWORD_ONLY
        own = list(inspect.signature(function).parameters.values())[1:]
        shared = [
            inspect.Parameter("home", keyword, default=None, annotation=_HOME),
            inspect.Parameter("as_json", keyword, default=False, annotation=_JSON),
        ]
        parameters = [parameter.replace(kind=keyword) for parameter in own] + shared
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = function.__doc__
        application.command(name)(run)
        return function

    return register


@dataclass(frozen=True)
class Shown:
    """A result that a person reads in another form.

    Attributes:
        result: What --json prints.
        lines: What is laid out without it.
    """

    result: object
    lines: object


def show(result: object, *, as_json: bool) -> None:
    """Print a result: JSON, or lines that a person reads."""
    if isinstance(result, Shown):
        result = result.result if as_json else result.lines
    if result is None:
        return
    if as_json:
        print(json.dumps(result, allow_nan=False))
    else:
        print("\n".join(_lines(result)))


def _lines(result: object, indent: str = "") -> Iterator[str]:
    if isinstance(result, dict):
        for key, value in result.items():
            if isinstance(value, dict | list) and value and not _is_flat(value):
                yield f"{indent}{key}:"
                yield from _lines(value, indent + "  ")
            elif key == "log":
                yield from str(value).splitlines()
            else:
                yield f"{indent}{key}: {_text(value)}"
    elif isinstance(result, list) and result and all(isinstance(item, dict) for item in result):
        yield from (indent + line for line in _table(result))
    elif isinstance(result, list):
        yield from (indent + _text(item) for item in result)
    else:
        yield str(result).rstrip("\n")


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Lay rows out in columns, the last one in full; what is nested is left to --json."""
    values = [(key, value) for row in rows for key, value in row.items()]
    nested = {key for key, value in values if isinstance(value, dict | list) and not _is_flat(value)}
    keys = [key for key in dict.fromkeys(key for key, _ in values) if key not in nested]
    cells = [keys, *([_cell(row.get(key)) for key in keys] for row in rows)]
    cells = [[*(cell[:_WIDEST] for cell in line[:-1]), *line[-1:]] for line in cells]
    widths = [max(len(line[column]) for line in cells) for column in range(len(keys))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    """A value on one line; of a long list its beginning."""
    if isinstance(value, list) and len(value) > _LISTED:
        return f"{_text(value[:_LISTED])} and {len(value) - _LISTED:,} more"
    return " ".join(_text(value).split())


def _is_flat(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, int | float | str) for item in value)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return " ".join(_text(item) for item in value)
    return "-" if value is None else str(value)


def run_task(workspace: Workspace, kind: str, spec: Json) -> Json:
    """Run a task in this process: the same function that a job of this kind runs."""
    quiet_tensorflow()
    with console_progress() as progress:
        return TASKS.get(kind)(workspace, "", spec, progress)


def quiet_tensorflow() -> None:
    """Keep what TensorFlow says about missing GPUs off standard error, where an error is one line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def console_progress() -> Iterator[Progress]:
    """Yield a progress function that writes to standard error: one line on a terminal, few in a log."""
    on_terminal = sys.stderr.isatty()
    pause = 0.2 if on_terminal else 5.0
    written = time.monotonic() - (pause if on_terminal else 0.0)

    def progress(fraction: float, message: str) -> None:
        nonlocal written
        if time.monotonic() - written >= pause:
            written = time.monotonic()
            line = f"{fraction:4.0%} {message}"
            print(
                f"\r\x1b[K{line}" if on_terminal else line,
                end="" if on_terminal else "\n",
                file=sys.stderr,
                flush=True,
            )

    try:
        yield progress
    finally:
        if on_terminal:  # an error is then alone on its line
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def split_values(texts: Sequence[str]) -> list[str]:
    """Split values at commas.

    Example:
        >>> split_values(["blur,foreign", "exposure"])
        ['blur', 'foreign', 'exposure']
    """
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def named_values(texts: Sequence[str], option: str) -> list[str]:
    """Split the values of an option that may be left out, but not left empty.

    Raises:
        WbcError: Nothing is named: to do nothing then, without a word, would pass for done.
    """
    values = split_values(texts)
    if not values:
        raise WbcError(
            f"{option} names nothing.", expected="names, separated by commas", fix="Name one or leave it out."
        )
    return values


def whole_numbers(texts: Sequence[str]) -> list[int]:
    """Read row numbers and ranges of them.

    Raises:
        WbcError: Something is no whole number of at least 0.

    Example:
        >>> whole_numbers(["3,17", "40-42"])
        [3, 17, 40, 41, 42]
    """
    numbers: list[int] = []
    for part in split_values(texts):
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)) or len(part) > 24:
            raise WbcError("A row number is wrong.", expected="numbers such as 3,17,40-52", got=repr(part))
        start, stop = int(first), int(last) if dash else int(first)
        if not 0 <= stop - start <= 10_000_000:
            raise WbcError(
                "A range of rows is wrong.", expected="FIRST-LAST, at most 10,000,000", got=repr(part)
            )
        numbers.extend(range(start, stop + 1))
    return numbers


def key_values(texts: Sequence[str], shape: str) -> dict[str, str]:
    """Read `key=value` pairs.

    Args:
        texts: The pairs.
        shape: How a pair should look, for the message.

    Raises:
        WbcError: A pair has no `=`, or a key comes twice.

    Example:
        >>> key_values(["epochs=3"], "key=value")
        {'epochs': '3'}
    """
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key and equals and value):
            raise WbcError("An option is incomplete.", expected=shape, got=repr(text))
        if key in pairs:
            raise WbcError(f"{key!r} is given twice.", fix="Give it once.")
        pairs[key] = value
    return pairs


def repeat_options(arguments: Sequence[str]) -> list[str]:
    """Write `--accept a b` as `--accept a --accept b`, where the command's own argument came before.

    Example:
        >>> repeat_options(["decide", "demo", "--accept", "blur", "foreign", "--by", "Ada"])
        ['decide', 'demo', '--accept', 'blur', '--accept', 'foreign', '--by', 'Ada']
    """
    expanded: list[str] = []
    option, taken = "", 0
    for position, argument in enumerate(arguments):
        if argument.startswith("--"):
            option, taken = argument, 0
        elif option in _REPEATED and position > 2 and not arguments[1].startswith("-"):
            expanded += [option] if taken else []
            taken += 1
        expanded.append(argument)
    return expanded


def run_application(typer_application: typer.Typer) -> None:
    """Run a command and end the process: 0 done, 1 the work failed, 2 bad input, 130 interrupted."""
    try:
        typer.main.get_command(typer_application).main(
            repeat_options(sys.argv[1:]), "wbc", standalone_mode=False
        )
        sys.stdout.flush()
    except WbcError as error:
        _end(str(error), 2)
    except typer.TyperException as error:
        message = getattr(error, "format_message", error.__str__)()
        _end(message or "Say what to do: `wbc --help` lists the commands.", 2)
    except (KeyboardInterrupt, typer.Abort):
        _end("Interrupted; nothing was left half-written.", 130)
    except WorkFailed as error:
        _end(str(error), 1)
    except BrokenPipeError:
        # Whoever read the output has what they wanted; nothing may be written to them at the end either.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO)
        _end(f"{named}{error.strerror or error}. Check the path and its rights.", 1 if full else 2)
    except Exception as error:
        from sqlalchemy.exc import DBAPIError

        if not isinstance(error, DBAPIError):
            raise
        _end(f"The database did not do its work: {error.orig}. Check its disk and its rights.", 1)


def _end(message: str, status: int) -> None:
    print(" ".join(message.split()), file=sys.stderr, flush=True)
    sys.exit(status)
