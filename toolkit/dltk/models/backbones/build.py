"""Build a backbone in Keras: one flat graph without classifier, with the weights of its source and fixed names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.base.progress import SILENT, Progress
from dltk.models.backbones.load import assign_named, is_named, load_stock
from dltk.models.backbones.origins import Scale, Variant
from dltk.models.backbones.table import Backbone, backbone
from dltk.models.backbones.weights import WeightSource, resolve
from dltk.models.names import Names

if TYPE_CHECKING:
    import keras

__all__ = ["BuiltBackbone", "build_backbone"]


@dataclass(frozen=True)
class BuiltBackbone:
    """A backbone, ready for a head.

    Attributes:
        inputs: the input tensor, (batch, height, width, 3), scaled by `scale`.
        features: the last feature map, (batch, rows, columns, channels).
        scale: what is done to uint8 RGB before it enters.
        unfreeze_after: name of the layer after which partial unfreezing begins.
        source: where the weights came from, for people.
        channels: channels of `features`, and so of its global pooling.
        batch_norm: "after convolution", "before convolution" or "none".
        model: `inputs` to `features` as a Keras model of the same layers.
    """

    inputs: Any
    features: Any
    scale: Scale
    unfreeze_after: str
    source: str
    channels: int
    batch_norm: str
    model: Any


def build_backbone(
    name: str,
    *,
    input_shape: tuple[int, int, int],
    weights: str | Path = "imagenet",
    alpha: float = 1.0,
    seed: int = 0,
    inputs: keras.KerasTensor | None = None,
    source: WeightSource | None = None,
    progress: Progress = SILENT,
) -> BuiltBackbone:
    """Backbone `name` over images of `input_shape` (height, width, 3), float32.

    Args:
        weights, alpha: as `dltk.models.backbones.weights.resolve` takes them; unused when `source` is given.
        seed: of the random weights, and of the layers that draw at random while training.
        inputs: build upon this `keras.Input`; a new one by default.
        source: the result of `resolve`, if the data has called it already.

    Raises:
        InputError: if the shape is too small or not of three channels, or the file of weights does not fit.
        EnvironmentFault: if the weights are unavailable.
    """
    import keras

    spec = backbone(name)
    _check_shape(spec, input_shape, inputs)
    size = input_shape[0] if input_shape[0] == input_shape[1] else None
    settled = source or resolve(name, weights, alpha=alpha, size=size, progress=progress)
    if settled.backbone != name:
        raise InputError("source", f"must be of {name}", settled.backbone)
    stock = _stock(spec, input_shape, settled.alpha)
    if inputs is None:
        inputs = keras.Input(input_shape, name="image")
    rebuilt = _Rebuild(settled.variant, seed)
    model = rebuilt.over(stock, inputs)
    if settled.path is not None:
        _load(stock, model, rebuilt.pairs, settled.path)
    features = model.outputs[0]
    return BuiltBackbone(
        inputs=inputs,
        features=features,
        scale=settled.scale,
        unfreeze_after=spec.unfreeze_after,
        source=settled.title,
        channels=int(features.shape[-1]),
        batch_norm=spec.batch_norm,
        model=model,
    )


def _check_shape(spec: Backbone, shape: tuple[int, int, int], inputs: Any) -> None:
    if len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < spec.min_size:
        rule = f"{spec.name} must have an input of (height, width, 3), at least {spec.min_size} pixels each way"
        raise InputError("input_shape", rule, shape)
    if inputs is not None and tuple(inputs.shape[1:]) != tuple(shape):
        raise InputError("inputs", f"must have the shape (batch, {', '.join(map(str, shape))})", tuple(inputs.shape))


def _stock(spec: Backbone, shape: tuple[int, int, int], alpha: float) -> Any:
    """The model as `keras.applications` makes it: what every published file of weights fits."""
    import keras

    arguments = dict(spec.arguments)
    if len(spec.alphas) > 1:
        arguments["alpha"] = alpha
    make = getattr(keras.applications, spec.keras_class)
    return make(weights=None, include_top=False, input_shape=shape, **arguments)


def _load(stock: Any, model: Any, pairs: list[tuple[Any, Any]], path: Path) -> None:
    """Weights with names go to the new graph; the nameless rows of an .h5 fit the graph that they were saved from."""
    if is_named(path):
        assign_named(model, path)
        return
    load_stock(stock, path)
    for old, new in pairs:
        new.set_weights(old.get_weights())


class _Rebuild:
    """Copies a graph onto another input: nested models spliced in, `variant` applied, seeds and names made fixed."""

    def __init__(self, variant: Variant, seed: int) -> None:
        self._variant, self._seed = variant, seed
        self._names = Names()
        self.pairs: list[tuple[Any, Any]] = []  # every layer of the old graph with its copy

    def over(self, model: Any, inputs: Any) -> Any:
        import keras

        return keras.models.clone_model(
            model, input_tensors=inputs, clone_function=self._copy, call_function=self._call, recursive=False
        )

    def _copy(self, operation: Any) -> Any:
        import keras

        if isinstance(operation, keras.Sequential):
            return _Chain([self._copy(layer) for layer in operation.layers])
        config = operation.get_config() | {"name": self._names.of(operation)}
        if not isinstance(operation, keras.layers.Layer):
            return type(operation).from_config(config)
        config |= self._variant.classes.get(type(operation).__name__, {})
        config |= self._variant.layers.get(operation.name, {})
        new = type(operation).from_config(_seeded(config, f"{self._seed} {config['name']}"))
        self.pairs.append((operation, new))
        return new

    def _call(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        import keras

        if isinstance(operation, _Chain):
            (value,) = args
            for layer in operation.layers:
                value = layer(value)
            return value
        extra = self._variant.before.get(operation.name, ())
        for kind, settings in extra:
            args = (getattr(keras.layers, kind)(**settings)(args[0]), *args[1:])
        return operation(*args, **kwargs)


class _Chain:
    """The layers of a nested Sequential, called one after the other."""

    name = ""

    def __init__(self, layers: list[Any]) -> None:
        self.layers = layers


def _seeded(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`config` with every open seed in it set, each to its own number."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        inside = f"{where} {key}"
        if key == "seed" and value is None:
            found[key] = int(sha256(inside.encode())[:8], 16)
        else:
            found[key] = _seeded(value, inside) if isinstance(value, Mapping) else value
    return found
