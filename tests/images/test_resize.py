from fractions import Fraction
from math import lcm

import numpy as np
import pytest
from conftest import BENCHMARKS, ROOT, SAMPLES
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from srlib.images.picture import read_image
from srlib.images.resize import crop_to_multiple, cubic, imresize

FIXTURES = ROOT / "tests" / "fixtures" / "resize"
CROPS = {  # small windows of two sample photographs, one of them gray, odd-sized
    "bee": ("0801.png", slice(200, 296), slice(300, 396), False),
    "roofs": ("0805.png", slice(130, 201), slice(60, 143), False),
    "astronaut-gray": ("0804.png", slice(60, 141), slice(180, 289), True),
}
FACTORS = {"x2": 1 / 2, "x3": 1 / 3, "x4": 1 / 4, "up2.5": 2.5}


def crop(name: str) -> np.ndarray:
    file, rows, columns, gray = CROPS[name]
    rgb = read_image(SAMPLES / "DIV2K_valid_HR" / file).rgb[rows, columns]
    return np.ascontiguousarray(rgb[..., 1] if gray else rgb)


def cases():
    return [
        (name, factor, border)
        for name in CROPS
        for factor in FACTORS
        for border in ("symmetric", "replicate")
    ]


@pytest.mark.parametrize("set_name", ["Set5", "Set14"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_equals_matlab_in_every_pixel(benchmarks, set_name, scale):
    folder = benchmarks / set_name / f"X{scale}"
    files = sorted((folder / "HR").glob("*.png"))
    assert len(files) == {"Set5": 5, "Set14": 14}[set_name]
    for file in files:
        hr = np.asarray(Image.open(file))
        lr = np.asarray(Image.open(folder / "LR" / file.name))
        assert np.array_equal(imresize(hr, 1 / scale, border="replicate"), lr), file.name


@pytest.mark.parametrize(("name", "factor", "border"), cases())
def test_is_still_what_was_proved_equal_to_matlab(name, factor, border):
    """The committed pictures were made by this file, run as a script, when the test above passed."""
    expected = np.asarray(Image.open(FIXTURES / f"{name}-{factor}-{border}.png"))
    answer = imresize(crop(name), FACTORS[factor], border=border)
    differ = np.abs(answer.astype(int) - expected)
    # At 2.5 a few sums end halfway between two levels, and the processor's order of adding decides.
    allowed = 10 if factor == "up2.5" else 0
    assert np.count_nonzero(differ) <= allowed
    assert differ.max() <= 1


def plain(image: np.ndarray, scale: float, border: str) -> np.ndarray:
    """The definition, tap by tap, in float64 alone: for each output pixel the kernel over all source pixels it reaches."""
    for _ in range(2):  # rows, then columns
        size = image.shape[0]
        stretch = min(scale, 1.0)
        padded = {"symmetric": "symmetric", "replicate": "edge"}[border]
        margin = int(np.ceil(2 / stretch)) + 2
        wide = np.pad(
            image.astype(np.float64), [(margin, margin)] + [(0, 0)] * (image.ndim - 1), mode=padded
        )
        centre = np.arange(int(np.ceil(size * scale))) / scale + 0.5 * (1 / scale - 1)
        weights = cubic((centre[:, None] - np.arange(-margin, size + margin)) * stretch)
        values = np.tensordot(weights / weights.sum(1, keepdims=True), wide, 1)
        image = (
            np.clip(np.floor(values + 0.5), 0, np.iinfo(image.dtype).max)
            .astype(image.dtype)
            .swapaxes(0, 1)
        )
    return image


@pytest.mark.parametrize("border", ["symmetric", "replicate"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_float32_rounds_as_float64_does(rng, scale, border):
    """Noise from black to white, where values overshoot and fall on halves (x2 and x4) most often."""
    for contrast in (np.arange(256), [0, 255], [0, 1, 2, 253, 254, 255]):
        image = rng.choice(np.array(contrast, np.uint8), (24 * scale, 31 * scale, 3))
        assert np.array_equal(
            imresize(image, 1 / scale, border=border), plain(image, 1 / scale, border)
        )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_float32_is_proved_by_arithmetic(scale):
    """The kernel's weights as fractions: multiples of a power of two that float32 holds, or never near a half."""

    def weight(distance: Fraction) -> Fraction:
        x = abs(distance)
        inner = Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
        outer = -(x**3) / 2 + Fraction(5, 2) * x**2 - 4 * x + 2
        return inner if x <= 1 else outer if x < 2 else Fraction(0)

    weights = [
        weight((Fraction(scale - 1, 2) - k) / scale) / scale for k in range(-2 * scale, 3 * scale)
    ]
    assert sum(weights) == 1
    units = lcm(*(w.denominator for w in weights))
    largest = 255 * float(sum(abs(w) for w in weights)) + 0.5
    if (
        units % 2
    ):  # a half is no multiple of 1/units: the nearest value is further away than all rounding errors together
        assert 1 / (2 * units) > 10 * (len(weights) + 2) * largest * np.finfo(np.float32).eps
    else:
        assert largest * units < 2**24  # every partial sum is a whole number of units


def test_borders_differ_only_near_the_border(photo):
    mirrored = imresize(photo, 1 / 4)
    repeated = imresize(photo, 1 / 4, border="replicate")
    assert np.array_equal(mirrored[2:-2, 2:-2], repeated[2:-2, 2:-2])
    assert not np.array_equal(mirrored, repeated)


def test_kernel_is_keys():
    """Keys 1981: interpolating (1 at 0, 0 at the other integers), and its shifted copies sum to one."""
    assert cubic(np.arange(-3, 4)).tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert cubic(np.array([0.5])) == 9 / 16
    offsets = np.linspace(0, 1, 11)
    assert np.allclose(sum(cubic(offsets - k) for k in range(-2, 4)), 1)


def test_reproduces_straight_lines_inside():
    """Cubic convolution is exact for polynomials of first degree, when enlarging too."""
    ramp = np.tile(np.arange(10, 90, 2, dtype=np.uint8), (40, 1))
    larger = imresize(ramp, 2)[10:-10, 10:-10].astype(float)
    centres = (np.arange(10, 70) + 0.5) / 2 - 0.5
    assert np.array_equal(larger[0], np.floor(10 + 2 * centres + 0.5))


def test_sixteen_bit_agrees_with_eight(photo):
    eight = imresize(photo, 1 / 2)
    sixteen = imresize(photo.astype(np.uint16) * 257, 1 / 2)
    assert sixteen.dtype == np.uint16
    assert np.abs(sixteen / 257 - eight).max() <= 1.01  # two roundings against two finer ones


images = st.tuples(st.integers(1, 24), st.integers(1, 24), st.sampled_from([(), (3,)])).flatmap(
    lambda s: arrays(np.uint8, (s[0], s[1], *s[2]))
)


@given(
    images,
    st.sampled_from([1 / 4, 1 / 3, 1 / 2, 0.7, 1.0, 1.5, 2, 3.3]),
    st.sampled_from(["symmetric", "replicate"]),
)
def test_any_image(image, scale, border):
    before = image.copy()
    out = imresize(image, scale, border=border)
    assert out.dtype == np.uint8
    assert out.shape == (*(int(np.ceil(n * scale)) for n in image.shape[:2]), *image.shape[2:])
    assert np.array_equal(image, before)
    if not (
        np.array(image.shape[:2]) * scale % 1
    ).any():  # turned over: the same, but for exact halves that fall either way
        turned = imresize(image[::-1], scale, border=border)[::-1]
        assert np.abs(turned.astype(int) - out).max() <= 2
    if scale == 1:
        assert np.array_equal(out, image)
    if (image == image.flat[0]).all():
        assert (out == image.flat[0]).all()


def test_non_contiguous_is_like_contiguous(photo):
    view = photo[::2, ::-1]
    assert np.array_equal(imresize(view, 0.5), imresize(view.copy(), 0.5))


@pytest.mark.parametrize(
    ("image", "scale", "options", "error", "says"),
    [
        (np.zeros((8, 8)), 0.5, {}, TypeError, "uint8"),
        ([[1]], 0.5, {}, TypeError, "list"),
        (np.zeros((8, 8), np.uint8), 0, {}, ValueError, "positive"),
        (np.zeros((8, 8), np.uint8), float("nan"), {}, ValueError, "positive"),
        (np.zeros((8, 8), np.uint8), 0.5, {"border": "zero"}, ValueError, "replicate"),
    ],
)
def test_says_what_is_wrong(image, scale, options, error, says):
    with pytest.raises(error, match=says):
        imresize(image, scale, **options)


def test_crop_to_multiple():
    assert crop_to_multiple(np.zeros((13, 17, 3)), 4).shape == (12, 16, 3)
    assert crop_to_multiple(np.zeros((12, 16)), 4).shape == (12, 16)


if __name__ == "__main__":  # make the fixtures, once equality with MATLAB is proved
    assert BENCHMARKS.is_dir() and pytest.main([__file__, "-q", "-k", "matlab_in_every"]) == 0
    for name, factor, border in cases():
        Image.fromarray(imresize(crop(name), FACTORS[factor], border=border)).save(
            FIXTURES / f"{name}-{factor}-{border}.png", optimize=True
        )
