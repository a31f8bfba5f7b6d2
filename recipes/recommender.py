"""Two towers that predict a user's next item, ranked over all items in one pass.

    dltk finetune recommender --data movielens-small

The user tower takes the user's embedding and the mean embedding of the user's newest items (Covington et al. 2016,
doi:10.1145/2959100.2959190); the item tower is one vector and one bias per item. Their products are one dense layer
over the whole catalogue: retrieval and ranking in a single exact pass, trained with a softmax over all items. There is
no second ranking network: a static graph of plain layers cannot look up candidates that it has just chosen.
"""

from __future__ import annotations

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
    TableFormat,
    setting,
)

__all__ = ["recipe"]


@dataclass(frozen=True)
class RatingsData(TableFormat):
    """Columns, ratings and histories."""

    user: str | None = setting(None, "column of the user; none: found by its name, such as userId")
    item: str | None = setting(None, "column of the item; none: found by its name, such as movieId or product_id")
    rating: str | None = setting(
        None, "column of the rating or count; none: found by its name, such as stars or plays, or every row counts"
    )
    time: str | None = setting(
        None, "column of the time; none: found by its name, such as timestamp, or by its dates; see data.order"
    )
    feedback: Literal["auto", "ratings", "counts", "events"] = setting(
        "auto",
        "ratings: on a scale; counts: of events, which add up, 0 is none; events: every row counts; auto: counts if "
        "the column is called plays, clicks, quantity or the like, else ratings",
    )
    order: Literal["auto", "rows", "drawn"] = setting(
        "auto",
        "rows: in order of time; drawn: the order is unknown, the items to predict are drawn; auto: by the time "
        "column, or the rows unless they are sorted by something else",
    )
    empty: Literal["refuse", "drop"] = setting("refuse", "rows without a user or an item: refuse or drop them")
    lowest: float = setting(0.5, "lowest valid rating; a lower one is an error")
    highest: float = setting(5.0, "highest valid rating; a higher one is an error")
    liked: float = setting(0.0, "lower ratings do not count as liked")
    length: int = setting(20, "number of newest items of a history in the model's input", low=1, high=10_000)
    half_life: float = setting(
        2.0, "half-life: an item this many places back counts half; 0: all count the same", low=0.0
    )
    kept: int = setting(
        0, "number of newest items that are not recommended again; 0: all of the longest history", low=0
    )
    histories: bool = setting(
        True, "store each user's history in the bundle, so that a user id is enough for a prediction"
    )
    anonymous: float = setting(
        0.2, "share of training samples without a user, so that predictions for new users work", low=0.0
    )
    test_users: int = setting(2000, "evaluate at most this many users, drawn by the seed", low=1)
    limit: int = setting(0, "use at most this many training samples; 0: all", low=0)
    evaluation_mb: int = setting(100, "store up to this many MB of test samples in the run, for export", low=1)


@dataclass(frozen=True)
class Model:
    """The network."""

    embedding: int = setting(64, "size of the embedding of a user or an item", low=1, high=4096)
    units: int = setting(128, "units of the user tower's hidden layer", low=1, high=8192)
    dropout: float = setting(0.3, "dropout in the user tower", low=0.0, high=0.9)


@dataclass(frozen=True)
class Settings:
    """Defaults are meant for data of the size of MovieLens small: some hundred users, some thousand items."""

    seed: int = setting(0, "of the first weights, the order and which samples are anonymous", low=0)
    data: RatingsData = field(default_factory=RatingsData)
    model: Model = field(default_factory=Model)
    fit: Fit = field(default_factory=lambda: Fit(epochs=10, batch_size=512, learning_rate=4e-3))
    calibration: Calibration = field(default_factory=Calibration)
    # An int8 output has 256 levels for thousands of items: many tie. Half precision keeps the order.
    compress: PruneAndQuantize = field(default_factory=lambda: PruneAndQuantize(("quantize:precision=float16",)))


def build(settings: Settings, contract: Contract) -> Built:
    """User embedding, mean of the history's embeddings, dense layers, one score per item."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)
    user = keras.Input(contract.inputs["user"], dtype="int32", name="user")
    history = keras.Input(contract.inputs["history"], dtype="int32", name="history")
    weights = keras.Input(contract.inputs["weights"], name="weights")
    size, (length,) = settings.model.embedding, contract.inputs["history"]
    users, ids = (int(contract.input_ranges[name][1]) + 1 for name in ("user", "history"))
    own = layers.Flatten(name="own")(layers.Embedding(users, size, name="users")(user))
    had = layers.Multiply(name="weighted")([layers.Embedding(ids, size, name="items")(history), weights])
    # Weights add up to 1: the mean over all places, padding included, times their number is the mean of the items.
    had = layers.Rescaling(float(length), name="had")(layers.GlobalAveragePooling1D(name="pooled")(had))
    x = layers.Concatenate(name="features")([own, had])
    x = layers.Dropout(settings.model.dropout, seed=settings.seed)(x)
    x = layers.Dense(settings.model.units, activation="relu", name="hidden")(x)
    x = layers.Dropout(settings.model.dropout, seed=settings.seed + 1)(x)
    # What was had last says most of what comes next: the layers only add to it (He et al. 2016, arXiv:1512.03385).
    x = layers.Add(name="user_tower")([layers.Dense(size, name="correction")(x), had])
    scores = layers.Dense(contract.outputs["scores"][0], name="scores")(x)
    return Built(keras.Model([user, history, weights], scores, name="recommender"), (Phase("fit", settings.fit),))


recipe = Recipe(
    name="recommender",
    summary="Two towers: predicts a user's next item, ranked over all items.",
    task="recommend",
    settings=Settings(),
    build=build,
    smoke={
        "model.embedding": 8,
        "model.units": 16,
        "data.length": 8,
        "data.limit": 2000,
        "data.test_users": 200,
        "fit.epochs": 2,
    },
    data=DataHint(
        layout=(
            "a table of user, item, and optionally a rating or count and a time, found by the names of the columns or "
            "named by data.user, data.item, data.rating, data.time; without a header "
            "data.names=user,item,rating,timestamp; or movielens-small"
        ),
        sample="userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,1029,3.0,1260759179",
        example="ratings",
    ),
)
