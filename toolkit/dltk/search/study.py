"""The optuna study in a Run: chooses the next candidate from the previous ones; it can be killed and resumed at any
moment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.files import canonical_json, sha256
from dltk.search.space import Space
from dltk.search.trial import Trial

__all__ = ["Study", "open_study"]

_AGAIN = "Delete it: the finished candidates are stored separately, and none is tried again."
_DAMAGED = (1, 11, 26)  # SQLITE_ERROR (a table that is another one), SQLITE_CORRUPT, SQLITE_NOTADB
_PATIENCE = 20  # asked that often without anything new, the space is as good as tried out


@dataclass(frozen=True)
class Study:
    """An open study.

    The sampler is TPE (Bergstra et al. 2011). It is seeded anew for each trial, by the trial's number, so that an
    interrupted search resumes as if it had not been.
    """

    study: Any
    space: Space
    seed: int

    def explore(
        self,
        judge: Callable[[tuple[str, ...]], tuple[Trial, bool]],
        value: Callable[[Trial], float],
        wanted: Callable[[], bool],
    ) -> None:
        """Propose, evaluate, record, while more trials are `wanted` and there are new candidates.

        Args:
            judge: steps -> their trial, and whether it had to be made.
            value: the value to minimize; not called for a failed trial.
        """
        for number, steps in self._interrupted():
            self._report_to_study(number, judge(steps)[0], value)
        idle = 0
        while wanted() and idle < _PATIENCE:
            number, steps = self._ask()
            trial, is_new = judge(steps)
            self._report_to_study(number, trial, value)
            idle = 0 if is_new else idle + 1

    def _interrupted(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Trials that were proposed but not finished: they are made first."""
        import optuna

        for trial in self.study.get_trials(deepcopy=False, states=(_state("RUNNING"),)):
            if "steps" in trial.user_attrs:
                yield trial.number, tuple(trial.user_attrs["steps"])
            elif (
                "fixed_params" in trial.system_attrs
            ):  # killed while a point to begin with was taken up: it must not go
                yield self._chosen(optuna.trial.Trial(self.study, trial._trial_id))
            else:  # killed while it was being asked: it is asked again, with the same seed
                self.study.tell(trial.number, state=_state("FAIL"))

    def _ask(self) -> tuple[int, tuple[str, ...]]:
        import optuna

        trials = self.study.get_trials(deepcopy=False)
        asked = sum("steps" in trial.user_attrs or trial.state != _state("FAIL") for trial in trials)
        self.study.sampler = optuna.samplers.TPESampler(seed=self.seed + asked)
        return self._chosen(self.study.ask())

    def _chosen(self, trial: Any) -> tuple[int, tuple[str, ...]]:
        steps = self.space.steps(trial.suggest_categorical)
        trial.set_user_attr("steps", list(steps))
        return trial.number, steps

    def _report_to_study(self, number: int, trial: Trial, value: Callable[[Trial], float]) -> None:
        if trial.row is None:
            self.study.tell(number, state=_state("FAIL"))
        else:
            self.study.tell(number, value(trial))


@contextmanager
def open_study(path: Path, space: Space, *, seed: int) -> Iterator[Study]:
    """The study in the SQLite file `path`, made if it is not there, closed at the end of the block.

    Raises:
        EnvironmentFault: if the disk is full or not writable.
        InputError: if the file is no study, or damaged.
    """
    import optuna
    from sqlalchemy.engine import URL

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        raise InputError(path, "must be a regular file", hint=_AGAIN)
    with _database_errors(path):
        try:
            storage = optuna.storages.RDBStorage(URL.create("sqlite", database=str(path)).render_as_string())
        except (RuntimeError, ValueError, LookupError, AssertionError) as fault:  # a database of something else
            raise _no_study(path, fault) from fault
        try:
            yield Study(_loaded(path, storage, space), space, seed)
        finally:
            storage.remove_session()
            storage.engine.dispose()


@contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about a full or read-only disk, or a damaged file, into dltk's."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DatabaseError, SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as fault:
        found = fault if isinstance(fault, DatabaseError) else fault.__cause__
        said = getattr(found, "orig", fault)
        code = getattr(said, "sqlite_errorcode", None)
        if code is None or code & 0xFF in _DAMAGED:  # the upper bits are details
            raise _no_study(path, said) from fault
        hint = "Free some space, then continue with --resume."
        raise EnvironmentFault(path, "must be writable", str(said), hint) from fault


def _loaded(path: Path, storage: Any, space: Space) -> Any:
    import optuna

    knobs = {name: list(choices) for name, choices in space.knobs.items()}
    name = sha256(canonical_json([knobs, list(space.sensitive)]))[:16]
    try:
        study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True, direction="minimize")
        for point in space.starts():
            study.enqueue_trial(point, skip_if_exists=True)
    except (TypeError, ValueError, LookupError) as fault:  # texts in its tables that are no JSON
        raise _no_study(path, fault) from fault
    return study


def _no_study(path: Path, fault: object) -> InputError:
    said = (str(fault).splitlines() or [type(fault).__name__])[0]
    return InputError(path, "must be the study of this search", said, _AGAIN)


def _state(name: str) -> Any:
    import optuna

    return optuna.trial.TrialState[name]
