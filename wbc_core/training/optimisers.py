"""How the weights follow the gradients."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

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
    spec: "RunSpec", learning_rate: float, rates: Mapping[str, float] | None = None
) -> "keras.optimizers.Optimizer":
    """The optimiser of a run.

    AdamW: Loshchilov & Hutter, ICLR 2019. Adam: Kingma & Ba, ICLR 2015. SGD with Nesterov's momentum:
    Sutskever et al., ICML 2013. Lion: Chen et al. 2023, arXiv:2302.06675; its steps are larger, so that a
    third of AdamW's rate fits.

    Args:
        spec: The run.
        learning_rate: Step size of the first step.
        rates: Path of a weight to what the learning rate is multiplied by for it; 1 where it is not named.
    """
    import keras

    name, own = _CLASSES[spec.optimiser]
    optimiser_class = getattr(keras.optimizers, name)
    if rates:
        optimiser_class = _with_rates(optimiser_class, rates)
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
        optimiser.exclude_from_weight_decay(var_names=_NEVER_DECAYED)
    return optimiser


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
