"""A recipe: settings, plain Keras code that builds the model, and what data it wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dltk.base.errors import InputError
from dltk.recipe.groups import Fit

__all__ = ["Built", "Contract", "DataHint", "Phase", "Recipe"]


@dataclass(frozen=True)
class Contract:
    """What the data asks of the model.

    Attributes:
        inputs: input name -> shape of one sample, without the batch.
        outputs: output name -> shape of one sample's output.
        input_ranges: input name -> lowest and highest value, where the model must know it: of tokens, say.
        labels: one a class, in the order of the output; empty where there are none.
        assets: file name -> bytes that samples are read with, such as a tokenizer.
        facts: what else the data says and a model may be built by, such as the season of a series.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    input_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    assets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The one input's shape, for models that have one.

        Raises:
            InputError: if the data gives several inputs.
        """
        if len(self.inputs) != 1:
            raise InputError("recipe", "builds a model of one input", f"the inputs {', '.join(self.inputs)}")
        return next(iter(self.inputs.values()))

    @property
    def output_size(self) -> int:
        """The last axis of the one output: classes, latent size ..."""
        (shape,) = self.outputs.values()
        return shape[-1]


@dataclass(frozen=True)
class Phase:
    """One stretch of training.

    Attributes:
        name: "head", "tune", "fit"; checkpoints and history carry it.
        fit: how it goes.
        frozen_through: layer whose output is the cut: it and everything before it keep their weights; None: all train.
    """

    name: str
    fit: Fit
    frozen_through: str | None = None


@dataclass(frozen=True)
class Built:
    """What a recipe's `build` returns.

    Attributes:
        model: a functional Keras 3 model whose inputs and outputs carry the contract's names; outputs are logits
            where the task classifies.
        phases: how it is trained, in order.
        preprocess: steps from the cached raw sample to the input tensor, e.g.
            `{"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}`; they run on the device too.
        parts: further models that training needs and the device does not (a discriminator).
        notes: name -> text, kept with the run (where the weights came from).
    """

    model: Any
    phases: tuple[Phase, ...]
    preprocess: tuple[Mapping[str, Any], ...] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DataHint:
    """What a recipe wants from its user, for `dltk recipes NAME`.

    Attributes:
        layout: one line: "a folder of images, one subfolder a class; or CSV path,label".
        sample: three lines that show it.
        default: the data used when `--data` is not given, or None.
    """

    layout: str
    sample: str
    default: str | None = None


@dataclass(frozen=True)
class Recipe:
    """One short file in `recipes/`.

    Attributes:
        name: as typed on the command line.
        summary: one line.
        task: name of a task in `dltk.tasks`.
        settings: a frozen tree; its groups `seed` and `data` are read by the task, the rest by `build`.
        build: (settings, contract) -> Built; imports Keras inside.
        smoke: dotted key -> value: shrinks a run to seconds. Only what was not given with `--set` is shrunk; a value
            that has to fit what was given, or what stands above it here, is a function (settings) -> value.
        data: what data it wants.
        check: (settings) -> None: raises InputError, before any data is read, where settings do not fit each other;
            None: nothing to check.
    """

    name: str
    summary: str
    task: str
    settings: Any
    build: Callable[[Any, Contract], Built]
    smoke: Mapping[str, Any]
    data: DataHint
    check: Callable[[Any], None] | None = None
