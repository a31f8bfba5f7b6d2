"""The search stops where it may, repeats nothing, loses nothing, and ends with the best there is."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

import small
from dltk.base.errors import EnvironmentFault, InputError, LimitError
from dltk.base.progress import Silent
from dltk.search.ledger import Ledger
from search import stub

HARD = {"drop": 0.03, "download": 30_000}  # met by the search only


class Recorder:
    """Keeps what was evaluated; stops with `error` at evaluation `last`."""

    def __init__(self, last=0, error=KeyboardInterrupt):
        self.steps, self.last, self.error = [], last, error

    def __call__(self, steps):
        self.steps.append(steps)
        if len(self.steps) == self.last:
            raise self.error
        return stub.row(steps)


@pytest.mark.parametrize(
    ("limits", "stages", "steps"),
    [
        ({"drop": 0.03}, ["int8"], ("quantize:repair=false",)),
        ({"size": 100_000}, ["int8"], ("quantize:repair=false",)),
        ({"drop": 0.02}, ["int8", "bias correction"], ("quantize",)),
        ({"drop": 0.013}, ["int8", "bias correction", "sensitive layers float"], ("quantize:keep=first,last",)),
        (
            {"drop": 0.013, "size": 115_000},
            ["int8", "bias correction", "sensitive layers float", "quantization-aware training"],
            ("quantize:method=qat",),
        ),
    ],
)
def test_the_first_cheap_candidate_that_meets_all_limits_is_taken(tmp_path, limits, stages, steps):
    found = stub.searched(tmp_path, stub.bounds(**limits))
    assert found.met
    assert found.chosen.steps == steps
    assert list(dict.fromkeys(trial.stage for trial in found.trials)) == stages
    assert found.chosen == found.trials[-1]
    assert not (tmp_path / "study.db").exists()


def test_layers_are_left_float_by_the_power_of_two_and_no_more_once_too_large(tmp_path):
    found = stub.searched(tmp_path, stub.bounds(drop=0.0001), trials=0)
    kept = [trial.steps for trial in found.trials if trial.stage == "sensitive layers float"]
    assert kept == [(f"quantize:keep={names}",) for names in ("first", "first,last", "first,last,middle,a")]
    found = stub.searched(tmp_path / "small", stub.bounds(drop=0.0001, size=115_000), trials=0)
    kept = [trial.steps for trial in found.trials if trial.stage == "sensitive layers float"]
    assert kept == [("quantize:keep=first",), ("quantize:keep=first,last",)]


def test_nothing_is_tried_that_cannot_help(tmp_path):
    """A file that is too large gets no smaller by layers left float; a download limit alone asks for no sensitivity."""
    found = stub.searched(tmp_path, stub.bounds(size=50_000, drop=0.5), trials=0)
    assert [trial.stage for trial in found.trials] == ["int8", "bias correction"]
    found = stub.searched(tmp_path / "untrained", stub.bounds(download=30_000), trials=5, trains=False)
    assert [trial.stage for trial in found.trials] == ["int8", "bias correction"]
    assert not found.met


def test_without_anything_else_half_precision_keeps_the_drop(tmp_path):
    found = stub.searched(tmp_path, stub.bounds(drop=0.0001), trials=0)
    assert found.met
    assert found.chosen.steps == ("quantize:precision=float16",)
    assert found.chosen == found.trials[-1]


def test_the_search_takes_the_cheapest_that_meets_the_limits(tmp_path):
    found = stub.searched(tmp_path, stub.bounds(**HARD), trials=8)
    assert found.met
    tried = [trial for trial in found.trials if trial.stage == "search"]
    assert len(tried) == 8
    assert found.chosen in tried
    met = [trial for trial in found.trials if not found.bounds.misses(trial.measures)]
    assert found.chosen.measures.download == min(trial.measures.download for trial in met)
    assert found.chosen.number in found.front


def test_nothing_is_evaluated_twice(tmp_path):
    evaluate = Recorder()
    found = stub.searched(tmp_path, stub.bounds(**HARD), trials=10, evaluate=evaluate)
    assert len(evaluate.steps) == len({trial.key for trial in found.trials}) == len(found.trials)
    assert [trial.number for trial in found.trials] == list(range(1, len(found.trials) + 1))
    again = Recorder()
    assert stub.searched(tmp_path, stub.bounds(**HARD), trials=10, evaluate=again) == found
    assert not again.steps


def test_a_space_that_is_tried_out_ends_the_search(tmp_path):
    """With the drop limited alone there are few combinations: more trials than those are not waited for."""
    found = stub.searched(tmp_path, stub.bounds(drop=-1.0), trials=10_000)
    tried = sum(trial.stage == "search" for trial in found.trials)
    assert 5 < tried < 30


def test_interrupted_at_any_candidate_it_goes_on_as_if_it_had_not_been(tmp_path):
    whole = stub.searched(tmp_path / "whole", stub.bounds(**HARD), trials=3)
    for last in range(1, len(whole.trials) + 1):
        folder, first = tmp_path / str(last), Recorder(last)
        with pytest.raises(KeyboardInterrupt):
            stub.searched(folder, stub.bounds(**HARD), trials=3, evaluate=first)
        second = Recorder()
        found = stub.searched(folder, stub.bounds(**HARD), trials=3, evaluate=second)
        assert found == whole
        assert [*first.steps[:-1], *second.steps] == [trial.steps for trial in whole.trials]


def test_with_a_kill_at_every_candidate_it_still_comes_to_its_end(tmp_path):
    """Each start gets one candidate further."""
    whole = stub.searched(tmp_path / "whole", stub.bounds(**HARD), trials=3)
    for _ in whole.trials[:-1]:
        with pytest.raises(KeyboardInterrupt):
            stub.searched(tmp_path / "cut", stub.bounds(**HARD), trials=3, evaluate=Recorder(last=2))
    assert stub.searched(tmp_path / "cut", stub.bounds(**HARD), trials=3) == whole


@pytest.mark.slow
def test_killed_for_good_it_loses_and_repeats_nothing(tmp_path):
    """SIGKILL within a cheap candidate, within the first of the search, and within a later one."""
    for last in (2, 2, 3):
        command = [sys.executable, "-m", "search.killed", str(tmp_path), str(last)]
        done = subprocess.run(command, env=small.environment(), capture_output=True, check=False, timeout=120)
        assert done.returncode == -9, done.stderr.decode()
    evaluated = (tmp_path / "evaluated").read_text().splitlines()
    done_before = len(Ledger(tmp_path / "candidates").trials)
    assert done_before == len(evaluated) - 3  # the ones that were killed
    rest = Recorder()
    found = stub.searched(tmp_path, stub.bounds(download=10_000), trials=4, evaluate=rest)
    whole = stub.searched(tmp_path / "whole", stub.bounds(download=10_000), trials=4)
    assert found == whole
    assert len(rest.steps) == len(whole.trials) - done_before


def test_if_nothing_meets_the_limits_the_closest_is_chosen(tmp_path):
    progress = Silent()
    found = stub.searched(tmp_path, stub.bounds(download=1_000), trials=5, progress=progress)
    assert not found.met
    assert len(found.trials) == 7
    assert found.chosen.measures.download == min(trial.measures.download for trial in found.trials)
    assert len(progress.said) == 7
    assert all("misses download" in line for line in progress.said)


def test_confident_wants_the_upper_end_of_the_interval(tmp_path):
    limit = 0.025
    found = stub.searched(tmp_path, stub.bounds(drop=limit))
    assert found.chosen.steps == ("quantize",)
    sure = stub.searched(tmp_path / "sure", stub.bounds(drop=limit, confident=True))
    assert sure.met
    assert sure.chosen.steps == ("quantize:keep=first,last",)
    assert sure.chosen.measures.drop_high <= limit


def test_what_cannot_be_made_is_told_and_passed_over(tmp_path):
    def picky(steps):
        if "cluster" in " ".join(steps):
            raise LimitError("phase cluster", "the loss must stay finite", "nan")
        return stub.row(steps)

    progress = Silent()
    found = stub.searched(tmp_path, stub.bounds(**HARD), trials=10, evaluate=picky, progress=progress)
    failed = [trial for trial in found.trials if trial.row is None]
    assert failed
    assert all("the loss must stay finite" in trial.error for trial in failed)
    assert found.chosen.row is not None
    assert sum("could not be made" in line for line in progress.said) == len(failed)
    assert not {trial.number for trial in failed} & {*found.front}


def test_what_is_wrong_with_the_machine_ends_it(tmp_path):
    with pytest.raises(EnvironmentFault):
        stub.searched(tmp_path, stub.bounds(**HARD), evaluate=Recorder(3, EnvironmentFault("disk", "must have room")))
    assert len(Ledger(tmp_path / "candidates").trials) == 2


def test_a_model_that_int8_refuses_is_not_searched_for(tmp_path):
    def refuses(steps):
        raise InputError("layer 'x'", "is not known to dltk")

    with pytest.raises(InputError, match="is not known to dltk"):
        stub.searched(tmp_path, stub.bounds(**HARD), evaluate=refuses)
    assert len(Ledger(tmp_path / "candidates").trials) == 2


def test_of_a_model_without_right_and_wrong_the_outputs_count(tmp_path):
    def unjudged(steps):
        found = stub.row(steps)
        error = found["metric"]["drop"]
        return found | {"metric": None, "parity": {"error": error}}

    found = stub.searched(tmp_path, stub.bounds(size=1), trials=0, evaluate=unjudged, trains=False)
    assert found.chosen.steps == ("quantize",)  # of two files of one size the one that errs less


def test_the_best_so_far_is_kept_each_time(tmp_path):
    kept = []
    found = stub.searched(tmp_path, stub.bounds(**HARD), trials=6, kept=kept)
    assert len(kept) == len(found.trials)
    assert kept[-1] == found.chosen.steps


@pytest.mark.parametrize("how", ["cut", "another figure", "no candidate", "emptied", "another's", "list", "fuzz"])
def test_a_candidate_whose_file_is_damaged_is_tried_again(tmp_path, caplog, how):
    whole = stub.searched(tmp_path, stub.bounds(drop=0.03))
    path = tmp_path / "candidates" / "0001.json"
    before = path.read_bytes()
    found = json.loads(before)
    damage = {
        "cut": [before[:40]],
        "another figure": [before.replace(b'"bytes": ', b'"bytes": 1')],
        "no candidate": [b"{}"],
        "emptied": [b""],
        "another's": [json.dumps({k: v for k, v in found.items() if k != "sha256"} | {"key": "0" * 32}).encode()],
        "list": [b"[" * 100_000, b"3", json.dumps(found | {"row": [1]}).encode(), b"\xff"],
        "fuzz": list(_damaged(before, 40)),
    }
    for data in damage[how]:
        assert data != before
        path.write_bytes(data)
        caplog.clear()
        again = stub.searched(tmp_path, stub.bounds(drop=0.03))
        assert again.chosen.steps == whole.chosen.steps
        assert json.loads(path.read_bytes()) == found
        assert "0001.json" in caplog.text
        assert "it is created again" in caplog.text


def _damaged(data, count):
    draw = random.Random(4)
    for _ in range(count):
        place = draw.randrange(len(data))
        more = draw.choice([b"", bytes([data[place] ^ 1]), b"NaN", b"{", b"\0", b"9" * 5000])
        yield data[:place] + more + data[place + draw.randint(1, 30) :]


def test_a_folder_with_a_strange_name_holds_a_study(tmp_path):
    found = stub.searched(tmp_path / "50% a?b#c &d", stub.bounds(**HARD), trials=1)
    assert len(found.trials) == 3
    assert (tmp_path / "50% a?b#c &d" / "study.db").stat().st_size


def test_what_was_found_is_plain_json(tmp_path):
    from dltk.base.files import canonical_json

    found = stub.searched(tmp_path, stub.bounds(**HARD), trials=2)
    canonical_json([trial.as_dict() for trial in found.trials])
    assert found.bounds.as_dict() == HARD
    assert {"int8", "bias correction", "search"} == {trial.stage for trial in found.trials}
    assert all(miss.found > miss.wanted for trial in found.trials for miss in found.bounds.misses(trial.measures))
