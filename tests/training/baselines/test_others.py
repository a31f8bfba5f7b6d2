"""Baselines of anomalies, recommendations and policies."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dltk import tasks
from dltk.base.progress import SILENT
from dltk.data.dataset import Split
from dltk.recipe.load import load, resolve
from dltk.training.baselines import baselines_of

RNG = np.random.default_rng(0)


def prepared(name, data, *pairs):
    recipe = load(name)
    settings = resolve(recipe, pairs, smoke=False)
    return tasks.task(recipe.task).prepare(settings, str(data), progress=SILENT)


def sensors(path, strange):
    """Rows on a line in three columns, and `strange` that are not."""
    base = RNG.normal(size=(400, 1)) @ [[1.0, 2.0, -1.0]] + RNG.normal(0, 0.05, (400, 3))
    base[:strange, 1] += 4
    lines = [",".join(f"{value:.4f}" for value in row) for row in base]
    rows = [f"{line},{'worn' if number < strange else 'normal'}" for number, line in enumerate(lines)]
    path.write_text("a,b,c,label\n" + "\n".join(rows) + "\n")
    return path


def test_rows_off_the_line_of_the_normal_ones_are_found(tmp_path):
    found = baselines_of("autoencode")(prepared("autoencoder", sensors(tmp_path / "rows.csv", 40)))
    assert found["metric"] == "auc"
    assert found["rows"][0]["score"] > 0.98


@pytest.mark.parametrize(
    ("strange", "pairs"), [(40, ("use=embed",)), (40, ("use=denoise", "augment.noise=0.1")), (0, ())]
)
def test_other_uses_and_normal_rows_alone_have_no_baseline(tmp_path, strange, pairs):
    assert baselines_of("autoencode")(prepared("autoencoder", sensors(tmp_path / "rows.csv", strange), *pairs)) == {}


def test_strange_images_are_found():
    images = np.zeros((200, 24, 24, 1), np.uint8)
    images[:, :, :12] = RNG.integers(80, 200, (200, 1, 1, 1))
    images[150:, 12:, :] = 255
    rows = [np.arange(0, 90), np.arange(90, 100), np.arange(100, 200)]
    targets = (np.arange(200) >= 150).astype(np.int64)
    train, validation, test = (Split(images, chosen, targets[chosen]) for chosen in rows)
    dataset = SimpleNamespace(train=train, validation=validation, test=test, report={"normal": "ok"})
    assert baselines_of("autoencode")(dataset)["rows"][0]["score"] == 1.0


def test_items_that_the_same_users_had_come_next(tmp_path):
    """Two groups of users with items of their own: neighbours know the group, popularity does not."""
    path, lines = tmp_path / "ratings.csv", ["user,item,time"]
    for user in range(60):
        items = RNG.permutation(12)[:9] + 12 * (user % 2) + (100 if user % 2 else 0)
        lines += [f"u{user},i{item},{time}" for time, item in enumerate(items)]
    path.write_text("\n".join(lines) + "\n")
    found = baselines_of("recommend")(prepared("recommender", path))
    rows = {row["name"]: row["score"] for row in found["rows"]}
    assert found["metric"] == "hit_rate_10"
    assert rows["item neighbours"] == 1.0  # five items of the own group are left: all are among ten
    assert rows["popularity"] < 1.0


def test_random_actions_hold_a_pole_for_some_twenty_steps():
    found = baselines_of("control")(SimpleNamespace(report={"environment": "CartPole-v1", "actions": 2}))
    assert found["metric"] == "return_mean"
    assert 15 < found["rows"][0]["score"] < 30
