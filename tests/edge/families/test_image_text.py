"""Images with texts: what is read, what is refused, what the model is given."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import pairs
from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.data.tokenizer import train_tokenizer
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.families import family
from dltk.edge.sources.pairs import list_pairs, read_pairs

KIND = family("image-text")


@pytest.fixture(scope="module")
def signature():
    tokenizer = train_tokenizer(["I love it", "it broke at once", "does not fit"], 300)
    return Signature(
        task="image-text-classification",
        family="image-text",
        inputs=(
            TensorSpec("image", "float32", (None, 8, 8, 3), ("batch", "height", "width", "channel")),
            TensorSpec("tokens", "int32", (None, 6), ("batch", "token"), (0, 299)),
        ),
        outputs=(TensorSpec("logits", "float32", (None, 6), ("batch", "class")),),
        preprocess=(
            {"op": "decode", "mode": "RGB", "max_pixels": 10_000},
            {"op": "resize", "height": 8, "width": 8, "method": "bilinear", "fit": "stretch"},
            {"op": "text", "max_bytes": 20},
            {"op": "tokenize", "file": "tokenizer.json", "sha256": sha256(tokenizer)},
            {"op": "scale", "multiply": [1 / 255.0] * 3, "add": [0.0] * 3},
        ),
        postprocess=({"op": "softmax", "temperature": 1.0},),
        labels=pairs.LABELS,
        assets={"tokenizer.json": tokenizer},
    )


def test_the_ways_to_give_a_sample_are_one(signature, tmp_path):
    path = pairs.write(tmp_path, 12)
    picture = tmp_path / "pictures/0000.png"
    text = read_pairs(path)[0][1]
    found = KIND.read({"image": picture, "text": text}, signature)
    assert found.shape == ()
    for image in (picture.read_bytes(), str(picture), pairs.draw("cross", np.random.default_rng(0))):
        other = KIND.read({"image": image, "text": text}, signature)
        assert other.dtype == found.dtype
    as_json = json.dumps({"image": str(picture), "text": text})
    assert KIND.read(as_json, signature).tobytes() == found.tobytes()
    rows = KIND.expand(str(path), signature)
    assert len(rows) == 12
    assert KIND.read(rows[0], signature).tobytes() == found.tobytes()
    assert KIND.expand(as_json, signature) == [as_json]


def test_tensors_are_what_the_model_names(signature):
    raws = KIND.synthetic(signature, count=3, seed=0)
    both = KIND.tensors(raws, signature)
    assert (both["image"].dtype, both["image"].shape) == (np.float32, (3, 8, 8, 3))
    assert (both["tokens"].dtype, both["tokens"].shape) == (np.int32, (3, 6))
    assert both["image"].max() <= 1.0
    for spec in signature.inputs:
        alone = KIND.tensors(raws, replace(signature, inputs=(spec,)))
        assert list(alone) == [spec.name]
        assert np.array_equal(alone[spec.name], both[spec.name])


def test_long_texts_are_cut_at_a_letter(signature, tmp_path):
    pairs.write(tmp_path, 6)
    found = KIND.read({"image": tmp_path / "pictures/0000.png", "text": "ä" * 30}, signature)
    assert bytes(found["text"]).decode() == "ä" * 10


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("photo.jpg", "must be an image and a text"),
        ('{"image": "a.png"}', "must be an image and a text"),
        ('{"image": "a.png", "text": 3}', "must be an image and a text"),
        ('{"image": "a.png", "text": "x", "more": 1}', "must be an image and a text"),
        ('{"image": "a.png"', "must be valid JSON"),
        ('{"image": "none.png", "text": "x"}', r"none\.png"),
        ('{"image": "PICTURE", "text": ""}', "must hold a text"),
        ('{"image": "PICTURE", "text": "a\\u0000b"}', "must not hold a NUL"),
        ('{"image": "PICTURE", "text": "a\\ud800b"}', "must be Unicode text"),
        (7, "must be an image and a text"),
    ],
)
def test_what_is_no_sample(given, rule, signature, tmp_path):
    pairs.write(tmp_path, 6)
    if isinstance(given, str):
        given = given.replace("PICTURE", str(tmp_path / "pictures/0000.png"))
    with pytest.raises(InputError, match=rule):
        KIND.read(given, signature)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("image,text\na.png,x\n", "line 1: needs a column 'label'"),
        ("image;text;label\na.png;x;y\n", "separated by commas"),
        ("image,text,label\na.png,,y\nb.png,x,z\n", "line 2, column 'text': must hold a text"),
        ("image,text,label\n../a.png,x,y\nb.png,x,z\n", "line 2: a relative path must stay in the CSV's folder"),
        ("image,text,label\n,x,y\nb.png,x,z\n", "line 2: path must not be empty"),
        ("image,text,label\na.png,x,y\n", "needs at least two classes"),
        ("image,text,label\na.png,x,y\nb.png,x,\n", "a label must not be empty"),
        ("image,text,label\na.png,x,y\nb.png,x\n", "line 3: must have 3 cells"),
        ("image,text,label,split\na.png,x,y,later\nb.png,x,z,test\n", "line 2: split must be train"),
    ],
)
def test_what_is_no_table_of_pairs(text, rule, tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rule):
        list_pairs(path)


def test_a_folder_is_no_table_of_pairs(tmp_path):
    with pytest.raises(InputError, match="must be a CSV; received a folder"):
        list_pairs(tmp_path)


def test_own_data_is_scored_without_what_cannot_be_read(signature, tmp_path):
    path = pairs.write(tmp_path, 30)
    (tmp_path / "pictures/0003.png").write_bytes(b"none")
    found = KIND.labelled(path, signature)
    assert len(found.raws) == len(found.targets) == 29
    assert found.targets[:4].tolist() == [0, 1, 2, 4]
    assert [name for name, _ in found.skipped] == [f"{path}, line 5"]
    assert "skipped 1 of 30" in found.notes[0]
    path.write_text(path.read_text().replace("keep disc", "lose disc"))
    with pytest.raises(InputError, match="labels must be among"):
        KIND.labelled(path, signature)


def test_a_bundle_is_not_believed(signature):
    raws = KIND.synthetic(signature, count=1, seed=0)
    for number, change in ((1, {"op": "resize", "height": 10**6, "width": 8}), (2, {"op": "text", "max_bytes": "x"})):
        steps = list(signature.preprocess)
        steps[number] = change
        with pytest.raises(InputError, match=f"preprocess: {change['op']}"):
            KIND.synthetic(replace(signature, preprocess=tuple(steps)), count=1, seed=0)
    with pytest.raises(InputError, match="preprocess: tokenize: must name a file of the bundle"):
        KIND.tensors(raws, replace(signature, assets={}))
    third = TensorSpec("sound", "float32", (None, 3), ("batch", "time"))
    with pytest.raises(InputError, match="inputs: must be image and tokens"):
        KIND.tensors(raws, replace(signature, inputs=(third,)))
