"""Raw sample -> tensors, outputs -> answers, for each family."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

import sounds
import tiny
from dltk.base.errors import InputError
from dltk.edge.families import FAMILIES, family
from edge.signatures import AUDIO, GENERATOR, SIGNATURES


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
    answers = kind.predictions({**tensors, **outputs}, signature, top=2)
    assert len(answers) == 4
    assert all(kind.as_text(answer) and kind.as_json(answer) for answer in answers)


def test_an_unknown_family_is_an_input_error():
    with pytest.raises(InputError, match="Did you mean 'series'"):
        family("serie")


def test_one_label_a_sample():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32))
    kind = family("classification")
    (first, second) = kind.predictions({"logits": logits}, tiny.SIGNATURE, top=2)
    assert [label for label, _ in first] == ["cat", "dog"]
    assert first[0][1] == pytest.approx(0.7, abs=1e-6)  # float32 logits
    assert [label for label, _ in second] == ["owl", "cat"]  # of equal scores the earlier label
    warm = tiny.SIGNATURE.with_postprocess({"op": "softmax", "temperature": 2.0})
    assert kind.predictions({"logits": logits}, warm, top=1)[0][0][1] < 0.7
    inside = tiny.SIGNATURE.with_postprocess({"op": "identity"})
    assert kind.predictions({"logits": np.exp(logits)}, inside, top=1)[0][0][1] == pytest.approx(0.7, abs=1e-6)
    assert kind.metrics[0].scores({"logits": logits}, np.array([0, 0]), tiny.SIGNATURE).tolist() == [1.0, 0.0]


def test_several_labels_a_sample():
    signature = tiny.SIGNATURE.with_postprocess({"op": "sigmoid", "threshold": 0.6})
    outputs = {"logits": np.array([[2.0, 0.1, 3.0], [-1.0, -1.0, -800.0]], np.float32)}
    kind = family("classification")
    first, second = kind.predictions(outputs, signature, top=1)
    assert [label for label, _ in first] == ["owl", "cat"]
    assert second == []
    assert kind.as_text(second)
    targets = np.array([[1, 0, 1], [1, 0, 0]], np.float32)
    assert kind.metrics[0].scores(outputs, targets, signature).tolist() == [1.0, pytest.approx(2 / 3)]
    assert kind.metrics[1].scores(outputs, targets, signature).tolist() == [1.0, 0.0]


def test_labels_must_be_as_many_as_outputs():
    signature = replace(tiny.SIGNATURE, labels=("one",))
    with pytest.raises(InputError, match="labels"):
        family("classification").predictions({"logits": np.zeros((1, 3))}, signature, top=1)


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
    answers = kind.predictions(outputs, GENERATOR, top=1)
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
