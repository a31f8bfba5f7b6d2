"""No answer is made of numbers that are not finite: one error, wherever a model answers."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import tiny
from dltk.base.errors import InputError, LimitError
from dltk.cli.main import cli
from dltk.edge import load, replay
from dltk.edge.families import Labelled, family
from dltk.edge.load import Model
from dltk.edge.play import greedy_policy
from dltk.edge.scoring import score
from dltk.export.runner import RUNNER, runner
from edge.signatures import SIGNATURES

SAYS = "must be finite numbers; received NaN or infinity, sample 1"


class Broken:
    """A session whose outputs hold one number that is none, in the second sample."""

    def __init__(self, signature, value):
        self._signature, self._value = signature, value

    def run(self, tensors):
        count = len(next(iter(tensors.values())))
        found = {spec.name: np.zeros((count, *spec.sample_shape), np.float32) for spec in self._signature.outputs}
        if count > 1:
            next(iter(found.values()))[1].flat[-1] = self._value
        return found


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", SIGNATURES)
def test_every_family_refuses_it_alike(name, value):
    signature, session = SIGNATURES[name], Broken(SIGNATURES[name], value)
    kind, model = family(name), Model(signature, None, session)
    raws = kind.synthetic(signature, count=3, seed=0)
    with pytest.raises(InputError, match=SAYS):
        model.run(kind.tensors(raws, signature))
    with pytest.raises(InputError, match=SAYS):
        model.predict_many(sources(name, raws))
    assert len(model.predict_many(sources(name, raws)[:1])) == 1
    if kind.metrics:
        with pytest.raises(InputError, match=SAYS):
            score(session, signature, Labelled(raws, np.zeros(3, np.int64)))
    if name == "policy":
        with pytest.raises(InputError, match=SAYS):
            greedy_policy(session.run, signature)(raws)


def sources(name, raws):
    """Raw samples as a user gives them."""
    if name in ("text", "generator"):
        return [raw.item() for raw in raws]
    if name == "image-text":
        return [{"image": raw["image"], "text": raw["text"].item().decode()} for raw in raws]
    return list(raws)


def test_no_command_answers(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("onnx")
    data, folder = tiny.onnx(shift=float("nan")), tmp_path / "b"
    more = {RUNNER: runner("classification")}
    tiny.write_bundle(folder, {"model.float32.onnx": data}, more=more)
    for label in tiny.LABELS:
        (tmp_path / "data" / label).mkdir(parents=True)
        image.new("RGB", (4, 4), "red").save(tmp_path / "data" / label / "a.png")
    photo = tmp_path / "data" / "cat" / "a.png"
    with pytest.raises(InputError, match="must be finite numbers"):
        load(folder).predict(photo)
    for given in ([photo], [photo, "--json"], [photo, "--out", tmp_path / "x.png"]):
        done = CliRunner().invoke(cli, ["predict", str(folder), *map(str, given)])
        assert done.exit_code == 3
        if "--json" in given:
            assert json.loads(done.stdout)["error"].startswith("must be finite numbers")
        else:
            assert done.stdout == ""
        assert "must be finite numbers" in done.stderr
        done = subprocess.run(
            [sys.executable, "-I", folder / RUNNER, *map(str, given)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
        assert "must be finite numbers" in done.stderr
    with pytest.raises(LimitError) as caught:
        replay(folder, data=tmp_path / "data")
    (found,) = caught.value.measured["artifacts"]
    assert (found["status"], found["metric"]) == ("failed", None)
    assert any("must be finite numbers" in reason for reason in found["reasons"])
