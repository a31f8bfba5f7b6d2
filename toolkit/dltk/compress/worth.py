"""What training in a step came to on the validation split, beside the model that came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dltk.compress.candidate import Candidate, Workbench
from dltk.compress.retrain import Retrain, as_fit

__all__ = ["judged"]

_SAME = 1e-6  # relative: what sums in another order differ by
_METRIC, _LOSS = "validation_accuracy", "validation_loss"


def judged(
    trainer: Any, history: Sequence[Mapping[str, Any]], candidate: Candidate, settings: Retrain, bench: Workbench
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(figures, warnings): "kept", the epoch whose weights the step gives; "validation": metric, before, after, count.

    Where the result is worse than `candidate` by the validation split, the one warning says so. Without a validation
    split there is nothing to say.

    Args:
        history: of the last phase that the step trained.
    """
    from dltk.training import kept_of, validation_of

    kept, count = kept_of(trainer, history, None), len(bench.dataset.validation)
    if kept is None or _LOSS not in kept:
        return {"kept": kept}, ()
    came = validation_of(candidate.model, bench.dataset, bench.signature, as_fit(settings), progress=bench.progress)
    metric = _METRIC if _METRIC in kept else _LOSS
    before, after = came[metric], float(kept[metric])
    found = {"metric": metric.removeprefix("validation_"), "before": before, "after": after, "count": count}
    lost = before - after if metric == _METRIC else after - before
    worse = lost > _SAME * max(abs(before), abs(after))
    return {"kept": kept, "validation": found}, (_told(trainer.name, found),) if worse else ()


def _told(name: str, found: Mapping[str, Any]) -> str:
    before, after, count = found["before"], found["after"], found["count"]
    where = f"on the {count} validation samples"
    if found["metric"] == "loss":
        return f"{name}: worse than what came in {where}: loss {before:.3g} before, {after:.3g} after"
    return f"{name}: worse than what came in {where}: accuracy {before:.3f} before, {after:.3f} after"
