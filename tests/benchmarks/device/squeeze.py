"""A recipe: what MobileNetV3 is made of, at a size that learns within seconds.

Convolutions, depthwise ones, squeeze-and-excite, hard-swish. The MobileNetV3 of the backbone table has no weights to
start from where there is no network, and untrained it answers the same to everything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dltk.recipes import cnn

from dltk.recipe import Built, Contract, Phase

__all__ = ["recipe"]


def build(settings: cnn.Settings, contract: Contract) -> Built:
    """Stem, two inverted bottlenecks, global average, logits."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)

    def normal(x: Any) -> Any:
        return layers.BatchNormalization(momentum=0.9)(x)  # 0.99 would need hundreds of steps to settle

    def bottleneck(x: Any, wide: int, narrow: int, stride: int) -> Any:
        y = layers.Activation("hard_silu")(normal(layers.Conv2D(wide, 1, use_bias=False)(x)))
        y = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(y)
        y = layers.Activation("hard_silu")(normal(y))
        gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
        gate = layers.Conv2D(wide, 1, activation="hard_sigmoid")(layers.Conv2D(8, 1, activation="relu")(gate))
        y = normal(layers.Conv2D(narrow, 1, use_bias=False)(layers.Multiply()([y, gate])))
        return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == narrow else y

    image = keras.Input(contract.input_shape, name="image")
    stem = normal(layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(image))
    x = layers.Activation("hard_silu")(stem)
    x = bottleneck(x, 32, 24, 2)
    x = layers.GlobalAveragePooling2D(name="pool")(bottleneck(x, 48, 24, 1))
    logits = layers.Dense(contract.output_size, name="logits")(x)
    scale = {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}
    return Built(keras.Model(image, logits, name="squeeze"), (Phase("fit", settings.fit),), (scale,))


recipe = replace(
    cnn.recipe,
    name="squeeze",
    summary="Hard-swish and squeeze-and-excite.",
    build=build,
    smoke={key: value for key, value in cnn.recipe.smoke.items() if not key.startswith("model.")},
)
