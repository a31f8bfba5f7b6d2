"""A pretrained sentence encoder with a new head: a good text classifier from few texts, or from none.

    dltk finetune text-transfer --data intents/

The head starts from the vectors of the labels' own words, so that it can classify before training: `--set
model.zero_shot=true` stops there. It is then trained on vectors that are computed once, and last together with the top
of the encoder, at a small learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

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

_SHARPNESS = 20.0  # logit of a text that says what a label says, as sentence encoders are trained with


@dataclass(frozen=True)
class Model:
    """The network."""

    weights: Literal["pretrained", "none"] = setting("pretrained", "weights of the encoder; none: random")
    blocks: int = setting(6, "number of encoder blocks to use, from the first", low=1, high=6)
    unfrozen: int = setting(2, "number of blocks, from the last, that `tune` trains", low=0, high=6)
    zero_shot: bool = setting(False, "zero-shot: no training; texts are compared with the words of each label")
    descriptions: str | None = setting(None, "CSV label,description: the text to use for a label; none: its own words")
    dropout: float = setting(0.1, "dropout before the head", low=0.0, high=0.9)


@dataclass(frozen=True)
class Settings:
    """`head` trains on the frozen encoder, then `tune` trains its top too; tune.epochs=0 skips `tune`."""

    seed: int = setting(0, "of the split, the order and dropout", low=0)
    data: TextData = field(default_factory=lambda: TextData(longest=256, tokenizer="minilm-l6"))
    model: Model = field(default_factory=Model)
    head: Fit = field(default_factory=lambda: Fit(epochs=60, batch_size=64, learning_rate=1e-2))
    tune: Fit = field(default_factory=lambda: Fit(epochs=3, batch_size=32, learning_rate=1e-4, warmup=0.3))
    calibration: Calibration = field(default_factory=Calibration)
    # Weights alone: between the norms and attentions, which stay float, int8 activations cost more than they save.
    compress: PruneAndQuantize = field(default_factory=lambda: PruneAndQuantize(("quantize:precision=dynamic",)))


def build(settings: Settings, contract: Contract) -> Built:
    """Encoder, dropout, logits."""
    import keras
    import numpy as np
    from keras import layers

    from dltk.models.backbones.sentence import build_encoder, sentence_vectors

    model = settings.model
    encoder = build_encoder(
        length=contract.input_shape[0],
        vocabulary=int(contract.input_ranges["tokens"][1]) + 1,
        blocks=model.blocks,
        weights=model.weights,
        seed=settings.seed,
    )
    x = layers.Dropout(model.dropout, seed=settings.seed, name="dropout")(encoder.vector)
    head = layers.Dense(contract.output_size, name="logits")
    whole = keras.Model(encoder.inputs, head(x), name="text")
    described = _described(contract.labels, model.descriptions)
    vectors = sentence_vectors(encoder, described, contract.assets["tokenizer.json"])
    head.set_weights([_SHARPNESS * vectors.T, np.zeros(len(vectors))])
    frozen = [name for group in encoder.blocks[: model.blocks - model.unfrozen] for name in group]
    for name in (*encoder.below, *frozen):
        whole.get_layer(name).trainable = False
    phases = [Phase("head", settings.head, frozen_through="pool")]
    if settings.tune.epochs and model.unfrozen:
        phases.append(Phase("tune", settings.tune))
    return Built(whole, () if model.zero_shot else tuple(phases), notes={"weights": encoder.source})


def _described(labels: Sequence[str], path: str | None) -> list[str]:
    """The text for each label."""
    from dltk.base.errors import InputError
    from dltk.edge.sources import read_table

    said = {label: label.replace("_", " ").replace("-", " ") for label in labels}
    if path is not None:
        table = read_table(path, required=("label", "description"))
        said |= dict(zip(table.column("label"), table.column("description"), strict=True))
        if strange := sorted(set(said) - set(labels)):
            raise InputError(path, f"labels must be among {', '.join(labels)}", strange[0])
    return [said[label] for label in labels]


recipe = Recipe(
    name="text-transfer",
    summary="A pretrained sentence encoder with a new head: for few texts per class, or none.",
    task="text-classification",
    settings=Settings(),
    build=build,
    smoke={
        "data.total": 150,
        "data.length": 8,
        "model.weights": "none",
        # Weights are of one tokenizer; random ones take any.
        "data.tokenizer": lambda settings: "train" if settings.model.weights == "none" else "minilm-l6",
        "data.vocabulary": 300,
        "model.unfrozen": 1,
        "model.blocks": lambda settings: max(1, settings.model.unfrozen),
        "head.epochs": 1,
        "tune.epochs": 1,
    },
    data=DataHint(
        layout="a CSV with the columns text and label (or data.text, data.label); or a folder with train.csv, "
        "test.csv; or one subfolder per class of .txt files",
        sample="text,label\nWhere is my card?,card_arrival\nMy PIN is blocked,pin_blocked",
        example="intents",
    ),
)
