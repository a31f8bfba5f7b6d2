"""Argument of a Keras layer -> the values that are tried, one at a time; `recipes` has those of one class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

__all__ = ["ACTIVATIONS", "VALUES", "values_of"]

_NOT_FUNCTIONS = {"deserialize", "get", "serialize"}
ACTIVATIONS = tuple(sorted({name for name in dir(keras.activations) if name[0] != "_"} - _NOT_FUNCTIONS))
_POLICIES = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16", "float64")


def _layers_as_functions() -> tuple[Any, ...]:
    """A layer where the name of a function is usual."""
    return (keras.layers.LeakyReLU(0.1), keras.layers.Activation("relu"))


VALUES: Mapping[str, Callable[[], tuple[Any, ...]]] = {
    "activation": lambda: (None, *ACTIVATIONS, *_layers_as_functions()),
    "recurrent_activation": lambda: (None, *ACTIVATIONS, *_layers_as_functions()[:1]),
    "activity_regularizer": lambda: ("l2",),
    "antialias": lambda: (True,),
    "attention_axes": lambda: (1,),
    "autocast": lambda: (False,),
    "axis": lambda: (1, -1),
    "center": lambda: (False,),
    "data_format": lambda: ("channels_last", "channels_first"),
    "depth_multiplier": lambda: (2, 3),
    "dilation_rate": lambda: (2, 3),
    "dropout": lambda: (0.5,),
    "dtype": lambda: _POLICIES,
    "epsilon": lambda: (1e-7, 0.1),
    "filters": lambda: (1,),
    "fill_mode": lambda: ("constant", "nearest", "wrap"),
    "fill_value": lambda: (0.5,),
    "flash_attention": lambda: (False,),
    "go_backwards": lambda: (True,),
    "groups": lambda: (2, 4),
    "interpolation": lambda: ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"),
    "keepdims": lambda: (True,),
    "logit_soft_cap": lambda: (2.0,),
    "lora_alpha": lambda: (0.5,),
    "lora_rank": lambda: (1,),
    "mask_zero": lambda: (True,),
    "momentum": lambda: (0.5,),
    "name": lambda: ("with space", "sla/sh", "ünïcode", "99", "_under", "dot.ted", "a:0", "a@1", "x" * 300),
    "noise_shape": lambda: ((1,),),
    "normalize": lambda: (True,),
    "output_padding": lambda: (0, 1),
    "padding": lambda: ("valid", "same", "causal"),
    "pool_size": lambda: (1, 2, 3),
    "quantization_config": lambda: (None,),
    "rate": lambda: (0.0, 0.9),
    "recurrent_dropout": lambda: (0.5,),
    "renorm_clipping": lambda: (None,),
    "renorm_momentum": lambda: (0.5,),
    "renorm": lambda: (True,),
    "reset_after": lambda: (False,),
    "return_sequences": lambda: (True,),
    "return_state": lambda: (True,),
    "scale": lambda: (False,),
    "seed": lambda: (3,),
    "sliding_window": lambda: (2,),
    "sparse": lambda: (True,),
    "stateful": lambda: (True,),
    "stddev": lambda: (0.0,),
    "strides": lambda: (1, 2, 4),
    "synchronized": lambda: (True,),
    "trainable": lambda: (False,),
    "unit_forget_bias": lambda: (False,),
    "units": lambda: (1,),
    "unroll": lambda: (True,),
    "use_bias": lambda: (False,),
    "use_cudnn": lambda: (True, False),
    "use_gate": lambda: (True,),
    "use_scale": lambda: (True, False),
    "zero_output_for_mask": lambda: (True,),
}
_BY_ENDING: Mapping[str, tuple[Any, ...]] = {
    "_initializer": ("he_normal",),
    "_regularizer": ("l2",),
    "_constraint": ("non_neg",),
}


def values_of(argument: str) -> tuple[Any, ...] | None:
    """The values that are tried of an argument of that name; None where nobody has thought of any."""
    if argument in VALUES:
        return VALUES[argument]()
    return next((found for ending, found in _BY_ENDING.items() if argument.endswith(ending)), None)
