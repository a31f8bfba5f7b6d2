"""How the preprocessing and augmenting layers of Keras are built and called."""

from __future__ import annotations

from collections.abc import Mapping

from keras import layers as L

from layergrid.kinds import PLAIN, TOKENS, Recipe, paired

__all__ = ["PREPROCESSING"]

_RANDOM = {"value_range": ((0.0, 1.0),)}

PREPROCESSING: Mapping[str, Recipe] = {
    "AugMix": Recipe(
        values={
            "num_chains": (2,),
            "chain_depth": (2,),
            "factor": (0.1,),
            "alpha": (0.5,),
            "all_ops": (False,),
            **_RANDOM,
        }
    ),
    "AutoContrast": Recipe(values=_RANDOM),
    "CategoryEncoding": Recipe(TOKENS, {"num_tokens": 5}, {"num_tokens": (7,), "output_mode": ("one_hot", "count")}),
    "CenterCrop": Recipe(given={"height": 4, "width": 6}, values={"height": (8, 16), "width": (8,)}),
    "ContrastLimitedAdaptiveHistogramEqualization": Recipe(
        values={"clip_limit": (2.0,), "tile_grid_size": ((2, 2),), **_RANDOM}
    ),
    "CutMix": Recipe(values={"factor": (0.5,)}),
    "Discretization": Recipe(
        PLAIN,
        {"bin_boundaries": [-0.5, 0.01, 0.5]},
        {"bin_boundaries": ([0.1],), "num_bins": (), "output_mode": ("one_hot", "multi_hot", "count")},
    ),
    "Equalization": Recipe(values={"bins": (16,), **_RANDOM}),
    "HashedCrossing": Recipe(TOKENS, {"num_bins": 5}, {"num_bins": (3,), "output_mode": ("one_hot",)}, call=paired),
    "Hashing": Recipe(
        TOKENS, {"num_bins": 5}, {"num_bins": (3,), "mask_value": (0,), "salt": (3,), "output_mode": ("one_hot",)}
    ),
    "IntegerLookup": Recipe(
        TOKENS,
        {"vocabulary": [1, 2]},
        {
            "max_tokens": (9,),
            "num_oov_indices": (2,),
            "mask_token": (0,),
            "oov_token": (7,),
            "vocabulary": ([3],),
            "vocabulary_dtype": (),
            "idf_weights": (),
            "invert": (),
            "output_mode": ("one_hot",),
            "pad_to_max_tokens": (),
            "oov_method": (),
            "salt": (3,),
        },
    ),
    "MelSpectrogram": Recipe(
        PLAIN,
        {"fft_length": 64, "sequence_stride": 32, "num_mel_bins": 8},
        {
            "fft_length": (128,),
            "sequence_stride": (16,),
            "sequence_length": (64,),
            "window": ("hamming",),
            "sampling_rate": (8000,),
            "num_mel_bins": (4,),
            "min_freq": (10.0,),
            "max_freq": (4000.0,),
            "power_to_db": (False,),
            "top_db": (60.0,),
            "mag_exp": (1.0,),
            "min_power": (1e-5,),
            "ref_power": (2.0,),
        },
    ),
    "MixUp": Recipe(values={"alpha": (0.5,)}),
    "RandAugment": Recipe(values={"num_ops": (1,), "factor": (0.1,), **_RANDOM}),
    **{
        f"Random{kind}": Recipe(given={"factor": 0.2}, values={"factor": (0.5,), **_RANDOM})
        for kind in ("Brightness", "ColorDegeneration", "Contrast", "Hue", "Posterization", "Saturation", "Sharpness")
    },
    "RandomPosterization": Recipe(given={"factor": 4}, values={"factor": (2,), **_RANDOM}),
    "RandomColorJitter": Recipe(
        values={**_RANDOM, **{f"{kind}_factor": (0.2,) for kind in ("brightness", "contrast", "saturation", "hue")}}
    ),
    "RandomCrop": Recipe(given={"height": 4, "width": 6}, values={"height": (8,), "width": (8,)}),
    **{
        f"Random{kind}": Recipe(
            values={"factor": (0.5,), "scale": (0.5,), "kernel_size": (5,), "sigma": (0.5,), **_RANDOM}
        )
        for kind in ("ElasticTransform", "GaussianBlur", "Grayscale", "Invert", "Perspective")
    },
    "RandomErasing": Recipe(values={"factor": (0.5,), "scale": ((0.1, 0.2),), **_RANDOM}),
    "RandomFlip": Recipe(values={"mode": ("horizontal", "vertical")}),
    "RandomRotation": Recipe(given={"factor": 0.1}, values={"factor": (0.5,)}),
    "RandomShear": Recipe(values={"x_factor": (0.1,), "y_factor": (0.1,)}),
    "RandomTranslation": Recipe(
        given={"height_factor": 0.1, "width_factor": 0.1}, values={"height_factor": (0.2,), "width_factor": (0.2,)}
    ),
    "RandomZoom": Recipe(given={"height_factor": 0.1}, values={"height_factor": (0.2,), "width_factor": (0.2,)}),
    "Resizing": Recipe(
        given={"height": 4, "width": 4},
        values={
            "height": (7, 16),
            "width": (5,),
            "crop_to_aspect_ratio": (True,),
            "pad_to_aspect_ratio": (True,),
            "fill_mode": ("constant",),
        },
    ),
    "STFTSpectrogram": Recipe(
        PLAIN,
        {"frame_length": 32},
        {
            "mode": ("magnitude", "psd", "angle"),
            "frame_length": (64,),
            "frame_step": (8,),
            "fft_length": (64,),
            "window": ("hamming",),
            "periodic": (True,),
            "scaling": ("spectrum",),
            "expand_dims": (True,),
        },
        call=lambda layer, x: layer(L.Reshape((192, 1))(x)),
    ),
    "Solarization": Recipe(values={"addition_factor": (0.1,), "threshold_factor": (0.1,), **_RANDOM}),
}
