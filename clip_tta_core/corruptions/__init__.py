"""Corruptions: uint8 pictures in, uint8 pictures out, and what each of the nineteen is called and means."""

from clip_tta_core.corruptions import blur, digital, noise, weather
from clip_tta_core.corruptions.base import (
    CORRUPTIONS,
    SEVERITIES,
    Corruption,
    corrupt,
    corrupt_batch,
    image_seed,
)

__all__ = ["CORRUPTIONS", "SEVERITIES", "Corruption", "corrupt", "corrupt_batch", "image_seed"]

for _corruption in (  # the fifteen in the benchmark's order, then the four for validation
    noise.gaussian_noise,
    noise.shot_noise,
    noise.impulse_noise,
    blur.defocus_blur,
    blur.glass_blur,
    blur.motion_blur,
    blur.zoom_blur,
    weather.snow,
    weather.frost,
    weather.fog,
    digital.brightness,
    digital.contrast,
    digital.elastic_transform,
    digital.pixelate,
    digital.jpeg_compression,
    noise.speckle_noise,
    blur.gaussian_blur,
    weather.spatter,
    digital.saturate,
):
    CORRUPTIONS.register(_corruption)
