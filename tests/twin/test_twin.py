"""A twin computes what its Keras 3 model computes."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo
from dltk.base.errors import InputError
from dltk.models.backbones.build import build_backbone
from dltk.models.backbones.table import BACKBONES
from dltk.twin.build import build, carry_back
from dltk.twin.read import read, sources
from dltk.twin.rewrite import deployed_graph

# Folding rounds once more for each weight; over a net that gives some 1e-6 of the largest value inside it.
FOLDED = 2e-5


def fed(values):
    return values if len(values) > 1 else values[0]


def assert_equal(model, twin, values, tolerance):
    difference, largest = zoo.twin_error(model, twin, fed(values))
    assert largest > 0
    assert difference <= tolerance * max(1.0, largest)


@pytest.fixture(scope="module", params=zoo.MODELS)
def model(request):
    return zoo.shake(zoo.MODELS[request.param]())


@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
class TestEveryModel:
    def test_twin_is_equal(self, model):
        """1e-6: Keras and tf_keras sum in another order here and there."""
        assert_equal(model, build(read(model)), zoo.samples(model, 5), 1e-6)

    def test_deployed_graph_is_equal(self, model):
        assert_equal(model, build(deployed_graph(read(model))), zoo.samples(model, 5), FOLDED)

    @pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
    def test_names_are_the_same_after_saving(self, model, tmp_path):
        """Ranges measured on one reading are looked up by name in the next."""
        model.save(tmp_path / "model.keras")
        again = deployed_graph(read(keras.saving.load_model(tmp_path / "model.keras")))
        once = deployed_graph(read(model))
        assert [call.outputs for call in again.calls] == [call.outputs for call in once.calls]
        assert list(again.layers) == list(once.layers)
        assert again.outputs == once.outputs

    def test_weights_can_be_carried_back(self, model):
        made = {}
        twin = build(read(model), wrap=lambda name, layer: made.setdefault(name, layer))
        generator = np.random.Generator(np.random.PCG64(5))
        for layer in made.values():
            for weight in getattr(layer, "weights", ()):
                if weight.dtype.is_floating:
                    weight.assign(weight + generator.uniform(0, 0.1, weight.shape))
        carry_back({name: layer for name, layer in made.items() if hasattr(layer, "get_weights")}, sources(model))
        assert_equal(model, twin, zoo.samples(model, 5), 1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_backbone_is_equal(name):
    """To the bit on most machines; how a sum is split over threads may move a last one."""
    spec = BACKBONES[name]
    size = max(96, spec.min_size)
    built = build_backbone(name, input_shape=(size, size, 3), weights="none", alpha=spec.alphas[0])
    model = zoo.shake(keras.Model(built.inputs, built.features))
    values = np.random.Generator(np.random.PCG64(2)).uniform(-1, 1, (2, *model.inputs[0].shape[1:])).astype("float32")
    error, largest = zoo.twin_error(model, build(read(model)), values)
    assert error <= 1e-6 * max(1.0, largest)


def test_what_cannot_be_rebuilt_is_refused_by_name():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(lambda t: t * 2, name="twice")(image)
    x = keras.layers.Conv3D(2, 1, name="deep")(keras.layers.Reshape((8, 8, 3, 1))(x))
    with pytest.raises(InputError, match=r"twice \(Lambda\), deep \(Conv3D\)"):
        read(keras.Model(image, x))


def test_a_custom_layer_is_refused():
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((4,))
    with pytest.raises(InputError, match=r"own \(Mine\)"):
        read(keras.Model(image, Mine(name="own")(image)))


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(InputError, match="must be a built Functional or Sequential model; received Mine"):
        read(Mine())
    with pytest.raises(InputError, match="must be a built"):
        read(keras.Sequential([keras.layers.Dense(2)]))


def test_a_mask_of_the_authors_own_is_refused():
    """Dropping it would compute something else without a word."""
    series, keep = keras.Input((6, 3)), keras.Input((6,), dtype="bool")
    answer = keras.layers.LSTM(4, name="memory")(series, mask=keep)
    with pytest.raises(InputError, match=r"layer memory \(LSTM\): a mask must come from"):
        read(keras.Model([series, keep], answer))


def test_channels_first_is_refused():
    image = keras.Input((3, 8, 8))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D(data_format="channels_first", name="pool")(image))
    with pytest.raises(InputError, match=r"layer pool .*channels must come last"):
        read(model)


def test_an_activation_of_the_authors_own_is_refused():
    def above(x):
        return x + 1

    row = keras.Input((4,))
    with pytest.raises(InputError, match=r"layer odd \(Dense\)"):
        build(read(keras.Model(row, keras.layers.Dense(2, activation=above, name="odd")(row))))


def test_masked_steps_change_nothing():
    model = zoo.shake(zoo.masked())
    twin = build(read(model))
    tokens = np.array([[3, 4, 5, 0, 0, 0, 0, 0, 0, 0]], np.int32)
    short = np.asarray(model(tokens))
    assert np.abs(np.asarray(twin(tokens)) - short).max() <= 1e-6
    assert np.abs(np.asarray(model(np.where(tokens == 0, 7, tokens))) - short).max() > 1e-3


def test_batch_norm_after_a_convolution_is_gone_when_deployed():
    kinds = [layer.kind for layer in deployed_graph(read(zoo.resnet())).layers.values()]
    assert "BatchNormalization" not in kinds
    assert "Affine" not in kinds


def test_the_environment_stays_as_it_was():
    """Children of this process would get tf_keras for keras."""
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); import zoo; from dltk.twin.build import build;"
        "from dltk.twin.read import read; build(read(zoo.tabular())); print(os.environ.get('TF_USE_LEGACY_KERAS'))"
    )
    here = os.path.dirname(zoo.__file__)
    done = subprocess.run([sys.executable, "-c", code, here], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
