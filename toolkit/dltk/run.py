"""The Run folder: what training, adopting and compressing write, and what export reads.

recipe.json      recipe, resolved settings, those changed from the defaults, smoke, SHA-256 of the recipe's source
recipe.py        the recipe itself, if it was given as a file; opening a run never executes it
data.json        source, digest, what was skipped
signature.json   the device's view of the model
assets/          files that the signature's steps read: a tokenizer, a vocabulary
model.keras      the model, Keras 3
metrics.json     metrics on the test split; history.csv has one row per epoch
evaluation.npz   test samples, kept for export and validation
quantization.npz ranges of a quantized model
baseline.npz     of a compressed run: predictions of the model before compression on those samples
candidates/      of a compression within limits: measurements of each candidate; study.db, sensitivity.json
checkpoints/     one file per phase, to resume from; steps/ has the model after each step of a compression
samples/         what a generator made during training, to look at; report.json has the measurements of a compression
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltk.base.disk import disk_fault
from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json, read_capped, require_utf8, sweep, write_atomic
from dltk.base.siblings import try_lock
from dltk.edge.bundle.consistency import require_consistent
from dltk.edge.bundle.signature import Signature
from dltk.recipe.kept import TRUST
from dltk.recipe.load import Loaded
from dltk.recipe.recipe import Recipe
from dltk.recipe.record import Record, require_run_if_exists

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ASKED", "Run"]

_JSON_LIMIT, _ASSET_LIMIT = 64_000_000, 500_000_000
_BEGUN = ("recipe.json", "recipe.py")  # one of them is in whatever --resume can continue
ASKED = "compress"
_INHERITED = ("recipe.json", "recipe.py", "data.json", "notes.json", "evaluation.npz", "baseline.npz")
_GO_ON = "Give another --run, or --resume to continue it."
_NOTHING: Mapping[str, bytes] = {}


@dataclass(frozen=True)
class Run:
    """One run folder.

    Attributes:
        path: as the user gave it.
        trusts_recipe: whether the run's own recipe.py may be executed.
    """

    path: Path
    trusts_recipe: bool = False

    @classmethod
    def create(cls, path: Path | str, *, begun: Mapping[str, bytes] = _NOTHING) -> Run:
        """A new run folder that contains only the files `begun`, as in `require_free`.

        Raises:
            InputError: if something exists there; a run is never overwritten.
            EnvironmentFault: if the disk is full or not writable.
        """
        cls.require_free(path, begun=begun)
        run = cls(Path(path))
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            known = InputError(path, "must be a folder that can be created", fault.strerror)
            raise disk_fault(path, fault) or known from fault
        return run

    @staticmethod
    def require_free(path: Path | str, *, hint: str = _GO_ON, begun: Mapping[str, bytes] = _NOTHING) -> None:
        """Raise InputError with `hint` unless `path` is free; an empty folder counts as free.

        Args:
            begun: files, name -> bytes, that may exist there: a start that was killed leaves them.
        """
        require_utf8(path)
        path = Path(path)
        is_folder = path.is_dir() and not path.is_symlink()
        if is_folder:
            sweep(path)
        if os.path.lexists(path) and not (is_folder and all(_is_one_of(begun, item) for item in path.iterdir())):
            hint = hint if is_folder and any((path / name).is_file() for name in _BEGUN) else "Give another --run."
            raise InputError(path, "a run is never overwritten, and the path exists", hint=hint)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing to this run until the block or this process ends.

        Raises:
            InputError: if another process is writing to it.
        """
        with try_lock(self.path) as is_free:
            if not is_free:
                hint = "Wait for it to end, or give another --run."
                raise InputError(self.path, "another process is writing to this run", hint=hint)
            yield

    @classmethod
    def open(cls, path: Path | str, *, finished: bool = True, trust_recipe: bool = False) -> Run:
        """The run at `path`; with `finished`, only one that has a model. Nothing in it is executed.

        Args:
            trust_recipe: the run's own recipe.py may be executed, to read the settings.

        Raises:
            InputError: if there is none, or it was not finished.
        """
        run = cls(Path(path), trust_recipe)
        require_run_if_exists(run.path)
        if not run.path.is_dir():
            raise InputError(path, "must be a run folder", hint="Make one with `dltk finetune` or `dltk adopt`.")
        if not run._file("recipe.json").is_file():
            raise InputError(path, "is not a run: recipe.json is missing", hint="Make one with `dltk finetune`.")
        if finished and not run.is_finished:
            command = "compress" if run._file("compress.json").is_file() else "finetune"
            hint = f"Resume it with `dltk {command} ... --resume`."
            raise InputError(path, "the run was not finished", hint=hint)
        return run

    @property
    def name(self) -> str:
        """The folder's own name."""
        return Path(os.path.abspath(self.path)).name

    @property
    def is_finished(self) -> bool:
        """Whether everything that export needs exists; metrics are written last."""
        return all(self._file(name).is_file() for name in ("model.keras", "signature.json", "metrics.json"))

    @property
    def model_path(self) -> Path:
        """The Keras 3 model."""
        return self._file("model.keras")

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints, one file per phase."""
        return self._file("checkpoints")

    @property
    def samples(self) -> Path:
        """Folder of what a generator made during training."""
        return self._file("samples")

    @property
    def history_path(self) -> Path:
        """CSV, one row per epoch."""
        return self._file("history.csv")

    @property
    def evaluation_path(self) -> Path:
        """Test samples and their targets."""
        return self._file("evaluation.npz")

    @property
    def quantization_path(self) -> Path:
        """Ranges of a quantized model."""
        return self._file("quantization.npz")

    @property
    def baseline_path(self) -> Path:
        """Predictions of the float32 model before compression on the test samples."""
        return self._file("baseline.npz")

    @property
    def recipe_name(self) -> str:
        """Name of the recipe; nothing is executed to read it."""
        return self._record.name

    @property
    def task(self) -> str:
        """Name of the task; nothing is executed to read it."""
        return self._record.task

    @property
    def recipe(self) -> Recipe:
        """The recipe that the run was made with; the run's own recipe.py is executed only with `trusts_recipe`.

        Raises:
            InputError: if it is missing, has changed since the run was made, or would have to be trusted.
        """
        return self._record.recipe

    @property
    def signature(self) -> Signature:
        """The device's view of the model, with the files that its steps read.

        Raises:
            InputError: if it is inconsistent, or a file is missing or has changed since the run was made.
        """
        where = self._file("signature.json")
        found = Signature.from_dict(self.read_json("signature"), str(where))
        require_consistent(found, str(where))
        return found.with_assets(lambda name: read_capped(self._file("assets") / name, _ASSET_LIMIT))

    @property
    def data(self) -> Mapping[str, Any]:
        """Facts about the data: "source", "digest" and more.

        Raises:
            InputError: if data.json is missing, or has no source.
        """
        found = self.read_json("data")
        if not isinstance(found, dict) or not isinstance(found.get("source"), str):
            raise InputError(self._file("data.json"), "must have the source of the data", found)
        return found

    @property
    def data_source(self) -> str:
        """The value of `--data`: a path or a name."""
        return str(self.data["source"])

    @property
    def openable_source(self) -> str:
        """`data_source`, if opening it executes nothing or the run is trusted.

        Raises:
            InputError: if a module would have to be imported for it.
        """
        if self.task == "control" and ":" in self.data_source and not self.trusts_recipe:
            rule = "the module that a run's environment comes from is not imported"
            raise InputError(self._file("data.json"), rule, self.data_source, TRUST)
        return self.data_source

    def settings(self) -> Any:
        """The settings that the run was made with, as a tree; recipe.py is executed only with `trusts_recipe`.

        Raises:
            InputError: if they are missing or do not fit the recipe.
        """
        return self._record.settings()

    def changed_settings(self) -> dict[str, Any]:
        """Dotted key -> value of the settings changed from the defaults; all of them if the run has no such list."""
        return self._record.changed()

    def evaluation(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Raw test samples (n, ...) and their targets (n, ...).

        Raises:
            InputError: if the file is missing or damaged.
        """
        from dltk.edge.bundle.arrays import read_npz

        found = read_npz(self.evaluation_path, {"raws", "targets"})
        return found["raws"], found["targets"]

    def inherit(self, source: Run, asked: Mapping[str, Any]) -> None:
        """Keep what was `asked` for in compress.json, then take over what a run that is made of `source` shares."""
        self.write_json(ASKED, asked)  # first: with it the folder can be resumed
        for name in _INHERITED:
            if source._file(name).is_file():
                write_atomic(self._file(name), read_capped(source._file(name)))

    def write_recipe(self, loaded: Loaded, settings: Any, *, smoke: bool) -> None:
        """Write the recipe and the resolved settings."""
        self._record.write(loaded, settings, smoke=smoke)

    def write_signature(self, signature: Signature) -> None:
        """Write the signature after its assets, so that it never names a missing file."""
        for name, data in signature.assets.items():
            write_atomic(self._file("assets") / name, data)
        self.write_json("signature", signature.as_dict())

    def write_json(self, name: str, value: Any) -> None:
        """Write `value` to `NAME.json`, whole or not at all."""
        write_atomic(self._file(f"{name}.json"), canonical_json(value))

    def read_json(self, name: str) -> Any:
        """The value that `write_json` wrote.

        Raises:
            InputError: if it is missing or not JSON.
        """
        path = self._file(f"{name}.json")
        return parse_json(read_capped(path, _JSON_LIMIT), path)

    @property
    def _record(self) -> Record:
        return Record(self.path, self.trusts_recipe)

    def _file(self, name: str) -> Path:
        return self.path / name


def _is_one_of(files: Mapping[str, bytes], path: Path) -> bool:
    data = files.get(path.name)
    return data is not None and path.is_file() and not path.is_symlink() and path.read_bytes() == data
