"""Small Keras 3 models that between them hold every kind of layer dltk knows, with samples that have structure.

Weights are random but seeded, batch norm statistics too: an untrained batch norm computes nothing, and hides faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import layers as L
from keras import ops
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature, TensorSpec

CLASSES = 4


def shake(model: Any, seed: int = 0) -> Any:
    """`model` with seeded weights everywhere, statistics included."""
    generator = np.random.Generator(np.random.PCG64(seed))
    for variable in model.weights:
        if "seed" in variable.path or variable.path.endswith("count"):
            continue
        if variable.path.endswith(("gamma", "moving_variance", "variance")):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
        elif variable.path.endswith(("beta", "moving_mean", "bias", "mean")):
            variable.assign(generator.normal(0, 0.1, variable.shape))
        else:
            fan_in = max(1, int(np.prod(variable.shape[:-1])))
            variable.assign(generator.normal(0, fan_in**-0.5, variable.shape))
    return model


def samples(model: Any, count: int, seed: int = 1) -> list[NDArray[Any]]:
    """One array an input, (count, ...): images and series in a few smooth patterns, tokens at random."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return [_pattern(tensor, count, generator) for tensor in model.inputs]


def labels(count: int) -> NDArray[np.int64]:
    """The class of each of `samples`: they take turns."""
    return np.arange(count) % CLASSES


def teach(model: Any, count: int = 128) -> Any:
    """`model` with batch norm statistics of its samples, and its last layer solved for `labels` by ridge regression.

    A net with random statistics gives nearly the same answer to every sample, and no format could agree on such. Units
    are shifted until most are active: a deep random net whose units switch half the time is chaotic, so that the
    rounding of float32 alone grows to 3e-5 of the output in MobileNetV2, and a step of int8 to any answer at all.
    """
    values = samples(model, count)
    norms = [layer for layer in model.layers if isinstance(layer, L.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
        layer.beta.assign(layer.beta + 1.0)
    if norms:
        model(values if len(values) > 1 else values[0], training=True)
    head = model.layers[-1]
    features = np.asarray(keras.Model(model.input, head.input).predict(values[0], verbose=0), np.float64)
    mean, deviation = features.mean(0), features.std() + 1e-6
    wide = np.concatenate([(features - mean) / deviation, np.ones((count, 1))], 1)
    ridge = count * 0.05 * np.eye(wide.shape[1])
    solved = np.linalg.solve(wide.T @ wide + ridge, wide.T @ (np.eye(CLASSES)[labels(count)] * 4 - 1))
    kernel = solved[:-1] / deviation
    head.set_weights([kernel.astype(np.float32), (solved[-1] - mean @ kernel).astype(np.float32)])
    return model


def signature(model: Any) -> Signature:
    """The signature of a model, with tensors named after its layers."""
    outputs = zip(model.output_names, model.outputs, strict=True)
    return Signature(
        task="image-classification",
        family="classification",
        inputs=tuple(_spec(tensor.name, tensor) for tensor in model.inputs),
        outputs=tuple(_spec(f"{name}_out", tensor) for name, tensor in outputs),
    )


def feeds(model: Any, values: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Input name -> tensor."""
    return {spec.name: value for spec, value in zip(signature(model).inputs, values, strict=True)}


def expected(model: Any, values: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """What Keras gives, one array an output."""
    found = model.predict(values if len(values) > 1 else values[0], verbose=0)
    return [np.asarray(part) for part in (found if isinstance(found, (list, tuple)) else [found])]


def twin_error(model: Any, twin: Any, samples: list[NDArray[Any]]) -> tuple[float, float]:
    """(largest absolute difference, largest absolute output) of a Keras 3 model and its twin on `samples`."""
    expected, found = (_flat(candidate(samples, training=False)) for candidate in (model, twin))
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(expected, found, strict=True)]
    return max(float(np.abs(a - b).max()) for a, b in pairs), max(float(np.abs(a).max()) for a, _ in pairs)


def _flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        return [outputs[key] for key in sorted(outputs)]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def _spec(name: str, tensor: Any) -> TensorSpec:
    axes = ("batch", *(f"axis{i}" for i in range(1, len(tensor.shape))))
    return TensorSpec(name, str(tensor.dtype), tuple(tensor.shape), axes)


def _pattern(tensor: Any, count: int, generator: np.random.Generator) -> NDArray[Any]:
    shape = tuple(tensor.shape[1:])
    if "int" in str(tensor.dtype):
        return generator.integers(0, 20, (count, *shape)).astype(np.int32)
    size = [4 if side % 4 == 0 and side > 4 else side for side in shape[:-1]] + [shape[-1]]
    prototypes = np.random.Generator(np.random.PCG64(99)).uniform(-1, 1, (CLASSES, *size))
    found = prototypes[labels(count)] * 0.8 + generator.uniform(-0.2, 0.2, (count, *size))
    for axis, (small, whole) in enumerate(zip(size, shape, strict=True), start=1):
        found = np.repeat(found, whole // small, axis)
    return found.astype(np.float32)


def _conv(x: Any, filters: int, stride: int = 1, kernel: int = 3, relu: bool = True) -> Any:
    x = L.Conv2D(filters, kernel, stride, padding="same", use_bias=False)(x)
    x = L.BatchNormalization()(x)
    return L.ReLU()(x) if relu else x


def _image(side: int = 16) -> Any:
    return keras.Input((side, side, 3), name="image")


def resnet(side: int = 16, widths: tuple[int, ...] = (8, 16)) -> Any:
    """Convolutions, batch norm, residual additions."""
    image = _image(side)
    x = _conv(image, widths[0])
    for stage, width in enumerate(widths):
        short = x if stage == 0 else _conv(x, width, 2, kernel=1, relu=False)
        x = _conv(_conv(x, width, 1 if stage == 0 else 2), width, relu=False)
        x = L.ReLU()(L.Add()([x, short]))
    return keras.Model(image, L.Dense(CLASSES, name="logits")(L.GlobalAveragePooling2D()(x)))


def mobile(side: int = 32) -> Any:
    """MobileNetV2: depthwise convolutions, ReLU6, and a ZeroPadding2D before each strided one."""
    body = keras.applications.MobileNetV2(
        input_tensor=_image(side), alpha=0.35, weights=None, include_top=False, pooling="avg"
    )
    return keras.Model(body.input, L.Dense(CLASSES, name="logits")(body.output))


def squeeze() -> Any:
    """Squeeze-and-excite, hard-swish, separable and transposed convolutions, upsampling."""
    image = _image(8)
    x = L.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = L.Activation("hard_swish")(L.BatchNormalization()(x))
    gate = L.GlobalAveragePooling2D(keepdims=True)(x)
    gate = L.Conv2D(8, 1, activation="hard_sigmoid")(L.Conv2D(4, 1, activation="relu")(gate))
    x = L.BatchNormalization()(L.Multiply()([x, gate]))
    x = L.SeparableConv2D(6, 3, activation="silu")(x)
    x = L.LeakyReLU(0.1)(L.BatchNormalization()(L.Conv2DTranspose(5, 3, strides=2)(x)))
    x = L.Flatten()(L.UpSampling2D()(L.Dropout(0.3)(x)))
    return keras.Model(image, L.Dense(CLASSES, name="logits")(x))


def grouped() -> Any:
    """Convolutions in groups: of several channels, and of one (a depthwise convolution by another name)."""
    image = _image(8)
    x = L.BatchNormalization()(L.Conv2D(8, 3, padding="same", groups=2)(L.Conv2D(8, 3, padding="same")(image)))
    x = L.ReLU()(L.Conv2D(8, 3, padding="same", groups=8)(L.ReLU()(x)))
    return keras.Model(image, L.Dense(CLASSES, name="logits")(L.GlobalAveragePooling2D()(x)))


def dense_net() -> Any:
    """Concatenations, and batch norm that follows no convolution."""
    image = _image()
    x = L.Conv2D(8, 3, padding="same", use_bias=False)(image)
    for _ in range(2):
        y = L.Activation("relu")(L.BatchNormalization()(x))
        x = L.Concatenate()([x, L.Conv2D(4, 3, padding="same", use_bias=False)(y)])
    x = L.AveragePooling2D(2)(L.Activation("relu")(L.BatchNormalization()(x)))
    return keras.Model(image, L.Dense(CLASSES, name="logits")(L.GlobalAveragePooling2D()(x)))


def many() -> Any:
    """A nested model with scaling inside, used twice; two inputs whose names are out of order; two outputs."""
    layers = [keras.Input((8, 8, 3)), L.Rescaling(0.5, 0.1), L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU()]
    body = keras.Sequential(layers, name="body")
    one, two = keras.Input((8, 8, 3), name="right"), keras.Input((8, 8, 3), name="left")
    x = L.GlobalAveragePooling2D()(L.Concatenate()([body(one), body(two)]))
    return keras.Model([one, two], [L.Dense(2, name="points")(x), L.Dense(3, activation="sigmoid", name="flags")(x)])


def joined() -> Any:
    """Two inputs and a nested model with scaling inside that is used for both; one output."""
    layers = [keras.Input((8, 8, 3)), L.Rescaling(0.5, 0.1), L.Conv2D(6, 3), L.BatchNormalization(), L.ReLU()]
    body = keras.Sequential(layers, name="body")
    one, two = keras.Input((8, 8, 3), name="right"), keras.Input((8, 8, 3), name="left")
    x = L.GlobalAveragePooling2D()(L.Concatenate()([body(one), body(two)]))
    return keras.Model([one, two], L.Dense(CLASSES, name="logits")(x))


def tabular() -> Any:
    """Normalization with given statistics, a batch norm on features, a softmax at the end."""
    rows = keras.Input((6,), name="rows")
    x = L.Normalization(mean=[0.1] * 6, variance=[0.5, 1.0, 2.0, 1.0, 1.0, 1.0])(rows)
    x = L.BatchNormalization()(L.Dense(16, activation="relu")(x))
    return keras.Model(rows, L.Dense(3, activation="softmax", name="answer")(x))


def _series(cell: Any) -> Any:
    series = keras.Input((12, 3), name="series")
    return keras.Model(series, L.Dense(CLASSES, name="logits")(cell(series)))


def lstm() -> Any:
    """One LSTM."""
    return _series(L.LSTM(6))


def sequence() -> Any:
    """A Dense layer on every step of a series."""
    return _series(keras.Sequential([L.Dense(8, activation="relu"), L.Dense(5), L.GlobalAveragePooling1D()]))


def states() -> Any:
    """An LSTM that gives its sequence and its state, read by a second one and by a layer behind that."""
    series = keras.Input((12, 3), name="series")
    steps, hidden, memory = L.LSTM(5, return_sequences=True, return_state=True)(series)
    x = L.LSTM(5)(steps, initial_state=[hidden, memory])
    return keras.Model(series, L.Dense(CLASSES)(L.Concatenate()([x, hidden])))


def started() -> Any:
    """A bidirectional LSTM that starts from states which other layers compute, and which are read again."""
    series = keras.Input((12, 3), name="series")
    average = L.GlobalAveragePooling1D()(series)
    given = [L.Dense(4)(average) for _ in range(4)]
    x = L.Bidirectional(L.LSTM(4))(series, initial_state=given)
    return keras.Model(series, L.Dense(CLASSES)(L.Concatenate()([x, *given])))


def masked() -> Any:
    """Tokens, where 0 is padding that the LSTM must skip."""
    tokens = keras.Input((10,), dtype="int32", name="tokens")
    x = L.LSTM(6)(L.Embedding(20, 8, mask_zero=True)(tokens))
    return keras.Model(tokens, L.Dense(CLASSES)(x))


def embedded() -> Any:
    """Tokens through a bidirectional GRU."""
    tokens = keras.Input((10,), dtype="int32", name="tokens")
    x = L.Bidirectional(L.GRU(5))(L.Embedding(20, 8)(tokens))
    return keras.Model(tokens, L.Dense(3, activation="softmax")(x))


def causal() -> Any:
    """One-dimensional convolutions with gelu, and a layer norm."""
    series = keras.Input((12, 3), name="series")
    x = L.LayerNormalization()(L.Conv1D(4, 3, padding="causal", activation="gelu")(series))
    x = L.BatchNormalization()(L.Conv1D(6, 3, padding="same", dilation_rate=2)(L.MaxPooling1D()(x)))
    return keras.Model(series, L.Dense(CLASSES, name="logits")(L.GlobalAveragePooling1D()(x)))


def separable() -> Any:
    """Separable, depthwise and transposed convolutions in one dimension, and a batch norm that follows none."""
    series = keras.Input((12, 3), name="series")
    x = L.DepthwiseConv1D(3, padding="same")(L.BatchNormalization()(series))
    x = L.SeparableConv1D(6, 3, padding="same", activation="relu")(x)
    x = L.Conv1DTranspose(5, 3, strides=2)(L.PReLU(shared_axes=(1,))(x))
    return keras.Model(series, L.Dense(CLASSES, name="logits")(L.GlobalAveragePooling1D()(x)))


def scaled() -> Any:
    """ConvNeXt's block: depthwise convolution, layer norm, LayerScale, residual."""
    from keras.src.applications.convnext import LayerScale

    image = _image(8)
    x = L.DepthwiseConv2D(3, padding="same")(image)
    x = L.Dense(3)(L.Dense(12, activation="gelu")(L.LayerNormalization(epsilon=1e-6)(x)))
    x = L.Add()([LayerScale(0.5, 3)(x), image])
    return keras.Model(image, L.Dense(CLASSES)(L.GlobalAveragePooling2D()(x)))


def attention() -> Any:
    """Self-attention with a residual and a layer norm."""
    series = keras.Input((6, 8), name="series")
    x = L.LayerNormalization()(L.Add()([series, L.MultiHeadAttention(2, 4)(series, series)]))
    return keras.Model(series, L.Dense(CLASSES)(L.Flatten()(x)))


def shared() -> Any:
    """One convolution and one batch norm used twice, and arithmetic with constants."""
    image = _image(8)
    conv, norm = L.Conv2D(3, 3, padding="same"), L.BatchNormalization()
    x = norm(conv(image)) + 0.5
    x = ops.relu(norm(conv(x)) * 2.0 - image)
    return keras.Model(image, L.Dense(CLASSES)(L.Flatten()(x)))


def frames() -> Any:
    """A layer applied to every frame."""
    video = keras.Input((4, 8, 8, 3), name="video")
    x = L.TimeDistributed(L.Conv2D(4, 3, strides=2))(video)
    x = L.SimpleRNN(5)(L.TimeDistributed(L.Flatten())(x))
    return keras.Model(video, L.Dense(CLASSES)(x))


CNNS: Mapping[str, Callable[[], Any]] = {"resnet": resnet, "mobile": mobile, "squeeze": squeeze, "dense_net": dense_net}
OTHERS: Mapping[str, Callable[[], Any]] = {
    "many": many,
    "joined": joined,
    "tabular": tabular,
    "lstm": lstm,
    "two_lstm": lambda: _series(keras.Sequential([L.LSTM(6, return_sequences=True), L.LSTM(5)])),
    "gru": lambda: _series(L.GRU(6)),
    "gru_reset_before": lambda: _series(L.GRU(6, reset_after=False)),
    "simple_rnn": lambda: _series(L.SimpleRNN(6)),
    "bidirectional": lambda: _series(L.Bidirectional(L.LSTM(4), merge_mode="sum")),
    "bidirectional_twice": lambda: _series(
        keras.Sequential([L.Bidirectional(L.LSTM(4, return_sequences=True)), L.Bidirectional(L.LSTM(3))])
    ),
    "loops": lambda: _series(keras.Sequential([L.LSTM(6, return_sequences=True), L.GRU(5)])),
    "sequence": sequence,
    "states": states,
    "started": started,
    "masked": masked,
    "embedded": embedded,
    "causal": causal,
    "separable": separable,
    "attention": attention,
    "scaled": scaled,
    "shared": shared,
    "grouped": grouped,
    "frames": frames,
}
MODELS: Mapping[str, Callable[[], Any]] = {**CNNS, **OTHERS}
