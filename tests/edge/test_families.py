"""Raw sample -> tensors, outputs -> answers, for each family."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

import sounds
import tiny
from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.edge.families import FAMILIES, family
from dltk.edge.preprocess import image_ops
from dltk.edge.signature import Signature, TensorSpec
from edge import samples
from table_rows import LABELS, RECOMMENDATION, VALUES

SERIES = Signature(
    task="forecast",
    family="series",
    inputs=(TensorSpec("series", "float32", (None, 3, 2), ("batch", "time", "column")),),
    outputs=(TensorSpec("forecast", "float32", (None, 2, 2), ("batch", "time", "column")),),
    preprocess=(
        {"op": "window", "length": 3, "columns": ["load", "heat"]},
        {"op": "standardize", "mean": [10.0, 0.0], "std": [2.0, 0.5]},
    ),
    postprocess=({"op": "unstandardize", "mean": [10.0, 0.0], "std": [2.0, 0.5]},),
    labels=("load", "heat"),
)
GENERATOR = Signature(
    task="generate",
    family="generator",
    inputs=(TensorSpec("latent", "float32", (None, 5), ("batch", "latent")),),
    outputs=(TensorSpec("image", "float32", (None, 2, 3, 1), tiny.IMAGE_AXES, (-1.0, 1.0)),),
    preprocess=({"op": "normal", "shape": [5]},),
    postprocess=({"op": "to_uint8", "multiply": 127.5, "add": 127.5},),
)
POLICY = Signature(
    task="control",
    family="policy",
    inputs=(TensorSpec("observation", "float32", (None, 2), ("batch", "number")),),
    outputs=(TensorSpec("values", "float32", (None, 2), ("batch", "action")),),
    preprocess=({"op": "standardize", "mean": [3.0, 3.0], "std": [2.0, 1.0]},),
)
AUDIO = Signature(
    task="audio-keyword",
    family="audio",
    inputs=(TensorSpec("sound", "float32", (None, 9, 8, 1), ("batch", "time", "band", "channel")),),
    outputs=(TensorSpec("logits", "float32", (None, 2), ("batch", "class")),),
    preprocess=(
        {"op": "sound", "rate": 8000, "samples": 1600},
        {"op": "peak"},
        {
            "op": "log_mel", "rate": 8000, "frame": 256, "hop": 160, "fft": 256, "bands": 8, "low": 60.0,
            "high": 4000.0, "floor": 1e-6,
        },
        {"op": "standardize", "mean": [[-5.0]] * 8, "std": [[3.0]] * 8},
    ),
    postprocess=({"op": "softmax", "temperature": 1.0},),
    labels=("high", "low"),
)  # fmt: skip
TOKENIZER = b"""{"version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
    "added_tokens": [], "decoder": null, "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel",
    "unk_token": "[UNK]", "vocab": {"[PAD]": 0, "[UNK]": 1, "card": 2, "pin": 3, "lost": 4, "where": 5}}}"""
TEXT = Signature(
    task="text-classification",
    family="text",
    inputs=(
        TensorSpec("tokens", "int32", (None, 6), ("batch", "token"), (0, 5)),
        TensorSpec("positions", "int32", (None, 6), ("batch", "token"), (0, 6)),
    ),
    outputs=(TensorSpec("logits", "float32", (None, 2), ("batch", "class")),),
    preprocess=(
        {"op": "text", "column": "text", "label": "label", "max_bytes": 100},
        {"op": "tokenize", "file": "tokenizer.json", "sha256": sha256(TOKENIZER)},
    ),
    postprocess=({"op": "softmax"},),
    labels=("card", "pin"),
    assets={"tokenizer.json": TOKENIZER},
)
IMAGE_TEXT = Signature(
    task="image-text-classification",
    family="image-text",
    inputs=(TensorSpec("image", "float32", (None, 4, 5, 3), tiny.IMAGE_AXES), TEXT.inputs[0]),
    outputs=TEXT.outputs,
    preprocess=({"op": "decode", "mode": "RGB"}, {"op": "resize", "height": 4, "width": 5}, *TEXT.preprocess),
    postprocess=TEXT.postprocess,
    labels=TEXT.labels,
    assets=TEXT.assets,
)
SEGMENTATION = Signature(
    task="segmentation",
    family="segmentation",
    inputs=(TensorSpec("image", "float32", (None, 4, 6, 3), tiny.IMAGE_AXES),),
    outputs=(TensorSpec("logits", "float32", (None, 4, 6, 3), ("batch", "height", "width", "class")),),
    preprocess=(*image_ops(4, 6), {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}),
    postprocess=({"op": "softmax", "temperature": 1.0},),
    labels=("ground", "leaf", "fruit"),
)
SIGNATURES = {
    "classification": tiny.SIGNATURE,
    "series": SERIES,
    "generator": GENERATOR,
    "text": TEXT,
    "audio": AUDIO,
    "image-text": IMAGE_TEXT,
    "policy": POLICY,
    "recommendation": RECOMMENDATION,
    "tabular": LABELS,
    "tabular-values": VALUES,
    "segmentation": SEGMENTATION,
} | samples.SIGNATURES


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_keeps_the_rules(name):
    kind, signature = family(name), SIGNATURES[name]
    made = kind.synthetic(signature, count=4, seed=1)
    assert np.array_equal(made, kind.synthetic(signature, count=4, seed=1))
    assert not np.array_equal(made, kind.synthetic(signature, count=4, seed=2))
    tensors = kind.tensors(made, signature)
    for spec in signature.inputs:
        assert tensors[spec.name].dtype == spec.dtype
        assert tensors[spec.name].shape == (4, *spec.sample_shape)
        alone = np.concatenate([kind.tensors(made[i : i + 1], signature)[spec.name] for i in range(4)])
        assert np.array_equal(tensors[spec.name], alone)
    outputs = {spec.name: np.zeros((4, *spec.sample_shape), np.float32) for spec in signature.outputs}
    answers = kind.answers({**tensors, **outputs}, signature, top=2)
    assert len(answers) == 4
    assert all(kind.as_text(answer) and kind.as_json(answer) for answer in answers)


def test_an_unknown_family_is_an_input_error():
    with pytest.raises(InputError, match="Did you mean 'series'"):
        family("serie")


def test_one_label_a_sample():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32))
    kind = family("classification")
    (first, second) = kind.answers({"logits": logits}, tiny.SIGNATURE, top=2)
    assert [label for label, _ in first] == ["cat", "dog"]
    assert first[0][1] == pytest.approx(0.7, abs=1e-6)  # float32 logits
    assert [label for label, _ in second] == ["owl", "cat"]  # of equal scores the earlier label
    warm = tiny.SIGNATURE.with_postprocess({"op": "softmax", "temperature": 2.0})
    assert kind.answers({"logits": logits}, warm, top=1)[0][0][1] < 0.7
    inside = tiny.SIGNATURE.with_postprocess({"op": "identity"})
    assert kind.answers({"logits": np.exp(logits)}, inside, top=1)[0][0][1] == pytest.approx(0.7, abs=1e-6)
    assert kind.metrics[0].scores({"logits": logits}, np.array([0, 0]), tiny.SIGNATURE).tolist() == [1.0, 0.0]


def test_several_labels_a_sample():
    signature = tiny.SIGNATURE.with_postprocess({"op": "sigmoid", "threshold": 0.6})
    outputs = {"logits": np.array([[2.0, 0.1, 3.0], [-1.0, -1.0, -800.0]], np.float32)}
    kind = family("classification")
    first, second = kind.answers(outputs, signature, top=1)
    assert [label for label, _ in first] == ["owl", "cat"]
    assert second == []
    assert kind.as_text(second)
    targets = np.array([[1, 0, 1], [1, 0, 0]], np.float32)
    assert kind.metrics[0].scores(outputs, targets, signature).tolist() == [1.0, pytest.approx(2 / 3)]
    assert kind.metrics[1].scores(outputs, targets, signature).tolist() == [1.0, 0.0]


def test_labels_must_be_as_many_as_outputs():
    signature = replace(tiny.SIGNATURE, labels=("one",))
    with pytest.raises(InputError, match="labels"):
        family("classification").answers({"logits": np.zeros((1, 3))}, signature, top=1)


def test_a_series_is_the_last_rows_of_a_table(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,heat,load\n" + "".join(f"{t},{t / 10},{t}\n" for t in range(9)))
    raw = family("series").read(path, SERIES)
    assert raw.dtype == np.float32
    assert np.array_equal(raw, np.array([[6, 0.6], [7, 0.7], [8, 0.8]], np.float32))
    tensors = family("series").tensors(raw[None], SERIES)
    assert tensors["series"][0, 0].tolist() == pytest.approx([-2.0, 1.2])
    assert np.array_equal(family("series").read(raw, SERIES), raw)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("time,load,heat\n0,1,2\n1,2,3\n", "rows"),
        ("time,load\n0,1\n1,2\n2,3\n", "heat"),
        ("time,load,heat\n0,1,2\n1,x,3\n2,2,3\n", "line 3"),
        ("time,load,heat\n0,1,2\n1,nan,3\n2,2,3\n", "line 3"),
        ("time,load,heat\n0,1,2\n1,2\n2,2,3\n", "line 3"),
        ("time;load;heat\n0;1;2\n", "comma"),
    ],
)
def test_a_bad_series_names_its_line(tmp_path, text, place):
    path = tmp_path / "load.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=place) as caught:
        family("series").read(path, SERIES)
    assert "load.csv" in str(caught.value)


def test_a_forecast_is_in_the_datas_unit():
    outputs = {"forecast": np.array([[[0.0, 0.0], [1.0, 2.0]]], np.float32)}
    kind = family("series")
    (answer,) = kind.answers(outputs, SERIES, top=1)
    assert answer == [
        {"load": {"value": 10.0}, "heat": {"value": 0.0}},
        {"load": {"value": 12.0}, "heat": {"value": 1.0}},
    ]
    flat = {"forecast": outputs["forecast"].reshape(1, 4)}
    assert kind.answers(flat, SERIES, top=1) == [answer]
    targets = np.array([[[0.0, 0.0], [2.0, 2.0]]])  # standardized like outputs; scored in the data's unit
    assert kind.metrics[0].scores(outputs, targets, SERIES).tolist() == [0.5]


INTERVAL = {"op": "interval", "level": 0.8, "low": [[-1.0, 0.0], [-2.0, -1.0]], "high": [[0.5, 1.0], [1.0, 1.0]]}
GROWING = replace(
    SERIES,
    preprocess=(SERIES.preprocess[0], {"op": "log"}, {"op": "standardize", "mean": [1.0, 0.0], "std": [2.0, 1.0]}),
    postprocess=({"op": "unstandardize", "mean": [1.0, 0.0], "std": [2.0, 1.0]}, {"op": "exp"}),
)


def test_a_forecast_says_how_far_off_it_may_be():
    kind = family("series")
    outputs = {"forecast": np.array([[[0.0, 0.0], [1.0, 2.0]]], np.float32)}
    signature = SERIES.with_postprocess(INTERVAL, *SERIES.postprocess)
    (answer,) = kind.answers(outputs, signature, top=1)
    assert answer[0] == {
        "load": {"value": 10.0, "low": 8.0, "high": 11.0},
        "heat": {"value": 0.0, "low": 0.0, "high": 0.5},
    }
    assert answer[1]["load"] == {"value": 12.0, "low": 8.0, "high": 14.0}
    assert "load=12 [8, 14]" in kind.as_text(answer)
    flat = {"forecast": outputs["forecast"].reshape(1, 4)}
    assert kind.answers(flat, signature, top=1) == [answer]


@pytest.mark.parametrize("wrong", [{"low": [[0.0]]}, {"low": [["x", 0], [0, 0]]}, {"high": [[0.0, np.inf], [0, 0]]}])
def test_an_interval_that_does_not_fit_the_outputs_is_refused(wrong):
    signature = SERIES.with_postprocess({**INTERVAL, **wrong}, *SERIES.postprocess)
    with pytest.raises(InputError, match="postprocess: interval"):
        family("series").answers({"forecast": np.zeros((1, 2, 2), np.float32)}, signature, top=1)


def test_a_growing_series_is_seen_through_its_logarithm():
    kind, raws = family("series"), np.exp(np.array([[[1.0, 0.0], [3.0, 1.0], [5.0, 2.0]]])).astype(np.float32)
    tensors = kind.tensors(raws, GROWING)["series"]
    assert tensors[0] == pytest.approx(np.array([[0, 0], [1, 1], [2, 2]]), abs=1e-6)  # float32 of e^5 and back
    (answer,) = kind.answers({"forecast": np.array([[[0.0, 0.0], [1.0, 2.0]]])}, GROWING, top=1)
    assert answer[1]["load"]["value"] == pytest.approx(np.exp(3.0))
    assert (kind.synthetic(GROWING, count=3, seed=0) > 0).all()
    far = kind.answers({"forecast": np.full((1, 2, 2), 1e6)}, GROWING, top=1)
    assert np.isfinite(far[0][0]["load"]["value"])
    with pytest.raises(InputError, match=r"array: must hold numbers above 0.*received 0"):
        kind.read(np.zeros((3, 2)), GROWING)


def test_rows_at_predict_stand_as_far_apart_as_in_training(tmp_path):
    window = {**SERIES.preprocess[0], "time": {"column": "day", "unit": "second", "size": 86_400}}
    signature, kind = replace(SERIES, preprocess=(window, SERIES.preprocess[1])), family("series")
    path = tmp_path / "load.csv"

    def write(*days):
        path.write_text("day,load,heat\n" + "".join(f"2024-01-{day:02d},{day},1\n" for day in days))
        return path

    assert kind.read(write(1, 5, 6, 7), signature)[:, 0].tolist() == [5, 6, 7]  # the gap is older than the window
    with pytest.raises(InputError, match=r"line 4.*later than"):
        kind.read(write(5, 6, 6), signature)
    with pytest.raises(InputError, match="line 3: rows must be 1 day"):
        kind.read(write(1, 3, 5), signature)
    with pytest.raises(InputError, match=r"line 3.*must rise by"):
        kind.labelled(write(1, 5, 6, 7, 8, 9), signature)
    assert len(kind.labelled(write(1, 2, 3, 4, 5), signature).raws) == 1
    path.write_text("time,load,heat\n1,2,3\n")
    with pytest.raises(InputError, match="needs a column 'day'"):
        kind.read(path, signature)
    broken = replace(SERIES, preprocess=({**window, "time": {"column": "day"}}, SERIES.preprocess[1]))
    with pytest.raises(InputError, match="preprocess: window: time"):
        kind.read(write(1, 2, 3), broken)


def test_a_labelled_series_is_scored_in_its_own_unit(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,load,heat\n" + "".join(f"{t},{2.0**t},{t + 1}\n" for t in range(6)))
    kind = family("series")
    found = kind.labelled(path, GROWING)
    assert found.raws.shape == (len(found.targets), 3, 2) == (2, 3, 2)
    (answer, _) = kind.answers({"forecast": found.targets}, GROWING, top=1)
    assert answer[0]["load"]["value"] == pytest.approx(8.0)
    assert kind.metrics[0].scores({"forecast": found.targets}, found.targets, GROWING).tolist() == [0.0, 0.0]
    path.write_text("time,load,heat\n1,5,1\n2,5,1\n3,0,1\n4,5,1\n5,5,1\n")
    with pytest.raises(InputError, match="line 4: column 'load' must be above 0"):
        kind.labelled(path, GROWING)


def test_a_seed_gives_the_same_noise_everywhere():
    kind = family("generator")
    seeds = np.stack([kind.read("7", GENERATOR), kind.read(8, GENERATOR)])
    latent = kind.tensors(seeds, GENERATOR)["latent"]
    wanted = np.random.Generator(np.random.Philox(7)).standard_normal(5, dtype=np.float32)
    assert np.array_equal(latent[0], wanted)
    for wrong in ("x", "-1", "1.5", str(2**63)):
        with pytest.raises(InputError, match="seed"):
            kind.read(wrong, GENERATOR)


def test_generated_pictures_become_a_png():
    image = pytest.importorskip("PIL.Image")
    kind = family("generator")
    outputs = {"image": np.linspace(-1.2, 1.2, 18, dtype=np.float32).reshape(3, 2, 3, 1)}
    answers = kind.answers(outputs, GENERATOR, top=1)
    assert answers[0].dtype == np.uint8
    assert (answers[0].min(), answers[2].max()) == (0, 255)
    suffix, data = kind.as_file(answers)
    with image.open(io.BytesIO(data)) as picture:
        grid = np.asarray(picture)
    assert suffix == ".png"
    assert np.array_equal(grid[2:4, 0:3], answers[2][..., 0])


def test_recordings_are_read_and_scored_by_their_folders(tmp_path):
    for number in range(20):
        for word, pitch in (("high", 900), ("low", 300)):
            sounds.write(tmp_path / word / f"{number}.wav", sounds.tone(pitch, seed=number), rate=16_000)
    (tmp_path / "low" / "20.wav").write_bytes(b"RIFF")
    kind = family("audio")
    found = kind.labelled(tmp_path, AUDIO)
    assert found.raws.shape == (40, 1600)
    assert found.targets.tolist() == [0] * 20 + [1] * 20
    assert [name for name, _ in found.skipped] == ["low/20.wav"]
    assert np.array_equal(kind.read(tmp_path / "high/0.wav", AUDIO), found.raws[0])
    assert np.array_equal(kind.read((tmp_path / "high/0.wav").read_bytes(), AUDIO), found.raws[0])
    with pytest.raises(InputError, match=r"none\.wav"):
        kind.read(tmp_path / "none.wav", AUDIO)
    (tmp_path / "loud").mkdir()
    sounds.write(tmp_path / "loud" / "1.wav", sounds.tone(500))
    with pytest.raises(InputError, match="labels must be among high, low"):
        kind.labelled(tmp_path, AUDIO)


def _scores(masks):
    """Scores (n, height, width, 3) whose highest is at the class of each pixel."""
    return {"logits": np.eye(3, dtype=np.float32)[np.asarray(masks)]}


def test_a_mask_says_what_share_each_class_has():
    kind, mask = family("segmentation"), np.zeros((4, 6), np.uint8)
    mask[:2, :3] = 2
    (answer,) = kind.answers(_scores([mask]), SEGMENTATION, top=1)
    assert answer.shares() == {"ground": 0.75, "fruit": 0.25}
    assert kind.as_text(answer) == " 75.00%  ground\n 25.00%  fruit"
    assert kind.as_json(answer)["classes"] == mask.tolist()
    with pytest.raises(InputError, match="labels: must be 3"):
        kind.answers(_scores([mask]), replace(SEGMENTATION, labels=("one",)), top=1)
    with pytest.raises(InputError, match="outputs: must be"):
        kind.answers({"logits": np.zeros((1, 3))}, SEGMENTATION, top=1)


def test_masks_become_a_png_that_training_would_take(tmp_path):
    image = pytest.importorskip("PIL.Image")
    kind, masks = family("segmentation"), np.arange(2 * 24).reshape(2, 4, 6) % 3
    suffix, data = kind.as_file(kind.answers(_scores(masks), SEGMENTATION, top=1))
    assert suffix == ".png"
    with image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "P"
        assert picture.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]  # the first colours of PASCAL VOC
        grid = np.asarray(picture)
    assert np.array_equal(grid, np.concatenate(masks, axis=1))


def test_pixels_are_scored_a_picture():
    kind, wanted = family("segmentation"), np.zeros((2, 4, 6), np.int64)
    found = wanted.copy()
    found[0, :2] = 1  # half of the first picture is taken for another class
    by_name = {metric.name: metric.scores(_scores(found), wanted, SEGMENTATION).tolist() for metric in kind.metrics}
    assert by_name["pixel_accuracy"] == [0.5, 1.0]
    assert by_name["mean_iou_per_image"] == [0.25, 1.0]  # of ground 12 of 24 pixels, of the other none of 12


def test_labelled_masks_must_fit_the_model(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    image.fromarray(np.full((8, 12, 3), 9, np.uint8)).save(tmp_path / "images/a.png")
    image.fromarray(np.repeat(np.arange(3, dtype=np.uint8), 32).reshape(8, 12)).save(tmp_path / "masks/a.png")
    kind = family("segmentation")
    found = kind.labelled(tmp_path, SEGMENTATION)
    assert (found.raws.shape, found.targets.shape) == ((1, 4, 6, 3), (1, 4, 6))
    assert set(np.unique(found.targets)) == {0, 1, 2}
    (tmp_path / "labels.txt").write_text("ground\nfruit\nleaf\n")
    with pytest.raises(InputError, match=r"labels\.txt: must be the model's labels in their order: ground, leaf"):
        kind.labelled(tmp_path, SEGMENTATION)
    (tmp_path / "labels.txt").unlink()
    with pytest.raises(InputError, match=r"a\.png: class numbers must lie in 0\.\.1; received 2"):
        kind.labelled(tmp_path, replace(SEGMENTATION, labels=("ground", "leaf")))
