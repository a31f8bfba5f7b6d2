"""Learning rates as closed forms of the step, so that a resumed run needs no state for them."""

from __future__ import annotations

import math

from dltk.recipe.groups import Fit

__all__ = ["rate"]


def rate(fit: Fit, step: int, steps: int) -> float:
    """The learning rate of optimizer step `step` (from 0), with `steps` steps an epoch.

    Linear warm-up over `fit.warmup` epochs reaches the peak, then the schedule runs over what is left: cosine to zero
    (arXiv:1608.03983, one cycle), a factor every `decay_every` epochs in steps, or the same smoothly. "plateau" is
    constant here; the trainer multiplies its own factor in.
    """
    warm = fit.warmup * steps
    if step < warm:
        return fit.learning_rate * (step + 1) / (warm + 1)
    after = step - warm
    if fit.schedule == "cosine":
        left = max(fit.epochs * steps - warm, 1.0)
        return fit.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(after / left, 1.0)))
    if fit.schedule == "step":
        # The small part keeps a boundary that floating point puts just before the whole number.
        return fit.learning_rate * fit.decay_factor ** math.floor(after / (fit.decay_every * steps) + 1e-9)
    if fit.schedule == "exponential":
        return fit.learning_rate * float(fit.decay_factor ** (after / (fit.decay_every * steps)))
    return fit.learning_rate
