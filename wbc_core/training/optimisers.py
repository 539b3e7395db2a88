"""How the weights follow the gradients."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

    from wbc_core.training.spec import RunSpec

_NEVER_DECAYED = ["bias", "gamma", "beta"]
"""Biases and what normalisation layers learn (He et al., Bag of tricks, CVPR 2019, section 3.1)."""

_CLASSES: dict[str, tuple[str, Callable[["RunSpec"], dict[str, Any]]]] = {
    "adamw": ("AdamW", lambda spec: {"weight_decay": spec.weight_decay}),
    "adam": ("Adam", lambda spec: {}),
    "sgd": (
        "SGD",
        lambda spec: {"weight_decay": spec.weight_decay, "momentum": spec.momentum, "nesterov": True},
    ),
    "lion": ("Lion", lambda spec: {"weight_decay": spec.weight_decay}),
}
OPTIMISERS = tuple(_CLASSES)
PRECISIONS = ("float32", "bfloat16", "float16")


def make_optimiser(
    spec: "RunSpec",
    learning_rate: float,
    rates: Mapping[str, float] | None = None,
    *,
    steps: int = 1,
    undecayed: "Sequence[keras.Variable]" = (),
) -> "keras.optimizers.Optimizer":
    """The optimiser of a run.

    AdamW: Loshchilov & Hutter, ICLR 2019. Adam: Kingma & Ba, ICLR 2015. SGD with Nesterov's momentum:
    Sutskever et al., ICML 2013. Lion: Chen et al. 2023, arXiv:2302.06675; its steps are larger, so that a
    third of AdamW's rate fits.

    Args:
        spec: The run.
        learning_rate: Step size of the first step.
        rates: Path of a weight to what the learning rate is multiplied by for it; 1 where it is not named.
        steps: Steps that keras does in one call; `set_rates` then takes a rate for each.
        undecayed: Weights that do not decay, beside biases and those of normalisation layers.
    """
    import keras

    name, own = _CLASSES[spec.optimiser]
    optimiser_class = getattr(keras.optimizers, name)
    if rates:
        optimiser_class = _with_rates(optimiser_class, rates)
    if steps > 1:
        optimiser_class = _with_coming_rates(optimiser_class, steps)
    optimiser = optimiser_class(
        learning_rate,
        **own(spec),
        global_clipnorm=spec.gradient_clipping or None,
        use_ema=spec.ema > 0,
        # Keras moves the average after every step, those that only accumulate among them.
        ema_momentum=(spec.ema or 0.99) ** (1 / spec.accumulation),
        gradient_accumulation_steps=spec.accumulation if spec.accumulation > 1 else None,
    )
    if optimiser.weight_decay:
        optimiser.exclude_from_weight_decay(var_list=undecayed, var_names=_NEVER_DECAYED)
    return optimiser


def set_rates(optimiser: "keras.optimizers.Optimizer", rates: Sequence[float]) -> None:
    """Set the learning rates of the next steps.

    Args:
        optimiser: Of `make_optimiser`.
        rates: One for each step of keras's next call, at most the `steps` that it was made for.
    """
    inner = getattr(optimiser, "inner_optimizer", optimiser)
    if hasattr(inner, "set_coming_rates"):
        inner.set_coming_rates(rates)
    else:
        inner.learning_rate = rates[0]


def _with_coming_rates(optimiser_class: Any, steps: int) -> Any:
    """The optimiser with a learning rate for each of several steps, which no callback comes between."""
    import keras

    # No attribute, so that keras does not count it as the optimiser's, and a checkpoint has the same arrays.
    coming = keras.Variable(np.zeros(steps), dtype="float32", trainable=False)

    class ComingRates(optimiser_class):  # type: ignore[misc]
        def set_coming_rates(self, rates: Sequence[float]) -> None:
            ring = np.full(steps, rates[-1])
            ring[(int(self._iterations) + np.arange(len(rates))) % steps] = rates
            coming.assign(ring)

        def _get_current_learning_rate(self) -> Any:
            return keras.ops.take(coming, self._iterations % steps)

    return ComingRates


def _with_rates(optimiser_class: Any, rates: Mapping[str, float]) -> Any:
    """The optimiser with a learning rate for each weight (ELECTRA's layer-wise decay, Clark et al. 2020)."""

    class LayerwiseRates(optimiser_class):  # type: ignore[misc]
        def build(self, variables: Any) -> None:
            self.rates = [rates.get(variable.path, 1.0) for variable in variables]
            # Keras would decay all weights at the full rate, and shrink what hardly learns.
            self.decay: float = getattr(self, "weight_decay", None) or 0.0
            self.weight_decay = None
            super().build(variables)

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            rate = learning_rate * self.rates[self._get_variable_index(variable)]
            if self.decay and self._use_weight_decay(variable):
                self.assign_sub(variable, variable * self.decay * rate)
            super().update_step(gradient, variable, rate)

    return LayerwiseRates
