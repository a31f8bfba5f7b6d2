"""Every kind of student takes its teacher's tensors and answers in its form; what does not fit is refused at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import matrix
import small
import zoo
from dltk.base.errors import InputError
from dltk.compress.candidate import Candidate
from dltk.compress.distil import Distil, distil
from dltk.compress.distillation.adapters import output_activation, scaling_between, scaling_of
from dltk.compress.distillation.students import make_student
from dltk.edge.families import family
from dltk.twin.read import read

pytestmark = small.QUIET
SIDE = 8

RECIPE = '''
"""A net of one convolution that wants its pictures in its own way."""
from dataclasses import dataclass, field
from dltk.recipe import Built, DataHint, Fit, ImageData, Phase, Recipe, setting

@dataclass(frozen=True)
class Settings:
    seed: int = 0
    data: ImageData = field(default_factory=ImageData)
    padded: bool = False

def build(settings, contract):
    import keras
    from keras import layers
    keras.utils.set_random_seed(settings.seed)
    image = keras.Input(contract.input_shape, name="photo")
    x = layers.ZeroPadding2D(1)(image) if settings.padded else layers.Dropout(0.1)(image)
    x = layers.Conv2D(4, 3, activation="relu")(x)
    logits = layers.Dense(contract.output_size)(layers.GlobalAveragePooling2D()(x))
    return Built(keras.Model(image, logits), (Phase("fit", Fit()),), OPS)

recipe = Recipe("own", "one convolution", "image-classification", Settings(), build, {}, DataHint("", ""))
'''
SCALE = {"op": "scale", "multiply": [0.01, 0.02, 0.03], "add": [0.5, 0.0, -1.0]}
REVERSE = {"op": "reverse_channels"}


@pytest.fixture(scope="module")
def bench(trained, tmp_path_factory):
    return small.bench(trained.path, tmp_path_factory.mktemp("students") / "step.npz")


@pytest.fixture(scope="module")
def teacher(bench):
    return read(bench.source)


@pytest.fixture(scope="module")
def raws(bench):
    return bench.dataset.test.take(np.arange(16))


@pytest.fixture(scope="module")
def probable(bench):
    """A bench whose teacher has its softmax inside."""
    import keras

    answers = keras.layers.Softmax(name="probabilities")(bench.source.output)
    outputs = tuple(replace(spec, name="probabilities") for spec in bench.signature.outputs)
    signature = replace(bench.signature.with_postprocess({"op": "identity"}), outputs=outputs)
    return replace(bench, source=keras.Model(bench.source.inputs[0], answers), signature=signature)


def answers(model, raws, signature):
    (tensor,) = family("classification").tensors(raws, signature).values()
    return np.asarray(model(tensor, training=False).numpy())


def recipe_file(folder, *ops):
    path = folder / "own.py"
    path.write_text(RECIPE + f"\nOPS = {ops!r}\n")
    return path


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("first:re_lu_2", ("student_pool", "student_logits")),
        ("first:pool", ("pool", "student_logits")),
        ("first:re_lu_2;size=4", ("student_pool", "student_logits")),
        ("width:0.5", ("pool", "logits")),
        ("recipe:cnn;model.filters=4|8|8;model.blocks=1", ("pool", "logits")),
        ("recipe:cnn;model.filters=4|8;size=4", ("pool", "logits")),
    ],
)
def test_it_takes_and_gives_what_its_teacher_does(bench, teacher, raws, text, layers):
    made = make_student(text, teacher, bench)
    assert [tensor.name for tensor in made.inputs] == ["image"]
    assert made.count_params() <= bench.source.count_params()
    assert tuple(layer.name for layer in made.layers[-2:]) == layers
    assert answers(made, raws, bench.signature).shape == (16, 10)
    again = make_student(text, teacher, bench)
    assert [layer.name for layer in again.layers] == [layer.name for layer in made.layers]
    pairs = zip(made.get_weights(), again.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs), "the same text and seed give the same first weights"


def test_the_first_layers_are_the_teachers_own(bench, teacher, raws):
    import keras

    made = make_student("first:re_lu_2", teacher, bench)
    outputs = [keras.Model(m.inputs[0], m.get_layer("re_lu_2").output) for m in (bench.source, made)]
    found = [answers(model, raws, bench.signature) for model in outputs]
    assert np.array_equal(*found)


def test_first_layers_that_take_one_size_only_are_refused_smaller_pictures(bench):
    import keras

    from dltk.twin.read import read

    image = keras.Input((8, 8, 3), name="image")
    hidden = keras.layers.Dense(4, name="hidden")(keras.layers.Flatten()(image))
    flat = read(keras.Model(image, keras.layers.Dense(10, name="logits")(hidden)))
    assert make_student("first:hidden", flat, bench).output.shape == (None, 10)
    with pytest.raises(InputError, match="must fit images of its size"):
        make_student("first:hidden;size=4", flat, bench)


def test_a_narrow_student_has_the_teachers_largest_filters(bench, teacher):
    made = make_student("width:0.5", teacher, bench)
    kernels = [model.get_layer("conv2d_3").kernel.numpy() for model in (bench.source, made)]
    assert kernels[1].shape == (3, 3, 8, 8)  # 8 channels go in: no group is cut under 8
    norms = [np.sort(np.sqrt(np.square(kernel).sum((0, 1, 2)))) for kernel in kernels]
    np.testing.assert_array_equal(norms[1], norms[0][-8:])


@pytest.mark.parametrize(
    ("ops", "padded"), [((SCALE,), "false"), ((SCALE,), "true"), ((REVERSE, SCALE), "true"), ((SCALE, REVERSE), "true")]
)
def test_a_student_with_another_input_scale_sees_what_it_wants(bench, teacher, raws, tmp_path, ops, padded):
    """Built for its own preprocessing, it gives the same answers behind the run's."""
    from dltk.recipe.load import load

    path = recipe_file(tmp_path, *ops)
    made = make_student(f"recipe:{path};padded={padded}", teacher, bench)
    recipe = load(path)
    contract = type("Contract", (), {"input_shape": (SIDE, SIDE, 3), "output_size": 10})
    bare = recipe.build(replace(recipe.settings, padded=padded == "true"), contract).model
    reading = tuple(op for op in bench.signature.preprocess if op["op"] in ("decode", "resize"))
    wanted = answers(bare, raws, replace(bench.signature, preprocess=(*reading, *ops)))
    found = answers(made, raws, bench.signature)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())  # two ways to scale in float32


def test_a_student_of_fewer_pixels_sees_their_averages(bench, teacher):
    made = make_student("recipe:cnn;model.filters=4|8;size=4", teacher, bench)
    shrink = made.get_layer("shrink")
    assert (type(shrink).__name__, tuple(shrink.output.shape)) == ("AveragePooling2D", (None, 4, 4, 3))


TWO = '''
"""As many inputs as the data gives, each averaged; built in another order than they are given."""
from dataclasses import dataclass, field
from dltk.recipe import Built, DataHint, Fit, ImageData, Phase, Recipe

@dataclass(frozen=True)
class Settings:
    seed: int = 0
    data: ImageData = field(default_factory=ImageData)

def build(settings, contract):
    import keras
    from keras import layers
    inputs = {name: keras.Input(shape, name=name) for name, shape in reversed(contract.inputs.items())}
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(one)) for one in inputs.values()])
    return Built(keras.Model(list(inputs.values()), layers.Dense(contract.output_size)(x)), (Phase("fit", Fit()),), OPS)

recipe = Recipe("two", "averages", "image-classification", Settings(), build, {}, DataHint("", ""))
'''


@pytest.fixture
def two(tmp_path):
    """A bench whose model takes two pictures."""
    matrix.FAMILIES[matrix.Packed.name] = matrix.__name__
    made = matrix._bench("joined", zoo.shake(zoo.joined()), tmp_path / "step.npz", matrix.Watched())
    return replace(made, students=None)


def test_a_recipe_may_build_for_several_inputs(two, tmp_path):
    (tmp_path / "two.py").write_text(f"{TWO}\nOPS = ()\n")
    settings = Distil(student=f"recipe:{tmp_path / 'two.py'}", epochs=1, batch_size=16)
    made = distil(Candidate(two.source), settings, two).candidate.model
    assert [tensor.name for tensor in made.inputs] == [tensor.name for tensor in two.source.inputs] == ["right", "left"]
    assert made.get_layer("conv2d").weights[0].shape == (3, 3, 3, 4)


@pytest.mark.parametrize(
    ("student", "ops", "message"),
    [
        ("recipe:{}", (SCALE,), "student: must take several inputs as the run's preprocessing gives them"),
        ("recipe:{};size=4", (), "size=4: needs a run of one input; received the inputs right, left"),
        ("recipe:cnn", (), "builds a model with one input; received the inputs right, left"),
        ("backbone:mobilenet_v2", (), "sees one input; received the inputs right, left. Give recipe:NAME"),
    ],
)
def test_what_takes_one_input_says_so(two, tmp_path, student, ops, message):
    path = tmp_path / "two.py"
    path.write_text(f"{TWO}\nOPS = {ops!r}\n")
    with pytest.raises(InputError, match=message):
        make_student(student.format(path), read(two.source), two)


def test_scales_are_composed_in_their_order():
    ops = ({"op": "decode"}, SCALE, {"op": "standardize", "mean": [1.0, 2.0, 3.0], "std": [2.0, 2.0, 4.0]}, REVERSE)
    from dltk.edge.input.preprocess import apply_ops

    raws = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    found = scaling_of(ops, 3)
    turned = raws[..., ::-1] if found.reverse else raws
    # float32 in the pipeline, float64 here
    np.testing.assert_allclose(turned * found.multiply + found.add, apply_ops(raws, ops), atol=1e-6)
    assert not scaling_between(found, found).changes
    assert not scaling_between(found, found).reverse


def test_a_student_of_a_teacher_with_softmax_inside_has_one_too(probable, raws):
    graph = read(probable.source)
    assert output_activation(graph) == "softmax"
    for text in ("first:re_lu_2", "recipe:cnn;model.filters=4|8", "width:0.5"):
        made = make_student(text, graph, probable)
        sums = answers(made, raws, probable.signature).sum(-1)
        np.testing.assert_allclose(sums, 1, atol=1e-6)  # ten float32 numbers


def test_a_model_of_ones_own_keeps_its_layers(bench, teacher, tmp_path):
    import keras

    image = keras.Input((SIDE, SIDE, 3), name="whatever")
    own = keras.Model(image, keras.layers.Dense(10, name="out")(keras.layers.Flatten()(image)))
    own.save(tmp_path / "own.keras")
    made = make_student(str(tmp_path / "own.keras"), teacher, bench)
    assert made.inputs[0].name == "image"
    np.testing.assert_array_equal(made.get_layer("out").get_weights()[0], own.get_layer("out").get_weights()[0])


@pytest.mark.parametrize("size", [32, 64])
def test_a_backbone_gets_a_new_head(bench, teacher, size):
    """On a run of 64 x 64 pixels, at its own size or at half of it."""
    from dltk.twin.graph import GraphInput

    (spec,) = bench.signature.inputs
    wide = replace(bench.signature, inputs=(replace(spec, shape=(None, 64, 64, 3)),))
    graph = replace(teacher, inputs=(GraphInput("image", (64, 64, 3), "float32"),))
    text = f"backbone:mobilenet-v2;alpha=0.35;weights=none;size={size}"
    made = make_student(text, graph, replace(bench, signature=wide))
    assert tuple(made.outputs[0].shape) == (None, 10)
    assert ("shrink" in {layer.name for layer in made.layers}) is (size == 32)
    assert "rescale" not in {layer.name for layer in made.layers}, "both want -1..1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first", "must be first:LAYER.;size=N., width:SHARE, recipe:NAME"),
        ("frist:pool", "Did you mean 'first'"),
        ("first:re_lo_2", "layer 're_lo_2': must be one of the teacher's. Did you mean 're_lu_2'"),
        ("width:2", "must lie between 0.01 and 0.99"),
        ("width:half", "must be a number"),
        ("recipe:cn", "Did you mean 'cnn'"),
        ("recipe:forecast", "must be of the task image-classification; received forecast"),
        ("recipe:cnn;model.filter=4", "Did you mean"),
        ("first:pool;size=3", "8 pixels must be a whole multiple of it"),
        ("first:pool;alpha=1", "Did you mean|must be one of|is not known|unknown"),
        ("recipe:cnn;size=3", "8 pixels must be a whole multiple of it"),
        ("recipe:cnn;size=16", "8 pixels must be a whole multiple of it"),
        ("backbone:mobilenet-v9", "must be one that dltk knows"),
        ("backbone:mobilenet-v2;alph=1", "Did you mean 'alpha'"),
        ("backbone:mobilenet-v2;weights=none", "at least 32 pixels"),
        ("nothing.keras", "the file must exist"),
    ],
)
def test_what_cannot_be_made_is_named(bench, teacher, text, message):
    with pytest.raises(InputError, match=message) as caught:
        make_student(text, teacher, bench)
    assert caught.value.where.startswith(f"--step distil:student={text}")


def test_files_that_do_not_fit_are_refused(bench, teacher, tmp_path):
    import keras
    from keras import layers

    def saved(name, shape, end):
        image = keras.Input(shape, name="image")
        keras.Model(image, end(layers.Flatten()(image))).save(tmp_path / name)
        return str(tmp_path / name)

    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"PK not a model")
    for path, message in (
        (saved("side.keras", (4, 4, 3), layers.Dense(10)), r"must have the shape \(batch, 8, 8, 3\)"),
        (saved("classes.keras", (SIDE, SIDE, 3), layers.Dense(9)), r"must have the shape \(batch, 10\)"),
        (saved("softmax.keras", (SIDE, SIDE, 3), layers.Dense(10, "softmax")), "must be linear.*received softmax"),
        (str(broken), "must be a whole .keras file"),
    ):
        with pytest.raises(InputError, match=message):
            make_student(path, teacher, bench)


def test_channels_are_turned_only_into_convolutions(bench, teacher, tmp_path):
    path = recipe_file(tmp_path, REVERSE, SCALE)
    with pytest.raises(InputError, match=r"layer dropout \(Dropout\): must be a convolution to take RGB"):
        make_student(f"recipe:{path}", teacher, bench)
    path = recipe_file(tmp_path, {"op": "normal", "shape": [8, 8, 3]})
    with pytest.raises(InputError, match="must be one multiply and one add per channel"):
        make_student(f"recipe:{path}", teacher, bench)


def test_nothing_to_cut_is_refused(bench, tmp_path):
    import keras

    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3)(image))
    with pytest.raises(InputError, match="no layer has channels to spare"):
        make_student("width:0.5", read(keras.Model(image, keras.layers.Dense(10)(x))), bench)
