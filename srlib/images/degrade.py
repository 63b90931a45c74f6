"""Degradations of real photographs: blur, shrinking, noise and JPEG, chained and repeatable."""

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from srlib.images.resize import crop_to_multiple, imresize


def matlab(hr: np.ndarray, scale: int) -> np.ndarray:
    """MATLAB's antialiased bicubic, which all published numbers use, of uint8 or uint16."""
    return imresize(hr, 1 / scale)


def pillow(
    hr: np.ndarray, scale: int, *, method: Image.Resampling = Image.Resampling.BICUBIC
) -> np.ndarray:
    """Pillow's resize of uint8 or gray uint16; one in six values of its bicubic is not MATLAB's."""
    size = (hr.shape[1] // scale, hr.shape[0] // scale)
    return np.asarray(Image.fromarray(hr).resize(size, method))


METHODS = {"matlab": matlab, "pillow": pillow}  # name -> downscaler(hr, scale)


@dataclass(frozen=True)
class Degradation:
    """The way from HR to LR in the order of a real photograph: blur, shrink, noise, JPEG.

    The lens blurs before the sensor samples, and the sensor adds noise before the camera
    compresses. With blur, noise and JPEG off this is the downscaler alone, exactly.

    Attributes:
        scale: How many times smaller, a whole number; 1 shrinks nothing.
        method: The downscaler, a name in METHODS.
        blur: Standard deviation of a Gaussian in HR pixels; the image is mirrored at its edges.
        noise: Standard deviation of Gaussian noise in grey levels of 255, independent in every
            pixel and channel.
        jpeg_quality: 1 to 95, or None for no JPEG.

    Raises:
        ValueError: A field has any other value.

    Example:
        >>> hr = np.zeros((8, 12, 3), np.uint8)
        >>> Degradation(scale=4, blur=1.2, noise=5, jpeg_quality=60)(hr, seed=1).shape
        (2, 3, 3)
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
            raise ValueError(f"The scale is a whole number from 1, not {self.scale}.")
        for name in ("blur", "noise"):
            deviation = getattr(self, name)
            if not 0 <= deviation < np.inf:
                raise ValueError(f"{name} is a standard deviation, 0 or more, not {deviation}.")
        if self.jpeg_quality is not None and self.jpeg_quality not in range(1, 96):
            raise ValueError(f"jpeg_quality is 1 to 95, or None, not {self.jpeg_quality}.")

    def __call__(self, hr: np.ndarray, seed: int = 0, *, name: str = "") -> np.ndarray:
        """Make the LR image of an HR image.

        The noise depends on `seed` and `name` alone: an image gets the same noise in every process
        and on every machine, and images of different names get different noise.

        Args:
            hr: uint8 or uint16, (H, W) or (H, W, 3). It is cropped to a multiple of the scale.
            seed: Changes the noise.
            name: The image's name.

        Returns:
            The same dtype, (H // scale, W // scale, ...).

        Raises:
            TypeError: The image is neither uint8 nor uint16.
            ValueError: The image is smaller than the scale, or has 16 bits and JPEG is asked for.
        """
        image = crop_to_multiple(hr, self.scale)
        if image.size == 0:
            raise ValueError(f"The picture is smaller than {self.scale} pixels.")
        if self.jpeg_quality is not None and image.dtype != np.uint8:
            raise ValueError("JPEG holds 8 bits: convert the picture to uint8, or leave JPEG out.")
        if self.blur:
            image = _blurred(image, self.blur)
        image = METHODS[self.method](image, self.scale)
        if self.noise:
            # hash() differs from process to process; this does not.
            digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
            generator = np.random.default_rng(int.from_bytes(digest[:16], "big"))
            level = np.iinfo(image.dtype).max / 255
            noise = generator.normal(0, self.noise * level, image.shape)
            image = rounded(image + noise, image.dtype)
        return image if self.jpeg_quality is None else jpeg_round_trip(image, self.jpeg_quality)


def jpeg_round_trip(image: np.ndarray, quality: int, *, subsampling: str = "4:2:0") -> np.ndarray:
    """Save a uint8 image as JPEG and read it again, as phones and web sites do.

    Args:
        image: (H, W) or (H, W, 3).
        quality: 1 to 95, on libjpeg's scale.
        subsampling: "4:2:0" halves the colour both ways, "4:4:4" keeps it.
    """
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(stream) as saved:
        return np.asarray(saved)


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # slow to import, and most LR images have no blur

    sigmas = (sigma, sigma, 0)[: image.ndim]
    return rounded(gaussian_filter(image.astype(np.float64), sigmas, mode="reflect"), image.dtype)


def rounded(values: np.ndarray, dtype: type) -> np.ndarray:
    """Round floats half up to an integer type, clipped to its range."""
    return np.clip(np.floor(values + 0.5), 0, np.iinfo(dtype).max).astype(dtype)
