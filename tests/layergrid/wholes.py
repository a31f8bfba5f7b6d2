"""Whole models that no branch can stand for: inputs, names, nesting, files, and what adopt must refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers as L
from keras import ops

import zoo
from layergrid.way import CLASSES, SETTINGS

__all__ = ["WHOLES", "Whole"]

PIXELS = ("input.check=false",)
_IMAGE = (8, 8, 3)


@dataclass(frozen=True)
class Whole:
    """A model.

    Attributes:
        says: a part of the refusal; "" where the model is adopted and exported.
        ending: of the file.
        int8: whether it is compressed to int8 and exported again, too.
    """

    make: Callable[[], Any]
    says: str = ""
    ending: str = ".keras"
    settings: tuple[str, ...] = SETTINGS
    int8: bool = False


def _head(x: Any) -> Any:
    return L.Dense(CLASSES)(L.Flatten()(x))


def _of(body: Callable[[Any], Any], shape: tuple[int | None, ...] = _IMAGE, **given: Any) -> Callable[[], Any]:
    def make() -> Any:
        image = keras.Input(shape, **given)
        return keras.Model(image, _head(body(image)))

    return make


def _conv(x: Any) -> Any:
    return L.Conv2D(4, 3)(x)


def _scaled(x: Any) -> Any:
    return L.Conv2D(4, 3)(L.Rescaling(1 / 255)(x))


def _policy(name: str) -> Callable[[], Any]:
    def make() -> Any:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(name)
        try:
            body = keras.Sequential([keras.Input(_IMAGE), L.Conv2D(4, 3), L.BatchNormalization()], name="body")
            return _of(lambda x: L.ReLU()(body(x)))()
        finally:
            keras.config.set_dtype_policy(before)

    return make


def _adapted() -> Any:
    model = _of(lambda x: L.Conv2D(4, 3, name="conv")(L.Dense(4, name="dense")(x)))()
    for name in ("conv", "dense"):
        model.get_layer(name).enable_lora(2)
    generator = keras.random.SeedGenerator(3)
    model.set_weights([keras.random.normal(weight.shape, seed=generator) * 0.3 for weight in model.get_weights()])
    return model


def _quantized() -> Any:
    model = _of(lambda x: L.Dense(4)(x))()
    model.quantize("int8")
    return model


def _called_alike() -> Any:
    """Names of layers that others' tensors would have."""
    image = keras.Input(_IMAGE, name="image")
    conv = L.Conv2D(3, 3, padding="same", activation="relu", name="conv")
    body = keras.Sequential([keras.Input(_IMAGE), L.Conv2D(3, 1, name="one", activation="hard_sigmoid")], name="body")
    x = body(conv(conv(image)))
    x = L.Conv2D(3, 1, name="conv.activation")(x)
    x = L.Conv2D(3, 1, name="conv@1", activation="tanh")(x)
    x = L.Conv2D(3, 1, name="body.one")(x)
    x = L.SeparableConv2D(3, 1, name="pair")(L.DepthwiseConv2D(1, name="pair.depthwise")(x))
    return keras.Model(image, _head(L.Conv2D(3, 1, name="conv.linear")(x)))


def _odd_names() -> Any:
    image = keras.Input(_IMAGE, name="ein Bild")
    x = L.Dense(4, name="with space")(image)
    x = L.Dense(4, name="with_space", activation="tanh")(x)
    x = L.Dense(4, name="WITH_SPACE")(L.Dense(4, name="größer:0")(L.Dense(4, name="_under")(x)))
    inner = keras.Sequential([keras.Input(x.shape[1:]), L.Dense(4, name="größer:0")], name="日本")
    return keras.Model(image, _head(inner(L.Dense(4, name="x" * 300)(x))), name="ünï côde: model")


def _shared() -> Any:
    image = keras.Input(_IMAGE)
    conv, norm = L.Conv2D(3, 3, padding="same"), L.BatchNormalization()
    inner = keras.Sequential([keras.Input(_IMAGE), L.Conv2D(3, 1), L.ReLU()])
    outer = keras.Sequential([keras.Input(_IMAGE), inner, L.Dropout(0.2), inner])
    return keras.Model(image, _head(outer(norm(conv(norm(conv(image)))))))


def _kinds() -> Any:
    """What once ended with a traceback, side by side."""
    image = keras.Input(_IMAGE)
    loops = (
        L.Bidirectional(L.LSTM(2, recurrent_activation="hard_sigmoid")),
        L.Bidirectional(L.GRU(2, activation="leaky_relu"), backward_layer=L.GRU(2, go_backwards=True)),
    )
    made = [
        L.GroupNormalization(3)(image),
        L.Activation("celu")(image),
        L.Dense(4, activation="sparsemax")(image),
        L.Dense(4, activation=L.LeakyReLU(0.1))(image),
        L.Conv2DTranspose(2, 2, strides=3)(image),
        L.Conv2DTranspose(2, (1, 3), strides=(2, 3), padding="same")(image),
        L.Conv1DTranspose(2, 1, strides=3, output_padding=1)(L.Reshape((8, 24))(image)),
        L.TimeDistributed(L.Conv1D(6, 2, groups=3))(image),
        L.ZeroPadding1D(1)(L.Reshape((8, 24))(image)),
        *(loop(L.Reshape((8, 24))(image)) for loop in loops),
    ]
    return zoo.shake(keras.Model(image, L.Dense(CLASSES)(L.Concatenate()([L.Flatten()(x) for x in made]))))


def _lstms() -> Any:
    """A loop beside LSTMs that TFLite has an operator for."""
    image = keras.Input(_IMAGE)
    steps = L.Reshape((8, 24))(image)
    made = [L.LSTM(3)(steps), L.LSTM(3, activation="gelu")(steps), L.Bidirectional(L.LSTM(2, dropout=0.2))(steps)]
    return zoo.shake(keras.Model(image, L.Dense(CLASSES)(L.Concatenate()(made))))


class Own(keras.Model):
    """A model of the user's own."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.dense = L.Dense(CLASSES)

    def call(self, x: Any) -> Any:
        """Logits."""
        return self.dense(L.Flatten()(x))


def _own() -> Any:
    model = Own()
    model(keras.ops.zeros((1, *_IMAGE)))
    return model


class Doubled(L.Layer):
    """A layer of the user's own."""

    def call(self, x: Any) -> Any:
        """Twice `x`."""
        return x * 2


def _two_outputs() -> Any:
    image = keras.Input(_IMAGE)
    return keras.Model(image, [_head(image), _head(_conv(image))])


def _two_inputs() -> Any:
    one, two = keras.Input(_IMAGE), keras.Input(_IMAGE)
    return keras.Model([one, two], _head(L.Add()([one, two])))


def _by_name() -> Any:
    image = keras.Input(_IMAGE, name="image")
    return keras.Model({"image": image}, {"logits": _head(_conv(image))})


def _masked_by_hand() -> Any:
    image = keras.Input(_IMAGE)
    x = L.Reshape((8, 24))(image)
    return keras.Model(image, _head(L.LSTM(3)(x, mask=ops.any(x > 0, axis=-1))))


_ARITHMETIC: Mapping[str, Callable[[Any], Any]] = {
    "constants": lambda x: 2.0 - (x * 3.0 + 1.0) / 2.0,
    "negative": lambda x: -x,
    "functions": lambda x: ops.relu(x) + ops.relu6(x) * ops.sigmoid(x) - ops.tanh(x) + ops.silu(x),
    "softmax": lambda x: ops.softmax(x, axis=1),
    "mean": lambda x: ops.mean(x, axis=(1, 2)),
    "mean-kept": lambda x: x - ops.mean(x, axis=-1, keepdims=True),
    "reshape": lambda x: ops.reshape(x, (-1, 64, 3)),
    "reshape-open": lambda x: ops.reshape(x, (-1, 8, 24)),
    "an-array": lambda x: x * ops.convert_to_tensor([1.0, 2.0, 3.0]),
    "swapped": lambda x: ops.divide(1.0, x + 2.0),
}
_REFUSED_ARITHMETIC: Mapping[str, Callable[[Any], Any]] = {
    "cast": lambda x: ops.cast(x, "float16"),
    "slice": lambda x: x[:, 1:],
    "concatenate": lambda x: ops.concatenate([x, x]),
    "power": lambda x: x**2,
    "einsum": lambda x: ops.einsum("bhwc,bhwd->bcd", x, x),
    "where": lambda x: ops.where(x > 0, x, 0.0),
}

WHOLES: Mapping[str, Whole] = {
    "kinds": Whole(_kinds),
    "lstms": Whole(_lstms, int8=True),
    "attention-dropout": Whole(
        _of(lambda x: (lambda y: L.MultiHeadAttention(2, 3, dropout=0.5)(y, y))(L.Reshape((8, 24))(x)))
    ),
    "uint8": Whole(_of(_scaled, dtype="uint8"), settings=PIXELS),
    "uint8-h5": Whole(_of(_scaled, dtype="uint8"), ending=".h5", settings=PIXELS),
    "int32": Whole(_of(_scaled, dtype="int32"), settings=PIXELS),
    "uint8-divided": Whole(_of(lambda x: _conv(x / 255.0), dtype="uint8"), settings=PIXELS),
    "uint8-nested": Whole(lambda: keras.Sequential([_of(_scaled, dtype="uint8")(), L.Softmax()]), settings=PIXELS),
    "uint8-overflow": Whole(
        _of(lambda x: L.Rescaling(1.0)(x + x), dtype="uint8"), "must compute the same in float32", settings=PIXELS
    ),
    "uint8-range": Whole(_of(_scaled, dtype="uint8"), "setting input.range: must be 0..255"),
    "float16-input": Whole(_of(_conv, dtype="float16")),
    "float64-input": Whole(_of(_conv, dtype="float64")),
    **{name: Whole(_policy(name)) for name in ("float16", "float64", "mixed_float16", "mixed_bfloat16")},
    "mixed-h5": Whole(_policy("mixed_float16"), ending=".h5"),
    "lora": Whole(_adapted),
    "quantized": Whole(_quantized, "must not have been quantized by Keras"),
    "called-alike": Whole(_called_alike),
    "odd-names": Whole(_odd_names),
    "odd-names-h5": Whole(_odd_names, ending=".h5"),
    "shared": Whole(_shared),
    "by-name": Whole(_by_name),
    "sequential": Whole(lambda: keras.Sequential([keras.Input(_IMAGE), _of(_conv)(), L.Softmax()])),
    "fixed-batch": Whole(_of(_conv, batch_size=4)),
    "any-size": Whole(
        _of(lambda x: L.GlobalMaxPooling2D()(_conv(x)), (None, None, 3)), settings=(*SETTINGS, "data.size=8")
    ),
    "one-side-open": Whole(
        _of(lambda x: L.GlobalMaxPooling2D()(_conv(x)), (None, 8, 3)), settings=(*SETTINGS, "data.size=8")
    ),
    **{f"ops-{name}": Whole(_of(body)) for name, body in _ARITHMETIC.items()},
    **{
        f"ops-{name}": Whole(_of(body), "must be one that dltk can rebuild")
        for name, body in _REFUSED_ARITHMETIC.items()
    },
    "softmax-axes": Whole(_of(lambda x: ops.softmax(x, axis=(1, 2))), "must run on images"),  # Keras reads a list back
    "batch-mean": Whole(_of(lambda x: x - ops.mean(x)), "for one image as for the same among others"),
    "batch-softmax": Whole(_of(L.Softmax(axis=0)), "for one image as for the same among others"),
    "subclass": Whole(_own, "must be one of Keras' own classes"),
    "own-layer": Whole(_of(Doubled()), "must be one of Keras' own classes"),
    "own-layer-h5": Whole(_of(Doubled()), "must be a whole Keras model of Keras' own layers", ".h5"),
    "lambda": Whole(_of(L.Lambda(lambda x: x * 2)), "must not hold code"),
    "lambda-h5": Whole(_of(L.Lambda(lambda x: x * 2)), "must not hold code", ".h5"),
    "lambda-inside": Whole(_of(lambda x: L.TimeDistributed(L.Lambda(lambda x: x * 2))(x)), "must not hold code"),
    "two-outputs": Whole(_two_outputs, "model: outputs: must be 1"),
    "two-inputs": Whole(_two_inputs, "must be one, a batch of RGB images"),
    "grey": Whole(_of(_conv, (8, 8, 1)), "must be one batch of RGB images"),
    "oblong": Whole(_of(_conv, (8, 6, 3)), "must be square"),
    "rank-3": Whole(_of(lambda x: L.Dense(2)(x), (8, 24)), "must be one batch of RGB images"),
    "rank-5": Whole(_of(lambda x: L.Dense(2)(x), (2, 8, 8, 3)), "must be one batch of RGB images"),
    "channels-first": Whole(_of(lambda x: L.Dense(2)(x), (3, 8, 8)), "must be one batch of RGB images"),
    "wrong-classes": Whole(
        lambda: keras.Sequential([keras.Input(_IMAGE), L.Flatten(), L.Dense(5)]), "must have the shape"
    ),
    "no-classes": Whole(lambda: keras.Sequential([keras.Input(_IMAGE), L.Conv2D(3, 1)]), "must have the shape"),
    "unbuilt": Whole(lambda: keras.Sequential([L.Flatten(), L.Dense(3)]), "known input shape"),
    "mask-by-hand": Whole(_masked_by_hand, "a mask must come from Embedding"),
    "no-layers": Whole(
        lambda: keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Softmax()]), "must have the shape"
    ),
    "infinite": Whole(_of(lambda x: L.Activation("exponential")(L.Rescaling(1000.0)(x))), "must be finite numbers"),
}
