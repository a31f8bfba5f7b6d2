"""Settings: typed, ranged, frozen, and never wrong in silence."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field
from typing import Literal

import pytest

from dltk.base.errors import InputError
from dltk.recipe import Augment, Fit, ImageData, setting
from dltk.recipe.settings import apply, as_dict, assign, describe, digest, from_dict


@dataclass(frozen=True)
class Tree:
    seed: int = setting(0, "seed", low=0)
    kind: Literal["a", "b"] = setting("a", "kind")
    name: str | None = setting(None, "name")
    sizes: tuple[int, ...] = setting((1, 2), "sizes", low=1)
    data: ImageData = field(default_factory=ImageData)
    fit: Fit = field(default_factory=Fit)
    augment: Augment = field(default_factory=Augment)


@pytest.mark.parametrize(
    ("pair", "key", "value"),
    [
        ("seed=7", "seed", 7),
        ("seed=1_000", "seed", 1000),
        ("kind=b", "kind", "b"),
        ("name=x=y", "name", "x=y"),
        ("name=none", "name", None),
        ("sizes=8,16,32", "sizes", (8, 16, 32)),
        ("sizes=", "sizes", ()),
        (" seed = 3 ", "seed", 3),
    ],
)
def test_text_becomes_the_type_of_its_field(pair, key, value):
    assert getattr(assign(Tree(), [pair]), key) == value


def test_nested_keys_and_order():
    found = assign(Tree(), ["fit.epochs=3", "augment.flip=true", "fit.learning_rate=1e-2", "fit.epochs=4"])
    assert (found.fit.epochs, found.fit.learning_rate, found.augment.flip) == (4, 0.01, True)
    assert Tree().fit.epochs == 10


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("fit.epoch=3", "setting fit.epoch: is not known. Did you mean 'fit.epochs'?"),
        ("data.sise=3", "Did you mean 'data.size'?"),
        ("fit=3", "is a group"),
        ("seed.x=3", "is a single value"),
        ("seed", "must be KEY=VALUE"),
        ("seed=1.5", "must be a whole number; received 1.5"),
        ("seed=-1", "must lie between 0 and any; received -1"),
        ("data.size=4", "must lie between 8 and 1024"),
        ("sizes=0,1", "must lie between 1 and any; received 0"),
        ("kind=c", "must be one of a, b; received c"),
        ("fit.learning_rate=nan", "must be a number"),
        ("fit.learning_rate=inf", "must be a number"),
        ("augment.flip=maybe", "must be true or false"),
    ],
)
def test_what_does_not_fit_is_named(pair, message):
    with pytest.raises(InputError) as caught:
        assign(Tree(), [pair])
    assert message in str(caught.value)


def test_apply_takes_values_that_have_their_type():
    assert apply(Tree(), {"fit.epochs": 2, "sizes": (4,)}).sizes == (4,)
    with pytest.raises(InputError, match="must be a whole number"):
        apply(Tree(), {"fit.epochs": 2.5})
    with pytest.raises(InputError, match="must be a whole number"):
        apply(Tree(), {"fit.epochs": True})


def test_round_trip_and_digest():
    changed = assign(Tree(), ["fit.epochs=3", "sizes=5", "name=x"])
    assert from_dict(Tree(), as_dict(changed)) == changed
    assert digest(changed) == digest(from_dict(Tree(), as_dict(changed))) != digest(Tree())
    with pytest.raises(InputError, match="is not known"):
        from_dict(Tree(), {"fit": {"epocs": 3}})


def test_a_tree_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Tree().seed = 1


def test_describe_gives_every_leaf_with_its_help():
    found = {leaf.key: leaf for leaf in describe(Tree())}
    assert found["kind"].kind == "one of a, b"
    assert found["fit.epochs"].value == 10
    assert all(leaf.help for leaf in found.values())
