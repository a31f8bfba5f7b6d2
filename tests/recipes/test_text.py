"""The text recipes' own choices; the whole way is in test_whole_way.py."""

from __future__ import annotations

import numpy as np
import pytest

import small
from dltk.base.errors import InputError
from dltk.data.tokenizer import train_tokenizer
from dltk.edge.input.tokens import vocabulary
from dltk.recipe import Contract
from dltk.recipe.load import load, resolve

pytestmark = small.QUIET

LABELS = ("card_arrival", "pin_blocked", "top-up")
TOKENIZER = train_tokenizer(["card arrival", "pin blocked", "top up"] * 5, 300)


def built(name, *pairs):
    recipe = load(name)
    settings = resolve(recipe, pairs, smoke=True)
    ranges = {"tokens": (0, vocabulary(TOKENIZER) - 1)}
    assets = {"tokenizer.json": TOKENIZER}
    contract = Contract({"tokens": (settings.data.length,)}, {"logits": (3,)}, ranges, LABELS, assets)
    return recipe.build(settings, contract)


@pytest.mark.parametrize(("reader", "kind"), [("gru", "GRU"), ("bilstm", "Bidirectional")])
def test_a_recurrent_reader_skips_the_padding(reader, kind):
    """A text in a short window and in a long one is the same text."""
    short, long = (built("text-classification", f"model.reader={reader}", f"data.length={size}").model
                   for size in (4, 12))  # fmt: skip
    assert kind in {type(layer).__name__ for layer in long.layers}
    long.set_weights(short.get_weights())
    tokens = np.zeros((2, 12), np.int32)
    tokens[:, :3] = [[5, 6, 7], [7, 6, 0]]
    found = [np.asarray(model(part, training=False)) for model, part in ((short, tokens[:, :4]), (long, tokens))]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)  # float32


def test_a_mean_over_a_text_takes_no_notice_of_its_padding():
    """Widths of 1: wider filters see that the text ends."""
    short, long = (built("text-classification", "model.pool=mean", "model.widths=1", f"data.length={size}").model
                   for size in (4, 12))  # fmt: skip
    long.set_weights(short.get_weights())
    tokens = np.zeros((2, 12), np.int32)
    tokens[:, :3] = [[5, 6, 7], [7, 6, 0]]
    found = [np.asarray(model(part, training=False)) for model, part in ((short, tokens[:, :4]), (long, tokens))]
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)  # padding weighs 1e-6 of a token
    assert np.isfinite(np.asarray(long(np.zeros((1, 12), np.int32), training=False))).all()


def test_convolutions_of_every_width_are_read_side_by_side():
    model = built("text-classification", "model.widths=1,3", "model.units=5").model
    assert model.get_layer("logits").get_weights()[0].shape == (10, 3)
    alone = built("text-classification", "model.widths=2", "model.units=5", "model.dropout=0").model
    assert alone.get_layer("logits").get_weights()[0].shape == (5, 3)


def test_a_label_stands_for_what_it_says_before_any_training():
    from dltk.models.backbones.sentence import build_encoder, sentence_vectors

    zero = built("text-transfer", "model.zero_shot=true", "data.length=12")
    assert zero.phases == ()
    encoder = build_encoder(length=12, vocabulary=vocabulary(TOKENIZER), blocks=1, weights="none", seed=0)
    wanted = sentence_vectors(encoder, ["card arrival", "pin blocked", "top up"], TOKENIZER)
    kernel, bias = zero.model.get_layer("logits").get_weights()
    np.testing.assert_allclose(kernel, 20 * wanted.T, atol=1e-6)
    assert not bias.any()


def test_descriptions_replace_a_labels_own_words(tmp_path):
    path = tmp_path / "said.csv"
    path.write_text("label,description\npin_blocked,card arrival\n")
    kernel, _ = built("text-transfer", f"model.descriptions={path}").model.get_layer("logits").get_weights()
    np.testing.assert_array_equal(kernel[:, 0], kernel[:, 1])
    path.write_text("label,description\npin_locked,card arrival\n")
    with pytest.raises(InputError, match="labels must be among card_arrival, pin_blocked, top-up; received pin_locked"):
        built("text-transfer", f"model.descriptions={path}")


def test_the_top_of_the_encoder_learns_last_and_the_rest_never():
    made = built("text-transfer", "model.blocks=2", "model.unfrozen=1")
    assert [(phase.name, phase.frozen_through) for phase in made.phases] == [("head", "pool"), ("tune", None)]
    trained = {weight.path.partition("/")[0] for weight in made.model.trainable_variables}
    parts = ("attention", "attention_norm", "expand", "norm", "project")
    assert trained == {"logits", *(f"block_1_{part}" for part in parts)}
    assert len(built("text-transfer", "tune.epochs=0").phases) == 1
