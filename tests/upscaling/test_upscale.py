import io
import itertools
import math
import os
import subprocess
import sys
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from conftest import ROOT, SAMPLES
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.ExifTags import Base

from srlib.images.picture import (
    ImageError,
    Picture,
    as_picture,
    encode,
    from_array,
    read_image,
    write_image,
)
from srlib.images.resize import imresize
from srlib.images.tensors import to_array, to_tensor
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.enlarge import large_size, super_resolve, upscale
from srlib.upscaling.ensemble import uncertainty_map
from srlib.upscaling.strips import upscale_to_tiff
from srlib.upscaling.tiling import MARGIN, SMALLEST_TILE, tile_memory, tile_side, tiles, with_halo
from srlib.zoo.checkpoints import load_pretrained


def tiny(scale: int) -> EDSR:
    """Two blocks with weights strong enough that a wrong border or seam is seen: not near the identity."""
    torch.manual_seed(scale)
    return EDSR(EDSRConfig(scale, 2, 8)).eval()


def plain(model: EDSR, rgb: np.ndarray) -> np.ndarray:
    """The whole mirrored image at once, by the network as it is written, in float: (H, W, 3) in grey levels."""
    edge = MARGIN * model.config.scale
    lr = to_tensor(np.pad(rgb, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), "symmetric"))
    with torch.inference_mode():
        sr = model(lr[None])[0].clamp(0, 1).mul(255).permute(1, 2, 0).numpy()
    return sr[edge:-edge, edge:-edge]


@settings(max_examples=25)
@given(
    st.sampled_from([2, 3, 4]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 50),
    st.integers(0, 9),
)
def test_tiled_and_folded_equals_the_network_as_written(scale, height, width, tile, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    model = tiny(scale)
    answer = super_resolve(rgb, model, tile=tile)
    exact = plain(model, rgb)
    assert answer.shape == (height * scale, width * scale, 3)
    assert (
        np.abs(answer - exact).max() <= 0.5 + 1e-3
    )  # the rounding to uint8, and a thousandth of a grey level


@given(st.integers(1, 200), st.integers(1, 120), st.integers(1, 80), st.integers(0, 40))
def test_tiles_cover_every_pixel_once(size, width, tile, halo):
    covered = np.zeros((size, width), int)
    for place in tiles((slice(0, size), slice(0, width)), tile):
        covered[place] += 1
        seen, kept = with_halo(place, halo, (size, width, 3))
        for s, k, p, end in zip(seen, kept, place, covered.shape, strict=True):
            assert s.start == max(-MARGIN, p.start - halo) and s.stop == min(
                end + MARGIN, p.stop + halo
            )
            assert (s.start + k.start, s.start + k.stop) == (
                p.start,
                p.stop,
            ) and p.stop - p.start <= tile
    assert (covered == 1).all()


def test_what_comes_in_goes_out(photo, tmp_path):
    model = tiny(2)
    lr = photo[:30, :40]
    gray = np.ascontiguousarray(lr[..., 0])
    assert upscale(lr, model).shape == (60, 80, 3)
    assert upscale(gray, model).shape == (60, 80)
    assert upscale(gray.astype(np.uint16) * 257, model).dtype == np.uint16
    assert upscale(np.dstack([lr, gray]), model).shape == (60, 80, 4)
    image = upscale(Image.fromarray(lr), model)
    assert isinstance(image, Image.Image) and image.size == (80, 60) and image.mode == "RGB"
    assert upscale(Image.fromarray(gray), model).mode == "L"
    path = write_image(tmp_path / "a.png", lr)
    for source in (path, str(path), read_image(path)):
        assert isinstance(upscale(source, model), Picture)
    assert np.array_equal(upscale(path, model).rgb, upscale(lr, model))


def test_profile_and_exif_go_along(photo):
    picture = Picture(photo[:20, :20], icc_profile=b"profile", exif=b"exif")
    larger = upscale(picture, tiny(2))
    assert (larger.icc_profile, larger.exif, larger.size) == (b"profile", b"exif", (40, 40))


def test_profile_and_exif_of_a_pil_image_go_along(photo, tmp_path):
    """As Pillow itself hands them from a file it opens to one it saves."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[Base.Artist] = "A. Photographer"
    exif[Base.Orientation] = 6
    Image.fromarray(photo[:20, :30]).save(tmp_path / "a.jpg", icc_profile=profile, exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        larger = upscale(image, tiny(2))
    larger.save(tmp_path / "b.png", exif=larger.getexif())
    with Image.open(tmp_path / "b.png") as there:
        assert there.size == (40, 60) and there.info["icc_profile"] == profile
        assert (
            there.getexif()[Base.Artist] == "A. Photographer"
            and Base.Orientation not in there.getexif()
        )


def test_sixteen_bits_are_used(photo):
    lr = photo[:20, :20]
    model = tiny(2)
    eight = upscale(lr, model)
    sixteen = upscale(lr.astype(np.uint16) * 257, model)
    assert np.abs(sixteen / 257 - eight).max() <= 0.51
    assert len(np.unique(sixteen)) > 256


@pytest.mark.parametrize("scale", [1, 1.5, 2, 3.7, 8])
def test_any_factor_is_the_model_then_bicubic(photo, scale):
    lr = photo[:21, :33]
    model = tiny(2)
    answer = upscale(lr, model, scale=scale)
    assert answer.shape == (int(np.ceil(21 * scale)), int(np.ceil(33 * scale)), 3)
    expected = (
        super_resolve(lr, model) if scale == 2 else imresize(super_resolve(lr, model), scale / 2)
    )
    assert np.array_equal(answer, expected)
    alpha = upscale(np.dstack([lr, lr[..., 0]]), model, scale=scale)
    assert alpha.shape == (*answer.shape[:2], 4)


@given(st.integers(1, 20_000), st.integers(100, 800), st.sampled_from([2, 3, 4]))
@example(50, 110, 4)
@example(85, 220, 4)
def test_the_size_is_that_of_decimal_arithmetic(side, hundredths, model_scale):
    assert large_size((side, 1), model_scale, hundredths / 100)[0] == math.ceil(
        Fraction(side * hundredths, 100)
    )


@pytest.mark.parametrize(("side", "scale", "expected"), [(50, 1.1, 55), (85, 2.2, 187)])
def test_no_pixel_more_for_an_error_in_the_last_digit(photo, side, scale, expected):
    lr = photo[:side, :20]
    model = tiny(4)
    answer = upscale(np.dstack([lr, lr[..., 0]]), model, scale=scale)
    assert answer.shape == (expected, 20 * scale, 4)
    deep = imresize(super_resolve(lr, model), scale / 4)
    assert len(deep) == expected + 1 and np.array_equal(
        upscale(lr, model, scale=scale), deep[:expected]
    )


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["edsr-lite", "edsr-lite-photo"])
def test_flats_stay_flat(name, scale):
    """The network itself leaves white 40 x 40 with corners of 189 at x4."""
    model = load_pretrained(name, scale)
    levels = [0, 30, 128, 255]
    for colour in [
        (255, 255, 255),
        (0, 0, 0),
        (200, 30, 30),
        (144, 75, 65),
        *itertools.product(levels[::3], repeat=3),
    ]:
        for height, width in ((1, 1), (3, 50), (40, 40)):
            rgb = np.full((height, width, 3), colour, np.uint8)
            off = np.abs(super_resolve(rgb, model).astype(int) - rgb[0, 0]).max()
            assert off <= (
                1 if name == "edsr-lite" else 2
            )  # as much as in the middle of a large flat
    white = np.full((40, 40, 3), 255, np.uint8)
    assert plain(model, white).min() > 254.5 and upscale(white, model).min() >= 254


@pytest.mark.parametrize(("scale", "gain"), [(2, 0.4), (4, 0.1)])
def test_the_border_is_better_than_with_zeros(scale, gain):
    """PSNR of the outer two LR pixels alone, which the protocols drop."""
    model = load_pretrained("edsr-lite", scale)
    errors = {"zeros": [], "mirrored": []}
    for name in ("0801", "0803", "0804"):
        hr = read_image(SAMPLES / "DIV2K_valid_HR" / f"{name}.png").rgb[100:228, 100:228]
        lr = imresize(hr, 1 / scale)
        with torch.inference_mode():
            answers = {
                "zeros": to_array(model(to_tensor(lr)[None])[0]),
                "mirrored": upscale(lr, model),
            }
        ring = np.ones(hr.shape[:2], bool)
        ring[2 * scale : -2 * scale, 2 * scale : -2 * scale] = False
        for kind, sr in answers.items():
            errors[kind].append(np.square(sr[ring].astype(float) - hr[ring]).mean())
    zeros, mirrored = (10 * np.log10(255**2 / np.mean(values)) for values in errors.values())
    assert mirrored > zeros + gain


@pytest.mark.parametrize("size", [(20, 31), (5, 3)])
def test_a_texture_that_tiles_stays_one(photo, size):
    """Wherever it is cut, the enlarged texture is the same, but for rounding, and mirrored it is not."""
    model = load_pretrained("edsr-lite", 2)
    texture = np.ascontiguousarray(photo[: size[0], : size[1]])

    def difference(padding):
        rolled = np.roll(texture, (2, 1), (0, 1))
        there = np.roll(upscale(rolled, model, padding=padding), (-4, -2), (0, 1))
        return np.abs(there.astype(int) - upscale(texture, model, padding=padding)).max()

    assert difference("wrap") <= 1 < 20 < difference("symmetric")


@pytest.mark.parametrize(
    "wanted",
    [{"width": 100}, {"height": 77}, {"width": 41}, {"height": 240}, {"width": np.int64(80)}],
)
def test_a_size_instead_of_a_scale(photo, wanted):
    lr = photo[:30, :40]
    [(name, side)] = wanted.items()
    answer = upscale(lr, tiny(2), **wanted)
    scale = side / (40 if name == "width" else 30)
    assert answer.shape[name == "width"] == side
    assert answer.shape[:2] == large_size((30, 40), 2, scale)


def test_a_size_chooses_the_default_model(photo, caplog):
    with caplog.at_level("INFO", "srlib.upscaling.precision"):
        upscale(photo[:20, :30], width=80)
    assert "EDSRConfig(scale=3" in caplog.text


@pytest.mark.parametrize(("wanted", "error", "says"), [
    ({"width": 39}, ValueError, "width of the picture is 40 pixels, .* from 40 to 320, not 39"),
    ({"height": 241}, ValueError, "height of the picture is 30 pixels"),
    ({"width": 80, "scale": 2}, ValueError, "one of scale, width and height, not scale and width"),
    ({"width": 80, "height": 60}, ValueError, "not width and height"),
    ({"width": "80"}, ValueError, "a whole number from 40 to 320, not '80'"),
    ({"height": 60.5}, ValueError, "not 60.5"),
])  # fmt: skip
def test_impossible_sizes(photo, wanted, error, says):
    with pytest.raises(error, match=says):
        upscale(photo[:30, :40], tiny(2), **wanted)


@pytest.mark.parametrize("scale", [1.5, 2])
def test_no_dark_fringe_around_what_is_cut_out(scale):
    """A red disc on transparent black: wherever it can be seen it stays red."""
    y, x = np.mgrid[-20:20, -20:20]
    disc = np.zeros((40, 40, 4), np.uint8)
    disc[np.hypot(x, y) < 14] = (255, 0, 0, 255)
    answer = upscale(disc, load_pretrained("edsr-lite", 2), scale=scale)
    seen = answer[answer[..., 3] > 0]
    assert (
        0 < len(seen) < answer[..., 3].size
        and (seen[:, 0] > 235).all()
        and (seen[:, 1:3] < 20).all()
    )


def test_progress_and_cancel(photo):
    seen = []
    upscale(photo, tiny(2), tile=50, on_progress=lambda *p: seen.append(p))
    assert seen == [(i / 2, 6) for i in range(1, 13)]  # after each of two blocks

    class Cancelled(Exception):
        pass

    def cancel(done, total):
        seen.append(done)
        if done == 2:
            raise Cancelled

    seen.clear()
    with pytest.raises(Cancelled):
        upscale(photo, tiny(2), tile=50, on_progress=cancel)
    assert seen == [0.5, 1, 1.5, 2]


@pytest.mark.parametrize(
    "passes, task", [(1, upscale), (8, partial(upscale, self_ensemble=True)), (8, uncertainty_map)]
)
def test_progress_goes_on_within_a_tile(photo, passes, task):
    seen = []
    task(photo, EDSR(EDSRConfig(2, 3, 4)), tile=50, on_progress=lambda *p: seen.append(p))
    steps = 3 * passes
    np.testing.assert_allclose(seen, [((i + 1) / steps, 6) for i in range(6 * steps)])


@pytest.mark.parametrize("options", [{"scale": 0.5}, {"scale": 9}, {"tile": 0}])
def test_impossible_requests(photo, options):
    with pytest.raises(ValueError, match=r"scale is|tile is"):
        upscale(photo, tiny(2), **options)


WRONG_TYPES = {
    "tensor": ({"image": torch.zeros(3, 8, 8)}, ImageError, "not from Tensor.$"),
    "bytes": ({"image": b"\x89PNG"}, ImageError, "not from bytes; io.BytesIO makes"),
    "list": ({"image": [[0]]}, ImageError, "not from list.$"),
    "no tile": ({"tile": None}, ValueError, 'tile is a number of LR pixels or "auto", not None'),
    "half a tile": ({"tile": 64.5}, ValueError, "not 64.5"),
    "a word for a tile": ({"tile": "large"}, ValueError, "not 'large'"),
    "scale": ({"scale": "2"}, ValueError, "scale is a number from 1 to 8, not '2'"),
    "a model's name": (
        {"model": "edsr-lite"},
        TypeError,
        r"model is an EDSR, such as .*load_pretrained.*, not 'edsr-lite'",
    ),
    "another network": ({"model": torch.nn.ReLU()}, TypeError, "not ReLU"),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_something_else_gets_a_sentence(photo, case):
    wrong, error, says = WRONG_TYPES[case]
    with pytest.raises(error, match=says):
        upscale(**{"image": photo[:8, :8], "model": tiny(2)} | wrong)


@pytest.mark.parametrize(("free", "expected"), [(2**30, 100), (2**36, 512), (2**20, 64)])
def test_on_cuda_the_tile_is_made_for_its_free_memory(monkeypatch, free, expected):
    """A quarter of it; 0.5 GB more lie in PyTorch's own store."""
    config = EDSRConfig(4, 32, 256, 0.1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free // 2, 2**37))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: free)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: free // 2)
    side = tile_side("auto", config, torch.device("cuda"))
    assert (
        side == expected
        if expected in (64, 512)
        else tile_memory(config, (side + 136) ** 2) <= free // 4 < 2**29
    )


class Cramped(EDSR):
    """Fails with `error` when it is to look at more than `limit` pixels."""

    limit = 0
    error = None
    asked = 0

    def features(self, lr):
        self.asked += 1
        if lr.shape[-2] * lr.shape[-1] > self.limit:
            self.error()
        return super().features(lr)


def cramped(limit: int, error) -> Cramped:
    torch.manual_seed(2)
    model = Cramped(EDSRConfig(2, 1, 4)).eval()
    model.limit = limit
    model.error = error
    return model


def gpu_is_full():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


SHORT_OF_MEMORY = {  # the last two are real: no machine has 2^60 bytes
    "cuda": gpu_is_full,
    "cpu": lambda: torch.empty(2**60, dtype=torch.uint8),
    "numpy": lambda: np.empty(2**60, np.uint8),
}


@pytest.mark.parametrize("kind", SHORT_OF_MEMORY)
@pytest.mark.parametrize("self_ensemble", [False, True])
def test_out_of_memory_halves_the_tile_and_goes_on(photo, kind, self_ensemble):
    model = cramped(60 * 50, SHORT_OF_MEMORY[kind])
    seen = []
    sr = super_resolve(
        photo, model, tile=500, self_ensemble=self_ensemble, on_progress=lambda *p: seen.append(p)
    )
    roomy = cramped(photo.size, SHORT_OF_MEMORY[kind])
    expected = super_resolve(photo, roomy, tile=500, self_ensemble=self_ensemble)
    differ = sr.astype(int) - expected
    assert abs(differ).max() <= 1 and (differ != 0).mean() < 1e-3  # ties of rounding
    assert seen == [
        (i, 16) for i in range(1, 17)
    ]  # halved twice: 60 x 48 pixels and their halo were too many


def test_what_is_done_is_not_done_again(photo):
    """The memory gets short after the first tile."""
    model = cramped(photo.size, gpu_is_full)
    seen = []

    def shrink(done, total):
        seen.append((done, total))
        model.limit = 40 * 40

    super_resolve(photo, model, tile=32, on_progress=shrink)
    assert seen[0] == (1, 12) and seen[-1][0] == seen[-1][1] > 12
    assert model.asked == seen[-1][1] + 1  # each tile once, and one in vain


def test_too_little_memory_is_said_in_a_sentence(photo):
    model = cramped(10, gpu_is_full)
    with pytest.raises(
        MemoryError,
        match=r"Even a piece of \d+ x \d+ pixels .* does not fit into the free memory \(cpu\); close",
    ):
        super_resolve(photo, model, tile=100)
    assert model.asked == 3  # 100, 50, 25, and 12 is under the smallest
    assert SMALLEST_TILE == 16


def test_other_errors_are_not_taken_for_too_little_memory(photo):
    def broken():
        raise RuntimeError("expected scalar type Float but found Half")

    model = cramped(10, broken)
    with pytest.raises(RuntimeError, match="but found Half"):
        super_resolve(photo, model, tile=100)
    assert model.asked == 1


SHORT = """
import resource, sys
import numpy as np, psutil, torch
from srlib.upscaling.enlarge import super_resolve
from srlib.zoo.checkpoints import load_pretrained
torch.set_num_threads(1)
model, rgb = load_pretrained("edsr-lite", 2), np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
whole = super_resolve(rgb, model, tile=150)
resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 100 * 2**20, resource.RLIM_INFINITY))
total = 0
def on_progress(done, tiles):
    global total
    total = tiles
print((super_resolve(rgb, model, tile=600, on_progress=on_progress) != whole).mean() < 1e-5, total > 1)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux holds a process to a limit of memory (RLIMIT_AS)"
)
def test_a_process_that_really_runs_out_of_memory():
    """600 x 600 pixels at once need several maps of 46 MB each; the process is allowed 100 MB more than it has."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SHORT], capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stdout) == (0, "True True\n"), done.stderr


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_texture_with_alpha_tiles_at_any_factor(photo, scale):
    model = load_pretrained("edsr-lite", 2)
    texture = np.dstack([photo[:20, :31], photo[20:40, :31, 0]])
    options = {"scale": scale, "padding": "wrap"}
    rolled = upscale(np.roll(texture, (7, 11), (0, 1)), model, **options)
    there = np.roll(rolled, (-7 * scale, -11 * scale), (0, 1))
    assert np.abs(there.astype(int) - upscale(texture, model, **options)).max() <= 1


def test_without_a_model_any_kind_of_picture_gives_the_same(photo, tmp_path):
    stream = io.BytesIO(encode(from_array(photo)))
    kinds = [photo, Image.fromarray(photo), from_array(photo), stream]
    answers = [as_picture(upscale(kind, scale=2)).rgb for kind in kinds]
    assert all(np.array_equal(answer, answers[0]) for answer in answers)
    stream.seek(0)
    assert upscale_to_tiff(stream, tmp_path / "large.tif").exists()
