"""What happens to photographs before they reach us: blur, shrinking, noise, JPEG; chained, seeded, repeatable (notebook 01)."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from srlib.images.resize import crop_to_multiple, imresize


def matlab(hr: np.ndarray, scale: int) -> np.ndarray:
    """MATLAB's antialiased bicubic, what every published number rests on.  uint8 or uint16, sides multiples of scale."""
    return imresize(hr, 1 / scale)


def pillow(hr: np.ndarray, scale: int) -> np.ndarray:
    """Pillow's bicubic, which differs from MATLAB's in one value of six.  uint8, or uint16 if gray."""
    return np.asarray(
        Image.fromarray(hr).resize(
            (hr.shape[1] // scale, hr.shape[0] // scale), Image.Resampling.BICUBIC
        )
    )


METHODS = {"matlab": matlab, "pillow": pillow}  # name -> downscaler(hr, scale)


@dataclass(frozen=True)
class Degradation:
    """How HR becomes LR, in the order in which it happens to a photograph: blur, shrink, noise, JPEG.

    The lens blurs before the sensor samples, so blur comes first and is given in HR pixels; the sensor's noise is there
    before the camera compresses, so JPEG comes last and sees it.  With all three off this is the downscaler alone, exactly.

    scale: whole number from 1 (1 shrinks nothing).  method: a name in METHODS.  blur: standard deviation of a Gaussian, in
    HR pixels, the image mirrored at its edges.  noise: standard deviation of Gaussian noise, in levels of 255, independent in
    every pixel and channel.  jpeg_quality: 1 to 95, or None for no JPEG.  Raises ValueError for anything else.
    """

    scale: int = 4
    method: str = "matlab"
    blur: float = 0.0
    noise: float = 0.0
    jpeg_quality: int | None = None

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(f"method is one of {', '.join(METHODS)}, not {self.method!r}.")
        if not isinstance(self.scale, int) or self.scale < 1:
            raise ValueError(
                f"The scale of a degradation is a whole number from 1, not {self.scale}."
            )
        for name in ("blur", "noise"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(
                    f"{name} is a standard deviation, 0 or more, not {getattr(self, name)}."
                )
        if self.jpeg_quality is not None and self.jpeg_quality not in range(1, 96):
            raise ValueError(f"jpeg_quality is 1 to 95, or None, not {self.jpeg_quality}.")

    def __call__(self, hr: np.ndarray, seed: int = 0, *, name: str = "") -> np.ndarray:
        """The LR image of a uint8 or uint16 image, (H, W) or (H, W, 3), of the same depth: (H // scale, W // scale, ...).

        The noise depends on `seed` and `name` alone, so an image gets the same noise whichever worker, order or machine
        makes it, and images of different names get different noise.  hr is cropped to a multiple of the scale.  Raises
        TypeError for another depth, ValueError for an image smaller than the scale, or for JPEG of 16 bits, which has none.
        """
        image = crop_to_multiple(hr, self.scale)
        if image.size == 0:
            raise ValueError(f"The picture is smaller than {self.scale} pixels.")
        if self.jpeg_quality is not None and image.dtype != np.uint8:
            raise ValueError(
                "JPEG holds 8 bits; convert the picture to uint8 first, or leave jpeg_quality out."
            )
        if self.blur:
            image = _blurred(image, self.blur)
        image = METHODS[self.method](image, self.scale)
        if self.noise:
            image = _noisy(image, self.noise, np.random.default_rng(_entropy(seed, name)))
        return image if self.jpeg_quality is None else jpeg_round_trip(image, self.jpeg_quality)


def jpeg_round_trip(image: np.ndarray, quality: int) -> np.ndarray:
    """What is left of a uint8 image after saving it as JPEG of this quality (1 to 95), as phones and web sites do."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as saved:
        return np.asarray(saved)


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import (
        gaussian_filter,  # here: slow to import, and most LR images are made without blur
    )

    sigmas = (sigma, sigma, 0)[: image.ndim]
    return _to_depth(gaussian_filter(image.astype(np.float64), sigmas, mode="reflect"), image.dtype)


def _noisy(image: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    level = np.iinfo(image.dtype).max / 255
    return _to_depth(image + generator.normal(0, sigma * level, image.shape), image.dtype)


def _to_depth(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return np.clip(np.floor(values + 0.5), 0, np.iinfo(dtype).max).astype(dtype)


def _entropy(seed: int, name: str) -> int:
    """A number from seed and name; by a hash that, unlike hash(), is the same in every process."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:16], "big")
