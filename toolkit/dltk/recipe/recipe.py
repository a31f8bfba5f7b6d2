"""A recipe: settings, plain Keras code that builds the model, and the data that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dltk.base.errors import InputError
from dltk.recipe.groups import Fit

__all__ = ["Built", "Contract", "DataHint", "Phase", "Recipe"]


@dataclass(frozen=True)
class Contract:
    """What the data requires of the model.

    Attributes:
        inputs: input name -> shape of one sample, without the batch.
        outputs: output name -> shape of one sample's output.
        input_ranges: input name -> lowest and highest value, if the model needs it, such as for tokens.
        labels: one per class, in the order of the output; empty if there are none.
        assets: file name -> bytes that samples are read with, such as a tokenizer.
        facts: other facts of the data that a model may need, such as the season of a series.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    input_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    assets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input, for models with one input.

        Raises:
            InputError: if the data gives several inputs.
        """
        if len(self.inputs) != 1:
            raise InputError("recipe", "builds a model with one input", f"the inputs {', '.join(self.inputs)}")
        return next(iter(self.inputs.values()))

    @property
    def output_size(self) -> int:
        """Size of the last axis of the output, for models with one output: classes, latent size ..."""
        (shape,) = self.outputs.values()
        return shape[-1]


@dataclass(frozen=True)
class Phase:
    """One phase of training.

    Attributes:
        name: "head", "tune", "fit"; checkpoints and history carry it.
        fit: its settings.
        frozen_through: this layer and all layers before it keep their weights; None: all layers train.
    """

    name: str
    fit: Fit
    frozen_through: str | None = None


@dataclass(frozen=True)
class Built:
    """What a recipe's `build` returns.

    Attributes:
        model: a functional Keras 3 model whose inputs and outputs carry the contract's names; outputs are logits if
        the task classifies.
        phases: the phases of training, in order.
        preprocess: steps from the cached raw sample to the input tensor, e.g.
            `{"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}`; they also run on the device.
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
    """The data that a recipe needs, for `dltk recipes NAME`.

    Attributes:
        layout: one line: "a folder of images, one subfolder per class; or CSV path,label".
        sample: three example lines.
        default: the data used when `--data` is not given, or None.
        example: name of the example that `dltk recipes NAME --example DIR` writes (`dltk.data.examples`), or None.
    """

    layout: str
    sample: str
    default: str | None = None
    example: str | None = None


@dataclass(frozen=True)
class Recipe:
    """One short file in `recipes/`.

    Attributes:
        name: as typed on the command line.
        summary: one line.
        task: name of a task in `dltk.tasks`.
        settings: a frozen tree; its groups `seed` and `data` are read by the task, the rest by `build`.
        build: (settings, contract) -> Built; imports Keras inside.
        smoke: dotted key -> value: shrinks a run to seconds. Settings given with `--set` are not shrunk; a value that
        depends on them, or on an entry above it, is a function (settings) -> value.
        data: the data that it needs.
        check: (settings) -> None: raises InputError, before any data is read, if settings do not fit each other; None:
        nothing to check.
    """

    name: str
    summary: str
    task: str
    settings: Any
    build: Callable[[Any, Contract], Built]
    smoke: Mapping[str, Any]
    data: DataHint
    check: Callable[[Any], None] | None = None
