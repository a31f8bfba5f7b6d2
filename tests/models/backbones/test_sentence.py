"""The sentence encoder: BERT's arithmetic, written a second time in NumPy, and padding that counts nowhere."""

from __future__ import annotations

import math

import numpy as np
import pytest

import small
import zoo
from dltk.base.errors import InputError

pytestmark = small.QUIET

LENGTH, VOCABULARY = 7, 20


@pytest.fixture(scope="module")
def encoder():
    from dltk.models.backbones.sentence import build_encoder

    return build_encoder(length=LENGTH, vocabulary=VOCABULARY, blocks=2, weights="none", seed=3)


def graph(encoder):
    import keras

    model = keras.Model(encoder.inputs, encoder.vector)
    generator = np.random.default_rng(0)
    for layer in model.layers:  # biases start at zero: with those a wrong one would not show
        if layer.name.endswith(("norm", "expand", "project", "attention")):
            layer.set_weights([w + 0.1 * generator.standard_normal(w.shape) for w in layer.get_weights()])
    return model


def positions(tokens):
    return np.where(tokens > 0, np.arange(1, tokens.shape[1] + 1), 0).astype(np.int32)


def norm(x, gamma, beta):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * gamma + beta


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def attention(x, weights):
    query, query_bias, key, key_bias, value, value_bias, out, summed = weights
    for head in range(query.shape[1]):
        q, k, v = (
            x @ kernel[:, head] + bias[head]
            for kernel, bias in ((query, query_bias), (key, key_bias), (value, value_bias))
        )
        scores = q @ k.T / math.sqrt(q.shape[1])
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        summed = summed + shares / shares.sum(-1, keepdims=True) @ v @ out[head]
    return summed


def by_hand(model, tokens):
    """The vector of one text without any padding."""
    weights = {layer.name: [w.astype(np.float64) for w in layer.get_weights()] for layer in model.layers}
    places = np.arange(1, len(tokens) + 1)
    x = weights["token_embedding"][0][tokens] + weights["position_embedding"][0][places]
    x = norm(x, *weights["embedding_norm"])
    for block in ("block_0", "block_1"):
        x = norm(x + attention(x, weights[f"{block}_attention"]), *weights[f"{block}_attention_norm"])
        kernel, bias = weights[f"{block}_expand"]
        inner = gelu(x @ kernel + bias)
        kernel, bias = weights[f"{block}_project"]
        x = norm(x + inner @ kernel + bias, *weights[f"{block}_norm"])
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_it_computes_what_bert_computes_and_padding_counts_nowhere(encoder):
    model = graph(encoder)
    texts = [[5, 6, 7], [9], [1, 2, 3, 4, 5, 6, 7]]
    tokens = np.array([text + [0] * (LENGTH - len(text)) for text in texts], np.int32)
    found = np.asarray(model([tokens, positions(tokens)], training=False))
    wanted = np.stack([by_hand(model, text) for text in texts])
    np.testing.assert_allclose(found, wanted, atol=2e-6)  # float32 against float64; entries are about 0.05
    assert np.linalg.norm(found, axis=1) == pytest.approx([1.0] * 3, abs=1e-5)


def test_its_twin_and_its_files_know_the_padding(encoder, tmp_path):
    import keras

    from dltk.twin.build import build
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    model = graph(encoder)
    model.save(tmp_path / "model.keras")
    kept = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    tokens = np.array([[5, 6, 7, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7]], np.int32)
    error, _ = zoo.twin_error(model, build(deployed_graph(read(kept))), [tokens, positions(tokens)])
    assert error <= 1e-6


def test_weights_and_vocabulary_must_belong_together():
    from dltk.models.backbones.sentence import build_encoder

    with pytest.raises(InputError, match=r"data\.tokenizer: must give 30522 tokens .* received 20"):
        build_encoder(length=8, vocabulary=20)
    with pytest.raises(InputError, match=r"data\.length: must be at most 512"):
        build_encoder(length=513, vocabulary=30522)
    with pytest.raises(InputError, match=r"model\.weights: must be pretrained or none"):
        build_encoder(length=8, vocabulary=20, weights="imagenet")
