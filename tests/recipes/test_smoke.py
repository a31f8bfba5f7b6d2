"""--smoke: what was left at its default is shrunk to fit what was given; no setting that fits by itself is refused."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from click.testing import CliRunner

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.progress import Silent
from dltk.cli.main import cli
from dltk.data.kinds.images import prepare_images
from dltk.data.kinds.series import prepare_series
from dltk.data.split import SPLITS, stratified_subset
from dltk.models.backbones import build
from dltk.models.backbones.table import BACKBONES
from dltk.recipe.data_groups import ImageData
from dltk.recipe.load import load, registered, resolve
from dltk.recipe.settings import describe
from dltk.run import Run
from dltk.workflows import finetune

# NumPy 2 deprecates how TensorFlow and Keras hand arrays over; it is theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object` will be defined:FutureWarning"),
]


def smoke(name, *pairs):
    return resolve(load(name), pairs, smoke=True)


@pytest.mark.parametrize("recipe", ["image-classification", "segmentation"])
@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_is_taken_at_its_smallest(recipe, name):
    settings, spec = smoke(recipe, f"model.backbone={name}"), BACKBONES[name]
    assert settings.model.alpha == min(spec.alphas)
    assert spec.min_size <= settings.data.size <= max(96, spec.min_size)
    assert settings.model.weights == "none"


@pytest.mark.parametrize("name", registered())
def test_what_was_given_stays_and_is_all_that_stays(name):
    """One key at a time: given with its default, it is kept; the rest is shrunk all the same, or fits it."""
    plain, defaults = ({leaf.key: leaf.value for leaf in describe(tree)} for tree in (smoke(name), load(name).settings))
    assert plain != defaults
    for key in load(name).smoke:
        value = defaults[key]
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        kept = {leaf.key: leaf.value for leaf in describe(smoke(name, f"{key}={text}"))}
        assert kept[key] == value


@pytest.mark.parametrize(
    ("name", "pairs", "wanted"),
    [
        ("image-classification", ("model.weights=imagenet",), {"model.alpha": 1.0}),  # of which there are weights
        ("image-classification", ("data.size=224",), {"data.total": 40}),
        ("segmentation", ("model.backbone=xception",), {"data.size": 96}),
        ("forecast", ("data.season=48",), {"data.window": 48}),
        ("forecast", ("data.window=500", "data.horizon=100"), {"data.total": 4800}),
        ("text-transfer", ("model.unfrozen=4",), {"model.blocks": 4}),
        ("text-transfer", ("model.weights=pretrained",), {"data.tokenizer": "minilm-l6"}),
        ("audio-keyword", ("spectrum.frame_ms=500",), {"data.seconds": 2.0}),
        ("audio-keyword", ("spectrum.low=5000",), {"data.rate": 16_000}),
    ],
)
def test_what_hangs_on_a_given_setting_fits_it(name, pairs, wanted):
    found = {leaf.key: leaf.value for leaf in describe(smoke(name, *pairs))}
    assert {key: found[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("name", "pair", "message"),
    [
        ("image-classification", "model.backbone=resnt50", "setting model.backbone.*Did you mean 'resnet50'"),
        ("image-classification", "model.alpha=0.6", "setting model.alpha: must be 0.35 or"),
        ("image-classification", "model.weights=no/such.h5", "no/such.h5: the file of weights must exist"),
        ("segmentation", "data.size=100", "must be a multiple of 32"),
        ("segmentation", "model.filters=8,8", "must be 5 numbers"),
    ],
)
@pytest.mark.parametrize("shrinks", [False, True])
def test_settings_that_never_fit_are_refused_before_any_data_is_read(name, pair, message, shrinks):
    with pytest.raises(InputError, match=message):
        finetune(name, data="no/such/folder", set=[pair], smoke=shrinks, run="no/such/run")


def test_a_part_of_all_keeps_every_class_and_side():
    rng = np.random.default_rng(0)
    targets = np.concatenate([np.repeat(np.arange(200), 4), np.zeros(5000, np.int64)])
    sides = rng.choice(np.array([-1, 0, 2], np.int8), len(targets))
    chosen = stratified_subset(targets, sides, total=300, seed=1)
    assert len(chosen) < 1100
    assert np.array_equal(chosen, np.unique(chosen))
    for number in range(200):
        for side in (-1, 0, 2):
            there = ((targets == number) & (sides == side)).sum()
            assert ((targets[chosen] == number) & (sides[chosen] == side)).sum() >= min(3, there)
    assert np.array_equal(stratified_subset(targets, sides, total=0, seed=1), np.arange(len(targets)))
    assert np.array_equal(stratified_subset(targets, sides, total=9999, seed=1), np.arange(len(targets)))
    several = (rng.random((400, 7)) < 0.02).astype(np.float32)
    kept = stratified_subset(several, np.full(400, -1, np.int8), total=20, seed=0)
    assert (several[kept].sum(axis=0) >= 3).all()
    assert len(kept) < 60


def test_total_reads_a_part_of_every_side(tmp_path):
    whole, part = (prepare_images("digits", ImageData(size=8, total=total), seed=0) for total in (0, 120))
    counts = {side: len(getattr(part, side)) for side in SPLITS}
    assert 110 <= sum(counts.values()) <= 130
    assert counts["test"] >= 20
    assert len(whole.test) > 300
    assert part.digest != whole.digest
    assert part.train.store.shape[0] < 130  # no other sample was decoded
    assert part.labels == whole.labels


class _Rows:
    columns, window, horizon, season, transform, validation, test = (), 12, 3, 0, "none", 0.2, 0.2
    total = 100


def test_total_takes_the_last_rows_of_a_series():
    found = prepare_series("sine", _Rows(), seed=0)
    assert len(found.train) + len(found.validation) + len(found.test) <= 100


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """120 classes of three pictures each: more classes than a smoke run takes samples."""
    from PIL import Image

    folder, rng = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    for number in range(120):
        (folder / f"c{number:03}").mkdir()
        for count in range(3):
            picture = Image.fromarray(rng.integers(0, 255, (12, 12, 3), np.uint8))
            picture.save(folder / f"c{number:03}" / f"{count}.png")
    return folder


def test_more_classes_than_samples(many, tmp_path):
    run = finetune("image-classification", data=str(many), smoke=True, run=tmp_path / "run", set=["tune.epochs=0"])
    assert len(run.signature.labels) == 120


def test_weights_that_cannot_be_had_do_not_stop_a_smoke_run(many, tmp_path, monkeypatch):
    def resolve_none(name, weights="imagenet", **named):
        if str(weights) != "none":
            raise EnvironmentFault(name, "its ImageNet weights are unavailable here")
        return resolve_weights(name, weights, **named)

    resolve_weights = build.resolve
    monkeypatch.setattr(build, "resolve", resolve_none)
    pairs, progress = ["model.weights=imagenet", "tune.epochs=0"], Silent()
    run = finetune("image-classification", data=str(many), smoke=True, run=tmp_path / "a", set=pairs, progress=progress)
    assert run.settings().model.weights == "none"
    assert "random weights are used instead" in " ".join([*progress.said, *progress.warned])
    with pytest.raises(EnvironmentFault):
        finetune("image-classification", data=str(many), run=tmp_path / "b", set=pairs)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_goes_through_in_seconds(name, tmp_path):
    """The whole command on 60,000 images, by the processor's seconds: others may use the machine, too."""
    if "cifar10" not in _cached():
        pytest.skip("CIFAR-10 is not on this machine")
    words = ("finetune", "image-classification", "--data", "cifar10", "--smoke", "--set", f"model.backbone={name}")
    started = time.process_time()
    done = CliRunner().invoke(cli, [*words, "--run", str(tmp_path / "run"), "--json"])
    assert done.exit_code == 0, done.output
    assert time.process_time() - started < 45  # 22 for the slowest, NASNet; two cores share it
    assert json.loads(done.stdout)["metrics"]["samples"] < 100
    assert Run.open(tmp_path / "run").settings().model.backbone == name


def _cached():
    from dltk.base.fetch import cache_folder

    return " ".join(path.name for path in cache_folder("datasets").glob("*"))
