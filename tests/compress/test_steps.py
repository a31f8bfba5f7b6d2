"""`--step` texts: what they mean, and what is refused before any work."""

from __future__ import annotations

from dataclasses import fields

import pytest

from dltk.base.errors import InputError, StepOrderError, UsageError
from dltk.compress.prune import Prune
from dltk.compress.quantize import Quantize
from dltk.compress.steps import STEPS, parse_steps


def test_a_name_alone_means_the_defaults():
    (step,) = parse_steps(["quantize"])
    assert (step.name, step.settings) == ("quantize", Quantize())
    assert parse_steps([]) == ()


def test_settings_have_their_types_and_lists_go_on_after_a_comma():
    prune, quantize = parse_steps(["prune:sparsity=0.7,keep=stem,logits,epochs=2", "quantize:precision=float16"])
    assert prune.settings == Prune(sparsity=0.7, keep=("stem", "logits"), epochs=2)
    assert quantize.settings.precision == "float16"
    assert prune.as_dict()["settings"]["keep"] == ["stem", "logits"]
    assert parse_steps(["quantize:repair=false"])[0].settings.repair is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prun:sparsity=0.5", r"--step prun:sparsity=0\.5: names no step; received prun\. Did you mean 'prune'\?"),
        ("", "names no step"),
        ("=", "Known: .*distil, prune, quantize"),
    ],
)
def test_an_unknown_step_is_wrong_usage(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_steps([text])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prune:sparcity=0.5", r"--step prune:sparcity=0\.5: setting sparcity: is not known\. Did you mean 'sparsity'"),
        ("prune:sparsity=1.5", "must lie between 0.0 and 0.99"),
        ("prune:sparsity=nan", "must be a number"),
        ("prune:epochs=many", "must be a whole number"),
        ("prune:epochs=0", "must lie between 1"),
        ("prune:sparsity", r"settings must be KEY=VALUE; received sparsity\. For example --step prune:"),
        ("quantize:precision=int4", "int8, int16x8, float16, dynamic"),
        ("quantize:method=guess", "calibrate"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_steps([text])
    assert caught.value.exit_code == 3
    assert caught.value.where.startswith(f"--step {text}")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["quantize", "prune"], "--step prune: must come before quantize: it changes weights"),
        (["cluster", "prune"], "--step prune: must come before cluster: it changes weights"),
        (["prune", "distil"], "--step distil: must come before prune: it makes another model"),
        (["quantize", "distil"], "--step distil: must come before quantize: it makes another model"),
        (["prune", "prune:sparsity=0.9"], "--step prune: may be given once"),
        (["prune", "quantize", "quantize"], "--step quantize: may be given once"),
    ],
)
def test_an_order_that_undoes_a_step_is_refused(texts, message):
    with pytest.raises(StepOrderError, match=message) as caught:
        parse_steps(texts)
    assert caught.value.exit_code == 3


def test_every_setting_says_what_it_is():
    for name, step in STEPS.items():
        for item in fields(step.defaults):
            assert item.metadata["help"], f"{name}:{item.name}"
