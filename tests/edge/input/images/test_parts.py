"""How many parts a picture has, from its markers alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dltk.base.errors import InputError
from dltk.edge.input.images.decode import decode_image
from dltk.edge.input.images.parts import count_scans, require_few_parts


def saved(kind, **how):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **how)
    return stream.getvalue()


def test_scans_of_a_progressive_jpeg_are_counted():
    assert count_scans(saved("JPEG")) == 1
    assert count_scans(saved("JPEG", restart_marker_blocks=1)) == 1
    assert count_scans(saved("JPEG", progressive=True)) == 10  # libjpeg's script for three channels


def test_what_stands_behind_a_jpeg_is_no_part_of_it():
    """A motion photo has a video there, in which the bytes of every marker come by chance."""
    video = np.random.default_rng(1).integers(0, 256, 20_000_000).astype(np.uint8).tobytes()
    assert video.count(b"\xff\xda") > 100
    data = saved("JPEG") + video
    assert count_scans(data) == 1
    assert (decode_image(data) == decode_image(saved("JPEG"))).all()


def test_a_thumbnail_is_none_either():
    data = saved("JPEG")
    inside = b"\xff\xe1" + (len(data) + 2).to_bytes(2, "big") + data
    assert count_scans(data[:2] + inside + data[2:]) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_picture_cut_anywhere_ends_the_count(kind):
    data = saved(kind)
    for end in range(0, len(data), 7):
        require_few_parts(data[:end], "a")
        count_scans(data[:end])


def test_every_frame_of_an_animation_may_be_large():
    frames = [Image.fromarray(np.full((9, 9), grey, np.uint8)) for grey in range(200)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    require_few_parts(stream.getvalue(), "a")


def test_too_many_parts_are_one_error():
    data = saved("JPEG")
    with pytest.raises(InputError, match="may be made of at most 50000 segments"):
        require_few_parts(data[:2] + b"\xff\xe1\0\x02" * 60_000 + data[2:], "a")
