"""The table against keras.applications: parameters, the cut, the scale."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.models.backbones.build import build_backbone
from dltk.models.backbones.convert import CONVERTERS
from dltk.models.backbones.origins import CAFFE, MEAN_STD, TF, Scale
from dltk.models.backbones.table import BACKBONES, backbone

QUICK = ("mobilenet-v2", "mobilenet-v3-small", "resnet50-v2")
REST = tuple(name for name in BACKBONES if name not in QUICK)


def scaled(pictures: np.ndarray, scale: Scale) -> np.ndarray:
    ordered = pictures[..., ::-1] if scale.reverse_channels else pictures
    return ordered.astype(np.float32) * np.float32(scale.multiply) + np.float32(scale.add)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)


def test_the_table_is_consistent():
    assert len(BACKBONES) == 12
    for name, spec in BACKBONES.items():
        assert spec.name == name == name.lower()
        assert list(spec.sizes) == sorted(spec.sizes)
        assert spec.min_size <= spec.sizes[0]
        assert 1.0 in spec.alphas
        assert spec.origins
        for origin in spec.origins:
            assert set(origin.alphas) <= set(spec.alphas)
            assert set(origin.digests) <= set(origin.alphas)
            assert (origin.package is None) == bool(origin.url)
            assert origin.package is None or origin.converter in CONVERTERS


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'mobilenet-v2'"):
        backbone("mobilenetv2")
    assert InputError.exit_code == 3


@pytest.mark.parametrize("name", QUICK)
def test_what_the_table_says_is_so(name):
    check_facts(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", REST)
def test_what_the_table_says_is_so_for_the_rest(name):
    check_facts(name)


def check_facts(name: str) -> None:
    import keras

    spec = backbone(name)
    size = max(96, spec.min_size)
    built = build_backbone(name, input_shape=(size, size, 3), weights="none", seed=1)
    assert built.model.count_params() == spec.parameters
    assert built.channels == built.features.shape[-1]
    assert not any(isinstance(layer, keras.Model) for layer in built.model.layers), "the graph is flat"
    has_norm = any(isinstance(layer, keras.layers.BatchNormalization) for layer in built.model.layers)
    assert has_norm == (spec.batch_norm != "none")

    (cut,) = [operation.output for operation in built.model.operations if operation.name == spec.unfreeze_after]
    trunk = keras.Model(built.inputs, cut)
    rest = keras.Model(cut, built.features)  # Keras refuses this where another path leads around the cut
    image = np.random.default_rng(1).normal(size=(1, size, size, 3)).astype(np.float32)
    whole = np.asarray(built.model(image))
    # The same operations in the same order: exact.
    np.testing.assert_array_equal(np.asarray(rest(trunk(image))), whole)


@pytest.mark.parametrize(
    ("module", "scale"),
    [
        ("mobilenet", TF),
        ("mobilenet_v2", TF),
        ("resnet", CAFFE),
        ("resnet_v2", TF),
        ("densenet", MEAN_STD),
        ("nasnet", TF),
        ("xception", TF),
    ],
)
def test_scales_are_those_of_preprocess_input(pictures, module, scale):
    import keras

    wanted = getattr(keras.applications, module).preprocess_input(pictures.astype(np.float32))
    # One multiplication and one addition against a division and a subtraction: a few units in the last place of 150.
    np.testing.assert_allclose(scaled(pictures, scale), wanted, atol=2e-5)


@pytest.mark.parametrize("name", ["mobilenet-v3-small", "efficientnet-v2-b0", "convnext-tiny"])
def test_scales_are_those_of_the_layers_left_out(pictures, name):
    import keras

    spec = backbone(name)
    make = getattr(keras.applications, spec.keras_class)
    model = make(weights=None, include_top=False, input_shape=(96, 96, 3), include_preprocessing=True)
    leading = []
    for layer in model.layers[1:]:
        if type(layer).__name__ not in ("Rescaling", "Normalization", "PreStem"):
            break
        leading.append(layer)
    assert leading
    wanted = keras.Model(model.input, leading[-1].output)(pictures.astype(np.float32))
    # As above; after division by a standard deviation of 0.22 the numbers stay under 3.
    np.testing.assert_allclose(scaled(pictures, spec.scale), np.asarray(wanted), atol=2e-6)
