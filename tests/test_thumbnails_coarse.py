"""A picture as a small model takes it, every one of its pixels a square."""

import numpy as np

from clip_tta_core.thumbnails import coarse


def test_every_small_pixel_is_a_square_of_one_colour():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    shown = coarse(images, 4, 48)
    assert shown.shape == (2, 48, 48, 3)
    squares = shown.reshape(2, 4, 12, 4, 12, 3)
    assert (squares == squares[:, :, :1, :, :1]).all()
    assert len(np.unique(squares[0, :, 0, :, 0].reshape(16, 3), axis=0)) > 8


def test_a_plain_picture_stays_as_it_is():
    assert (coarse(np.full((1, 50, 50, 3), 77, np.uint8), 32, 48) == 77).all()
