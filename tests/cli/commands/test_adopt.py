"""`dltk adopt`: plain Keras models become runs; what does not fit is said, and nothing of theirs is run."""

from __future__ import annotations

import subprocess
import sys

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from dltk.base.errors import InputError
from dltk.cli.main import cli
from dltk.models.conventions import CONVENTIONS, Input, guess_convention, is_near_chance, required_margin
from dltk.models.files.keras_file import open_keras
from dltk.run import Run

# NumPy 2 deprecates how TensorFlow and Keras hand arrays over; it is theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object` will be defined:FutureWarning"),
    # Keras says that .h5 is old; people bring such files all the same.
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]

SIDE = 8


def linear(values, targets):
    """Kernel (features, 10) and bias (10,) by least squares with a little decay: over 0.9 right, and instant."""
    features = np.concatenate([values, np.ones((len(values), 1))], axis=1)
    gram = features.T @ features + 10 * np.eye(features.shape[1])
    found = np.linalg.solve(gram, features.T @ np.eye(10)[targets])
    return found[:-1], found[-1]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One linear classifier of digits that wants pixels in -1..1, saved in several ways."""
    import keras
    from sklearn.datasets import load_digits

    pixels, targets = load_digits(return_X_y=True)
    # What dltk's own digits become: 0..16 as uint8, in -1..1, three equal channels.
    values = np.repeat(np.round(pixels * 255 / 16) / 127.5 - 1, 3, axis=1)
    fitted = linear(values, targets)
    # This one sees only what is below 0: of pixels in 0..255 or 0..1, nothing.
    dark = linear(np.maximum(-values, 0), targets)
    # This one sees the rest a hundred times weaker: of pixels in 0..255, 0.45 are right.
    dim = linear(np.where(values < 0, -values, -0.01 * values), targets)

    def model(*last, order=slice(None), softmax=False, fitted=fitted):
        layers = [keras.Input((SIDE, SIDE, 3)), *last, keras.layers.Flatten(), keras.layers.Dense(10)]
        found = keras.Sequential([*layers, *([keras.layers.Softmax()] if softmax else [])])
        dense = next(layer for layer in found.layers if isinstance(layer, keras.layers.Dense))
        kernel, bias = fitted
        dense.set_weights([kernel[:, order], bias[order]])
        return found

    folder = tmp_path_factory.mktemp("models")
    model().save(folder / "logits.keras")
    model().save(folder / "logits.h5")
    model(softmax=True).save(folder / "softmax.keras")
    model(order=slice(None, None, -1)).save(folder / "backwards.keras")
    model(keras.layers.Rescaling(-1.0), keras.layers.ReLU(), fitted=dark).save(folder / "dark.keras")
    model(keras.layers.Rescaling(-1.0), keras.layers.LeakyReLU(0.01), fitted=dim).save(folder / "dim.h5")
    model(keras.layers.Lambda(lambda x: x)).save(folder / "lambda.keras")
    model(keras.layers.Lambda(lambda x: x)).save(folder / "lambda.h5")
    keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Flatten(), keras.layers.Dense(9)]).save(
        folder / "nine.keras"
    )
    keras.Sequential([keras.Input((SIDE, SIDE, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]).save(
        folder / "grey.keras"
    )
    image, numbers = keras.Input((SIDE, SIDE, 3), name="image"), keras.Input((4,), name="numbers")
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(image), numbers])
    keras.Model([image, numbers], keras.layers.Dense(10)(joined)).save(folder / "two.keras")
    return folder


def adopt(model, run, *pairs):
    words = ["adopt", str(model), "--recipe", "cnn", "--data", "digits", "--run", str(run)]
    for pair in pairs:
        words += ["--set", pair]
    return CliRunner().invoke(cli, words)


@pytest.mark.parametrize(
    ("name", "last"), [("logits.keras", "softmax"), ("logits.h5", "softmax"), ("softmax.keras", "identity")]
)
def test_a_model_becomes_a_run(models, tmp_path, name, last):
    done = adopt(models / name, tmp_path / "run", "input.range=-1..1")
    assert done.exit_code == 0, done.output
    run = Run.open(tmp_path / "run")
    assert run.settings().data.size == SIDE  # the model's, not the recipe's 32
    assert run.signature.postprocess[-1]["op"] == last
    assert run.signature.preprocess[-1] == {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}
    assert run.read_json("metrics")["accuracy"] > 0.9
    assert run.read_json("notes")["adopted"] == name


def test_the_recipes_augmentation_is_off_until_it_is_asked_for(models, tmp_path):
    from dltk.recipe import Augment
    from dltk.recipe.load import read

    own = read("cnn").recipe.settings.augment
    assert own.flip
    assert adopt(models / "logits.keras", tmp_path / "plain", "input.range=-1..1").exit_code == 0
    assert Run.open(tmp_path / "plain").settings().augment == Augment(views=own.views)
    pairs = ("input.range=-1..1", "augment.flip=true", "augment.views=2")
    assert adopt(models / "logits.keras", tmp_path / "asked", *pairs).exit_code == 0
    assert Run.open(tmp_path / "asked").settings().augment == Augment(flip=True, views=2)


def test_a_wrong_range_is_guessed(models, tmp_path):
    done = adopt(models / "dark.keras", tmp_path / "run")
    assert done.exit_code == 3
    assert "Did you mean --set input.range=-1..1?" in done.stderr
    assert not (tmp_path / "run").exists()
    assert adopt(models / "dark.keras", tmp_path / "run", "input.check=false").exit_code == 0
    assert Run.open(tmp_path / "run").read_json("metrics")["accuracy"] < 0.3


def test_a_range_that_costs_much_is_guessed_too(models, tmp_path):
    """Far from guessing, and yet not what the model was made for."""
    done = adopt(models / "dim.h5", tmp_path / "run")
    assert done.exit_code == 3
    assert "must get pixels and labels as in its training; received accuracy" in done.stderr
    assert "Did you mean --set input.range=-1..1?" in done.stderr
    assert not (tmp_path / "run").exists()
    assert adopt(models / "dim.h5", tmp_path / "run", "input.check=false").exit_code == 0
    assert adopt(models / "dim.h5", tmp_path / "right", "input.range=-1..1").exit_code == 0


def test_what_another_reading_must_be_worth():
    assert required_margin(0.4, 256) == pytest.approx(0.2)  # a third of what is missing
    assert required_margin(0.95, 256) == pytest.approx(1 / 16)  # two deviations of 256 samples
    assert required_margin(0.5, 4) == pytest.approx(0.5)  # four samples suggest next to nothing


def test_a_wrong_label_order_is_guessed_and_can_be_set(models, tmp_path):
    done = adopt(models / "backwards.keras", tmp_path / "run", "input.range=-1..1")
    assert done.exit_code == 3
    assert "Did you mean --set data.labels=9,8,7,6,5,4,3,2,1,0?" in done.stderr
    assert not (tmp_path / "run").exists()
    done = adopt(models / "backwards.keras", tmp_path / "run", "input.range=-1..1", "data.labels=9,8,7,6,5,4,3,2,1,0")
    assert done.exit_code == 0, done.output
    assert Run.open(tmp_path / "run").read_json("metrics")["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lambda.keras", "layer 'lambda': must not hold code; received Lambda"),
        ("lambda.h5", "must not hold code; received Lambda"),
        ("nine.keras", "must have the shape (batch, 10)"),
        ("grey.keras", "must be one batch of RGB images"),
        ("two.keras", "model: inputs: must be one, a batch of RGB images; received 2: image, numbers."),
        ("none.keras", "the file must exist"),
    ],
)
def test_what_does_not_fit_is_named(models, tmp_path, name, message):
    done = adopt(models / name, tmp_path / "run")
    assert done.exit_code == 3, done.output
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["logits.keras", "logits.h5"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_bad_input(models, tmp_path, name, share):
    data = (models / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    done = adopt(tmp_path / name, tmp_path / "run")
    assert done.exit_code == 3, done.output
    assert name in done.stderr


def test_other_files_and_folders_are_refused(models, tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"x")
    assert "must be a .keras or .h5 file" in adopt(tmp_path / "model.pkl", tmp_path / "run").stderr
    (saved := tmp_path / "saved").mkdir()
    assert "received a folder. Save the model with model.save(" in adopt(saved, tmp_path / "run").stderr
    (saved / "saved_model.pb").touch()
    assert "received a SavedModel. Save the model with model.save(" in adopt(saved, tmp_path / "run").stderr
    (begun := tmp_path / "runs" / "a run").mkdir(parents=True)
    (begun / "recipe.json").touch()
    done = adopt(begun, begun)  # a run of its own name would stand there: that is not what is wrong
    assert f"received a run. Use it with `dltk compress '{begun}'` or `dltk export '{begun}'`." in done.stderr
    with h5py.File(tmp_path / "weights.h5", "w") as opened:
        opened["kernel"] = np.zeros(3)
    assert "weights only" in adopt(tmp_path / "weights.h5", tmp_path / "run").stderr


def test_an_h5_file_of_keras_2_is_opened(tmp_path):
    """With the settings that Keras 2 wrote beside its own, and that Keras 3 would refuse."""
    import tf_keras
    from tf_keras import layers

    image = tf_keras.Input((SIDE, SIDE, 3))
    x = layers.RandomFlip("horizontal")(image)
    for layer in (
        layers.DepthwiseConv2D(3),
        layers.BatchNormalization(),
        layers.SpatialDropout2D(0.1),
        layers.SeparableConv2D(4, 3),
        layers.Conv2DTranspose(4, 3),
        layers.Flatten(),
        layers.Dense(10),
    ):
        x = layer(x)
    old = tf_keras.Model(image, x)
    old.save(tmp_path / "old.h5")
    before = (tmp_path / "old.h5").read_bytes()
    found = open_keras(tmp_path / "old.h5")
    images = np.random.Generator(np.random.PCG64(0)).uniform(0, 255, (4, SIDE, SIDE, 3)).astype(np.float32)
    outputs = np.asarray(found(images, training=False))  # a warning here would be an error
    expected = np.asarray(old(images, training=False))
    # The same float32 sums in the same kernels; what remains is their order.
    assert np.abs(outputs - expected).max() <= 1e-5 * max(1, np.abs(expected).max())
    assert (tmp_path / "old.h5").read_bytes() == before


def test_an_h5_file_of_keras_2_with_recurrent_layers_is_opened(tmp_path):
    """Their settings say time_major, also inside of a wrapper."""
    import tf_keras
    from tf_keras import layers

    series = tf_keras.Input((6, 3))
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(series)
    x = layers.SimpleRNN(4, return_sequences=True)(x)
    old = tf_keras.Model(series, layers.GRU(4, reset_after=False)(x))
    old.save(tmp_path / "old.h5")
    values = np.random.Generator(np.random.PCG64(0)).normal(size=(5, 6, 3)).astype(np.float32)
    found = np.asarray(open_keras(tmp_path / "old.h5")(values, training=False))
    assert np.abs(found - np.asarray(old(values, training=False))).max() <= 1e-6  # outputs lie in -1..1


@pytest.mark.parametrize("name", ["old.h5", "old.keras"])
def test_hard_sigmoid_of_keras_2_is_another_function(tmp_path, name):
    """Keras 3 would open it and compute with its own, 0.07 off at 1.8."""
    import keras
    import tf_keras

    for made, layer in (
        (tf_keras.layers.Activation("hard_sigmoid", name="gate"), "gate"),
        (tf_keras.layers.Bidirectional(tf_keras.layers.GRU(2, recurrent_activation="hard_sigmoid", name="g")), "g"),
    ):
        tf_keras.Sequential([tf_keras.layers.InputLayer((6, 3)), made]).save(tmp_path / name)
        with pytest.raises(InputError, match=rf"layer '{layer}': must not use hard_sigmoid: .* Train it with"):
            open_keras(tmp_path / name)
    keras.Sequential([keras.Input((6, 3)), keras.layers.Activation("hard_sigmoid")]).save(tmp_path / name)
    open_keras(tmp_path / name)


def test_a_setting_that_says_something_is_not_dropped(tmp_path):
    import tf_keras

    tf_keras.Sequential([tf_keras.layers.InputLayer((SIDE, SIDE, 4)), tf_keras.layers.DepthwiseConv2D(3)]).save(
        tmp_path / "old.h5"
    )
    with h5py.File(tmp_path / "old.h5", "a") as opened:
        opened.attrs["model_config"] = opened.attrs["model_config"].replace('"groups": 1', '"groups": 2')
    with pytest.raises(InputError, match=r"old\.h5: .* Unrecognized keyword arguments .*'groups': 2"):
        open_keras(tmp_path / "old.h5")


def test_weights_out_of_another_file_are_refused(models, tmp_path):
    """HDF5 may keep the values of a data set elsewhere; Keras 3 refuses it, and this holds it to that."""
    (tmp_path / "elsewhere.bin").write_bytes(bytes(10_000))
    path = tmp_path / "linked.h5"
    path.write_bytes((models / "logits.h5").read_bytes())
    with h5py.File(path, "a") as opened:
        names = []
        opened["model_weights"].visit(names.append)
        name = next(name for name in names if name.endswith("kernel"))
        shape = opened["model_weights"][name].shape
        del opened["model_weights"][name]
        outside = [(str(tmp_path / "elsewhere.bin"), 0, h5py.h5f.UNLIMITED)]
        opened["model_weights"].create_dataset(name, shape, "f4", external=outside)
    done = adopt(path, tmp_path / "run", "input.range=-1..1")
    assert done.exit_code == 3
    assert "must not read data out of other files; received dataset 'kernel'" in done.stderr
    assert not (tmp_path / "run").exists()


def test_links_out_of_an_h5_file_are_refused(models, tmp_path):
    path = tmp_path / "linked.h5"
    path.write_bytes((models / "logits.h5").read_bytes())
    with h5py.File(path, "a") as opened:
        opened["model_weights/elsewhere"] = h5py.ExternalLink("/etc/hostname", "/x")
    done = adopt(path, tmp_path / "run")
    assert done.exit_code == 3
    assert "must not link to other files or places; received ExternalLink" in done.stderr


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("input.rnge=0..1", "setting input.rnge: is not known. Did you mean 'input.range'?"),
        ("input.range=0..2", "must be one of 0..255, 0..1, -1..1, imagenet, caffe; received 0..2"),
        ("data.size=32", "must be 8, the size of the model's input; received 32"),
        ("data.labels=a,b", "data.labels: must name each of"),
    ],
)
def test_wrong_settings(models, tmp_path, pair, message):
    done = adopt(models / "logits.keras", tmp_path / "run", pair)
    assert done.exit_code == 3
    assert message in done.stderr


def test_only_classifiers_are_adopted(models, tmp_path):
    words = ["adopt", str(models / "logits.keras"), "--recipe", "forecast", "--run", str(tmp_path / "run")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 3
    assert "adopt takes image classifiers" in done.stderr


def test_what_is_cut_short_leaves_nothing_in_the_way(models, tmp_path, monkeypatch):
    """Neither an interrupt nor a kill: what a killed process left beside the run is swept by the next one."""
    module = sys.modules["dltk.workflows.adopt"]
    finish, built = module.finish_run, []

    def dying(run, *given, **named):
        finish(run, *given, **named)
        built.append(run.path)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "finish_run", dying)
    assert adopt(models / "logits.keras", tmp_path / "run", "input.range=-1..1").exit_code == 130
    assert built[0].parent == tmp_path
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(module, "finish_run", finish)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f".dltk-{ended.pid}-left"  # as SIGKILL leaves it
    left.mkdir()
    (left / "data.json").write_text("{}")
    assert adopt(models / "logits.keras", tmp_path / "run", "input.range=-1..1").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert Run.open(tmp_path / "run").name == "run"
    done = adopt(models / "logits.keras", tmp_path / "run", "input.range=-1..1")
    assert done.exit_code == 3
    assert "Give another --run." in done.stderr
    assert "--resume" not in done.stderr


def test_a_model_of_any_size_that_does_badly_is_told_at_which_it_was_judged(tmp_path):
    import keras

    layers = [keras.Input((None, None, 3)), keras.layers.GlobalMaxPooling2D(), keras.layers.Dense(10)]
    keras.Sequential(layers).save(tmp_path / "any.keras")
    done = adopt(tmp_path / "any.keras", tmp_path / "run", "data.size=16")
    assert done.exit_code == 3, done.output
    assert "and got 16 x 16: set the size of its training with --set data.size=SIZE. --set input.check" in done.stderr


def test_near_chance():
    assert is_near_chance(0.1, 10, 256)
    assert is_near_chance(0.0, 2, 256)
    assert not is_near_chance(0.3, 10, 256)
    assert is_near_chance(0.55, 2, 256)
    assert not is_near_chance(0.7, 2, 256)


@pytest.mark.parametrize("true", [Input(r, c) for r in CONVENTIONS for c in ("rgb", "bgr")])
def test_the_convention_a_model_was_made_for_is_found(true):
    """A stand-in that answers rightly under one convention and always the same under the others."""
    targets = np.arange(256) % 4

    def predict(wanted):
        return np.eye(4)[targets if wanted == true else np.zeros(256, int)]

    found = guess_convention(predict, targets, ("a", "b", "c", "d"), Input())
    assert found.accuracy == 1.0
    changed = [pair for pair in found.pairs if pair.startswith("input.")]
    wanted = [f"input.range={true.range}"] * (true.range != "0..255") + ["input.channels=bgr"] * (
        true.channels == "bgr"
    )
    assert changed == wanted


def test_conventions_are_what_their_names_say():
    from dltk.edge.input.preprocess import apply_ops

    ends = np.array([[[[0, 0, 0], [255, 255, 255]]]], np.uint8)
    for name, low, high in (("0..1", 0, 1), ("-1..1", -1, 1), ("0..255", 0, 255)):
        found = apply_ops(ends, Input(name).ops())
        assert found[0, 0, :, 0] == pytest.approx([low, high], abs=1e-6)  # float32 rounding of 255 / 255
    caffe = apply_ops(np.array([[[[10, 20, 30]]]], np.uint8), Input("caffe", "bgr").ops())
    assert caffe.ravel() == pytest.approx([30 - 103.939, 20 - 116.779, 10 - 123.68], rel=1e-6)
