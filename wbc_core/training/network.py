"""The network of a run as its spec describes it, and what it learns by."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wbc_core.backbones.freezing import apply_freezing, open_blocks
from wbc_core.backbones.model import build_model
from wbc_core.backbones.pooling import LEARNT_POWER
from wbc_core.training.data import TrainingData, load_training_data
from wbc_core.training.losses import make_loss, needs_shares
from wbc_core.training.optimisers import make_optimiser
from wbc_core.training.phases import Phase
from wbc_core.training.settings import hidden_units
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras


def data_of_run(workspace: Workspace, spec: RunSpec) -> TrainingData:
    """Open what a run learns from and is validated on.

    Raises:
        WbcError: There is no such prepared set, or its split holds no image out.
    """
    return load_training_data(
        workspace,
        spec.prepared,
        batch_size=spec.batch_size,
        seed=spec.seed,
        validation_shift=spec.validation_shift,
        validation_strength=spec.validation_strength,
        shares=needs_shares(spec),
    )


def open_for(phase: Phase, model: "keras.Model", spec: RunSpec) -> None:
    """Let learn what a phase lets learn; compile the network afterwards.

    Raises:
        WbcError: `freeze` names more layers or blocks than the backbone has.
    """
    if phase.open_blocks is None:
        apply_freezing(model, spec.freeze)
    else:
        open_blocks(model, spec.backbone, spec.freeze, phase.open_blocks)


def build_network(spec: RunSpec, data: TrainingData, workspace: Workspace) -> "keras.Model":
    """Build the classifier of a run; the same seed gives the same first weights.

    Args:
        spec: The run.
        data: What it learns from.
        workspace: Where the runs are, for `weights=run:ID`.

    Returns:
        An uncompiled model from (n, H, W, 3) values 0..255 to (n, classes) probabilities.

    Raises:
        WbcError: A size that the backbone cannot take, or weights that are not to be had.
    """
    import keras

    keras.utils.set_random_seed(spec.seed)
    return build_model(
        spec.backbone,
        data.dataset.image_shape,
        len(data.dataset.class_names),
        dropout=spec.dropout,
        weights=spec.weights,
        pooling=spec.pooling,
        hidden_layers=hidden_units(spec.hidden_layers),
        input_size=spec.input_size or None,
        workspace=workspace,
    )


def compile_network(
    model: "keras.Model",
    spec: RunSpec,
    data: TrainingData,
    learning_rate: float,
    rates: Mapping[str, float],
    *,
    steps: int = 1,
) -> None:
    """Give a network, or its head alone, its loss and its optimiser.

    Args:
        model: The network; only what is trainable now is going to move.
        spec: The run.
        data: What it learns from.
        learning_rate: Step size of the first step.
        rates: Path of a weight to what the learning rate is multiplied by for it; 1 where it is not named.
        steps: Steps that keras does in one call, without coming back for its callbacks.
    """
    import keras

    shares = data.train.shares_of > 0
    powers = [weight for weight in model.trainable_variables if LEARNT_POWER in weight.path.split("/")]
    accuracy = keras.metrics.CategoricalAccuracy if shares else keras.metrics.SparseCategoricalAccuracy
    model.compile(
        optimizer=make_optimiser(spec, learning_rate, rates, steps=steps, undecayed=powers),
        loss=make_loss(spec, data.train.counts(len(data.dataset.class_names)), shares=shares),
        metrics=[accuracy(name="accuracy")],
        # keras leaves XLA off on a CPU, where forcing it makes MobileNetV3 eight times slower.
        jit_compile="auto",
        steps_per_execution=steps,
    )
    model.optimizer.build(model.trainable_variables)
