"""The backbones that dltk knows, as plain facts: no Keras here, so that asking about them is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dltk.base.errors import InputError, did_you_mean
from dltk.models.backbones import origins
from dltk.models.backbones.origins import Origin, Scale

__all__ = ["BACKBONES", "Backbone", "backbone"]


@dataclass(frozen=True)
class Backbone:
    """A pretrained feature extractor of `keras.applications`.

    Attributes:
        name: as recipes and the command line write it.
        title: as papers write it.
        keras_class: the function in `keras.applications`; `arguments` are passed to it every time.
        parameters: number of weights without the classifier, at width 1.
        sizes: those worth choosing from; the official weights of some differ with the size.
        min_size: the smallest height and width that it accepts.
        scale: what is done to uint8 RGB when the weights are random or the user's own; an origin brings its own.
        unfreeze_after: the layer after which partial unfreezing begins. Everything flows through its one output
            tensor, so what lies before it can be computed once and cached.
        batch_norm: "after convolution", "before convolution" (of at least some) or "none".
        alphas: the width multipliers there are.
        origins: where ImageNet weights can come from, tried in this order.
    """

    name: str
    title: str
    keras_class: str
    parameters: int
    scale: Scale
    unfreeze_after: str
    origins: tuple[Origin, ...]
    sizes: tuple[int, ...] = (128, 160, 192, 224)
    min_size: int = 32
    batch_norm: str = "after convolution"
    alphas: tuple[float, ...] = (1.0,)
    arguments: Mapping[str, Any] = field(default_factory=dict)


_BARE = {"include_preprocessing": False}  # the scaling stands in the manifest instead, where every runtime shares it
_V1_ALPHAS = (0.25, 0.5, 0.75, 1.0)
_V2_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_V3_ALPHAS = (0.75, 1.0)

_ALL = (
    Backbone(
        "mobilenet",
        "MobileNet",
        "MobileNet",
        3_228_864,
        origins.TF,
        "conv_pw_11_relu",
        (
            origins.official("mobilenet/mobilenet_{alpha_text}_{size}_tf_no_top.h5", origins.TF, alphas=_V1_ALPHAS),
            origins.MOBILENET_TFLITE,
        ),
        alphas=_V1_ALPHAS,
    ),
    Backbone(
        "mobilenet-v2",
        "MobileNetV2",
        "MobileNetV2",
        2_257_984,
        origins.TF,
        "block_12_add",
        (
            origins.official(
                "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}_no_top.h5",
                origins.TF,
                alphas=_V2_ALPHAS,
            ),
            origins.MOBILENET_V2_PTH,
        ),
        sizes=(96, 128, 160, 192, 224),
        alphas=_V2_ALPHAS,
    ),
    Backbone(
        "mobilenet-v3-small",
        "MobileNetV3 Small",
        "MobileNetV3Small",
        939_120,
        origins.TF,
        "expanded_conv_7_add",
        (
            origins.official(
                "mobilenet_v3/weights_mobilenet_v3_small_224_{alpha}_float_no_top_v2.h5",
                origins.TF,
                {0.75: "md5:ebdb5cc8e0b497cd13a7c275d475c819", 1.0: "md5:d3e8ec802a04aa4fc771ee12a9a9b836"},
                alphas=_V3_ALPHAS,
            ),
        ),
        alphas=_V3_ALPHAS,
        arguments=_BARE | {"minimalistic": False},
    ),
    Backbone(
        "mobilenet-v3-large",
        "MobileNetV3 Large",
        "MobileNetV3Large",
        2_996_352,
        origins.TF,
        "expanded_conv_11_add",
        (
            origins.official(
                "mobilenet_v3/weights_mobilenet_v3_large_224_{alpha}_float_no_top_v2.h5",
                origins.TF,
                {0.75: "md5:40af19a13ebea4e2ee0c676887f69a2e", 1.0: "md5:07fb09a5933dd0c8eaafa16978110389"},
                alphas=_V3_ALPHAS,
            ),
        ),
        alphas=_V3_ALPHAS,
        arguments=_BARE | {"minimalistic": False},
    ),
    Backbone(
        "efficientnet-b0",
        "EfficientNet B0",
        "EfficientNetB0",
        4_049_571,
        origins.IDENTITY,  # Rescaling and Normalization are layers of this one: its Normalization has trained numbers
        "block5c_add",
        (
            origins.official(
                "efficientnetb0_notop.h5",
                origins.IDENTITY,
                {1.0: "md5:50bc09e76180e00e4465e1a485ddc09d"},
                variant=origins.EFFICIENTNET,
                base="https://storage.googleapis.com/keras-applications/",
            ),
        ),
    ),
    Backbone(
        "efficientnet-v2-b0",
        "EfficientNetV2 B0",
        "EfficientNetV2B0",
        5_919_312,
        origins.MEAN_STD,
        "block5e_add",
        (
            origins.official(
                "efficientnet_v2/efficientnetv2-b0_notop.h5",
                origins.MEAN_STD,
                {1.0: "md5:893217f2bb855e2983157299931e43ff"},
            ),
        ),
        arguments=_BARE,
    ),
    Backbone(
        "resnet50",
        "ResNet50",
        "ResNet50",
        23_587_712,
        origins.CAFFE,
        "conv4_block6_out",
        (
            origins.official(
                "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
                origins.CAFFE,
                {1.0: "md5:4d473c1dd8becc155b73f8504c6f6626"},
            ),
            origins.RESNET50_TFJS,
        ),
    ),
    Backbone(
        "resnet50-v2",
        "ResNet50V2",
        "ResNet50V2",
        23_564_800,
        origins.TF,
        "conv4_block6_out",
        (
            origins.official(
                "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
                origins.TF,
                {1.0: "md5:fac2f116257151a9d068a22e544a4917"},
            ),
        ),
        batch_norm="before convolution",
    ),
    Backbone(
        "densenet121",
        "DenseNet121",
        "DenseNet121",
        7_037_504,
        origins.MEAN_STD,
        "pool4_pool",
        (
            origins.official(
                "densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
                origins.MEAN_STD,
                {1.0: "md5:30ee3e1110167f948a6b9946edeeb738"},
            ),
        ),
        batch_norm="before convolution",
    ),
    Backbone(
        "nasnet-mobile",
        "NASNet Mobile",
        "NASNetMobile",
        4_269_716,
        origins.TF,
        "stem_bn1",  # every cell reads the two before it: between the stem and the end no single tensor carries all
        (
            origins.official(
                "nasnet/NASNet-mobile-no-top.h5", origins.TF, {1.0: "md5:1ed92395b5b598bdda52abe5c0dbfd63"}
            ),
        ),
    ),
    Backbone(
        "xception",
        "Xception",
        "Xception",
        20_861_480,
        origins.TF,
        "add_10",
        (
            origins.official(
                "xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
                origins.TF,
                {1.0: "md5:b0042744bf5b25fce3cb969f33bebb97"},
            ),
        ),
        sizes=(128, 160, 224, 299),
        min_size=71,
    ),
    Backbone(
        "convnext-tiny",
        "ConvNeXt Tiny",
        "ConvNeXtTiny",
        27_820_128,
        origins.MEAN_STD,
        "convnext_tiny_downsampling_conv_2",
        (
            origins.official(
                "convnext/convnext_tiny_notop.h5",
                origins.MEAN_STD,
                {1.0: "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"},
            ),
        ),
        batch_norm="none",
        arguments=_BARE,
    ),
)

BACKBONES: Mapping[str, Backbone] = MappingProxyType({each.name: each for each in _ALL})


def backbone(name: str, where: str = "backbone") -> Backbone:
    """The backbone called `name`; `where` is the place of the name, for messages.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in BACKBONES:
        hint = f"{did_you_mean(name, BACKBONES)} `dltk backbones` lists them."
        raise InputError(where, "must be one that dltk knows", name, hint)
    return BACKBONES[name]
