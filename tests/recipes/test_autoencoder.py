"""The autoencoder's network: shapes that do not halve evenly, dense layers on images, an encoder alone."""

from __future__ import annotations

import pytest

from dltk.base.errors import InputError
from dltk.recipe import Contract
from dltk.recipe.load import load, resolve


def built(shape, *pairs, name="image", output=None):
    recipe = load("autoencoder")
    settings = resolve(recipe, pairs, smoke=True)
    return recipe.build(settings, Contract({name: shape}, {"restored": output or shape}))


@pytest.mark.parametrize("side", [8, 11, 13, 28])
@pytest.mark.parametrize("kind", ["auto", "dense"])
def test_any_side_comes_back(side, kind):
    found = built((side, side, 3), f"model.kind={kind}", "model.filters=4,8,8")
    assert found.model.output.shape == (None, side, side, 3)
    assert found.preprocess[0]["multiply"] == [1 / 255] * 3
    assert not found.parts


def test_a_row_comes_back_through_the_code():
    found = built((5,), "model.code=2", name="row")
    assert found.model.output.shape == (None, 5)
    assert found.model.get_layer("code").output.shape == (None, 2)
    assert found.preprocess == ()
    with pytest.raises(InputError, match=r"model\.kind: must be dense for rows"):
        built((5,), "model.kind=convolutional", name="row")


def test_codes_come_from_the_encoder_alone():
    found = built((12, 12, 1), "use=embed", "model.code=6")
    assert found.model.output.shape == (None, 6)
    whole = found.parts["autoencoder"]
    assert whole.output.shape == (None, 12, 12, 1)
    assert {variable.path for variable in found.model.variables} < {variable.path for variable in whole.variables}
