"""A small text classifier, trained from scratch with its own tokenizer.

    dltk finetune text-classification --data intents/

Convolutions over the tokens' embeddings and the maximum of each over the text (Kim 2014, arXiv:1408.5882), of long
texts the mean; or a GRU (arXiv:1406.1078) or a bidirectional LSTM. It has a few hundred kilobytes; `text-transfer`
needs fewer texts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from dltk.recipe import (
    Built,
    Calibration,
    Contract,
    DataHint,
    Fit,
    Phase,
    PruneAndQuantize,
    Recipe,
    TextData,
    setting,
)

__all__ = ["recipe"]

_LONG = 128  # tokens, from which a text is pooled by the mean
_SCALE = 4.0  # of means, which are smaller than maxima
_NOTHING = 1e-6  # weight of padding in a mean: above 0, so that no text has a weight of 0


@dataclass(frozen=True)
class Model:
    """The network."""

    # The convolutions are int8 throughout in a quantized file; recurrent layers stay float there.
    reader: Literal["conv", "gru", "bilstm"] = setting("conv", "kind of the layers after the embedding")
    embedding: int = setting(128, "size of the embedding of a token", low=1, high=4096)
    units: int = setting(128, "filters of each convolution, or units of the recurrent layer", low=1, high=4096)
    widths: tuple[int, ...] = setting((1, 2, 3), "conv: kernel sizes, in tokens", low=1)
    # One sentence in a hundred decides little of a review: what counts is how often it says what.
    pool: Literal["auto", "max", "mean"] = setting(
        "auto", f"conv: maximum or mean over the text; auto: the mean from {_LONG} tokens on"
    )
    dropout: float = setting(0.5, "dropout before the last layer, and half of it after the embedding",
                             low=0.0, high=0.9)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Defaults are meant for a few thousand short texts."""

    seed: int = setting(0, "of the split, the first weights and the order", low=0)
    data: TextData = field(default_factory=TextData)
    model: Model = field(default_factory=Model)
    fit: Fit = field(
        default_factory=lambda: Fit(epochs=30, batch_size=64, learning_rate=2e-3, clip_norm=1.0, warmup=1.0, patience=6)
    )
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Embedding, convolutions or recurrent layer, dropout, logits."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)
    model, vocabulary = settings.model, int(contract.input_ranges["tokens"][1]) + 1
    # A recurrent layer must skip the padding behind a text; the maximum over a text takes no notice of it.
    masks = model.reader != "conv"
    tokens = keras.Input(contract.input_shape, dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary, model.embedding, mask_zero=masks, name="embedding")(tokens)
    if model.dropout:
        x = layers.Dropout(model.dropout / 2, seed=settings.seed)(x)
    x = _read(x, model, tokens, vocabulary)
    if model.dropout:
        x = layers.Dropout(model.dropout, seed=settings.seed + 1)(x)
    logits = layers.Dense(contract.output_size, name="logits")(x)
    return Built(keras.Model(tokens, logits, name="text"), (Phase("fit", settings.fit),))


def _read(x: Any, model: Model, tokens: Any, vocabulary: int) -> Any:
    from keras import layers

    if model.reader == "gru":
        return layers.GRU(model.units, name="gru")(x)
    if model.reader == "bilstm":
        return layers.Bidirectional(layers.LSTM(model.units), name="bilstm")(x)
    seen = [layers.Conv1D(model.units, width, padding="same", activation="relu")(x) for width in model.widths]
    if model.pool == "mean" or (model.pool == "auto" and tokens.shape[1] >= _LONG):
        return _mean(seen, tokens, vocabulary)
    pooled = [layers.GlobalMaxPooling1D()(each) for each in seen]
    return layers.Concatenate()(pooled) if len(pooled) > 1 else pooled[0]


def _mean(seen: list[Any], tokens: Any, vocabulary: int) -> Any:
    """The mean of each filter over the tokens of a text, without the padding behind it."""
    import numpy as np
    from keras import layers

    weights = np.ones((vocabulary, 1), np.float32)
    weights[0] = _NOTHING
    # A table that nothing trains: every format has look-ups.
    table = layers.Embedding(vocabulary, 1, trainable=False, name="is_token")
    real = table(tokens)
    table.set_weights([weights])
    sums = [layers.GlobalAveragePooling1D()(layers.Multiply()([each, real])) for each in seen]
    pooled = layers.Concatenate()(sums) if len(sums) > 1 else sums[0]
    share = layers.GlobalAveragePooling1D(name="share_of_tokens")(real)
    return layers.Rescaling(_SCALE, name="mean")(pooled / share)


recipe = Recipe(
    name="text-classification",
    summary="A small text classifier with its own tokenizer, trained from scratch.",
    task="text-classification",
    settings=Settings(),
    build=build,
    smoke={
        "data.total": 300,
        "data.length": 12,
        "data.vocabulary": 300,
        "model.embedding": 8,
        "model.units": 8,
        "fit.epochs": 2,
        "fit.batch_size": 16,
    },
    data=DataHint(
        layout="a CSV with the columns text and label (or data.text, data.label); or a folder with train.csv, "
        "test.csv; or one subfolder per class of .txt files",
        sample="text,label\nWhere is my card?,card_arrival\nMy PIN is blocked,pin_blocked",
        example="intents",
    ),
)
