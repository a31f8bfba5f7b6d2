"""All cases of tests/corpus, and the data of one as `dltk finetune` reads it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from dltk import tasks
from dltk.base.progress import Silent
from dltk.data.dataset import Dataset
from dltk.recipe.load import load, resolve
from odd_data import Case

__all__ = ["CASES", "prepared"]

_FOLDER = Path(__file__).resolve().parents[1] / "corpus"


def prepared(recipe: str, source: Path, settings: tuple[str, ...]) -> tuple[Dataset, str]:
    """The data set, and the lines that were logged."""
    loaded, progress = load(recipe), Silent()
    dataset = tasks.task(loaded.task).prepare(resolve(loaded, settings), str(source), progress=progress)
    return dataset, "\n".join((*progress.said, *progress.warned))


def _cases() -> Iterator[Case]:
    for path in sorted(_FOLDER.glob("test_*.py")):
        spec = spec_from_file_location(f"corpus_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        for value in vars(module).values():
            if isinstance(value, tuple):
                yield from (each for each in value if isinstance(each, Case))


CASES = tuple(_cases())
