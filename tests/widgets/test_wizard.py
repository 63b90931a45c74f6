"""The wizard without a browser: from photographs to results and files, the queue, and what is refused."""

import base64
import gc
import io
import os
import struct
import sys
import threading
import weakref
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
import torch
from conftest import SAMPLES
from PIL import Image, ImageCms
from skimage.metrics import mean_squared_error

from srlib.images.picture import ImageError, from_array, read_image, write_image
from srlib.images.resize import imresize
from srlib.images.tensors import to_array, to_tensor
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.cost import predict_cost
from srlib.upscaling.enlarge import upscale
from srlib.upscaling.ensemble import eight_answers
from srlib.widgets import ImageWizard
from srlib.widgets.wizard import enlarge, preview, visit
from srlib.widgets.wizard import wizard as wizard_module
from srlib.widgets.wizard.jobs import Cancelled, JobQueue, machine_slot
from srlib.widgets.wizard.page import zip_of
from srlib.widgets.wizard.photograph import Photograph, advice
from srlib.widgets.wizard.preview import check_on_itself, enlarge_patch, invention, uncertainty
from srlib.widgets.wizard.scratch import Scratch
from srlib.widgets.wizard.stage import Stage
from srlib.zoo import checkpoints as zoo

RNG = np.random.default_rng(0)
LR = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
PATIENCE = 120  # seconds


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Random weights where the embedded ones are looked for, and nothing downloaded."""
    monkeypatch.setattr(zoo, "WEIGHTS_DIR", tmp_path / "weights")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    zoo.WEIGHTS_DIR.mkdir()
    torch.manual_seed(0)
    for scale in (2, 4):
        checkpoint = zoo.find("edsr-lite", scale)
        zoo.save_weights(EDSR(checkpoint.config), checkpoint.path)


@pytest.fixture
def cat(tmp_path):
    return write_image(tmp_path / "cat.tif", LR)


@pytest.fixture
def ready(models, cat):
    """A wizard with a photograph."""
    wizard = ImageWizard()
    wizard.open(cat)
    return wizard


@pytest.fixture
def held(monkeypatch):
    """Networks that wait, once begun, until `go_on` is set."""

    class Held:
        begun = threading.Event()
        go_on = threading.Event()

    def slow(order, on_progress, **options):
        Held.begun.set()
        assert Held.go_on.wait(PATIENCE)
        on_progress(0.5)
        return enlarge.enlarge(order, on_progress, **options)

    monkeypatch.setattr(visit, "enlarge", slow)
    return Held


def made_by(wizard, **choice):
    """The result of a choice."""
    wizard.choose(**choice)
    wizard.start()
    return wizard.wait(PATIENCE)


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def black_png(side):
    """A black square as PNG of a few kilobytes, however large."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side // 8 + 1) * side))
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


class TestResults:
    def test_from_a_photograph_to_a_file_name(self, ready):
        result = made_by(ready, scale=2, model="edsr-lite")
        assert result is ready.result and result.file_name == "cat_x2_edsr-lite.png"
        assert np.array_equal(result.sr.rgb, upscale(LR, zoo.load_pretrained("edsr-lite", 2)))
        assert np.array_equal(result.bicubic.rgb, imresize(LR, 2))
        assert "16 × 12 → 32 × 24" in ready.sentence and not ready.busy

    def test_best_quality_is_the_papers_self_ensemble(self, ready):
        result = made_by(ready, scale=2, model="edsr-lite", best=True)
        with torch.inference_mode():
            mirrored = np.pad(LR, ((8, 8), (8, 8), (0, 0)), "symmetric")
            model = zoo.load_pretrained("edsr-lite", 2)
            answers = eight_answers(model, to_tensor(mirrored)[None])
            expected = (sum(answers) / 8)[0, :, 16:-16, 16:-16]
        difference = result.sr.rgb.astype(int) - to_array(expected)
        assert np.abs(difference).max() <= 1  # the folded tail adds in another order

    @pytest.mark.parametrize("longer_side", [16, 17, 31, 32, 50, 64, 77, 128])
    def test_a_size_in_pixels_is_met_exactly(self, ready, longer_side):
        height, width = made_by(ready, longer_side=longer_side).sr.size
        assert width == longer_side and abs(height - 0.75 * longer_side) < 1
        assert ready.result.file_name == f"cat_{longer_side}px_edsr-lite.png"

    def test_rounding_errors_add_no_pixel(self, ready, tmp_path):
        """13 * (27 / 13) is 27.000000000000004."""
        ready.open(write_image(tmp_path / "thirteen.png", from_array(LR[:, :13])))
        result = made_by(ready, longer_side=27)
        assert result.sr.size == result.bicubic.size == (25, 27)

    @pytest.mark.parametrize(
        "picture",
        [
            from_array(np.arange(192, dtype=np.uint16).reshape(12, 16) * 300),
            from_array(np.random.default_rng(1).integers(0, 256, (12, 16, 4), dtype=np.uint8)),
            from_array(LR[:1, :1]),
        ],
        ids=["16 bit gray", "alpha", "one pixel"],
    )
    def test_unusual_photographs(self, ready, tmp_path, picture):
        ready.open(write_image(tmp_path / "unusual.png", picture))
        result = made_by(ready, scale=4)
        assert result.sr.size == result.bicubic.size == tuple(4 * side for side in picture.size)
        assert result.sr.rgb.dtype == picture.rgb.dtype
        assert (result.sr.alpha is None) == (picture.alpha is None)

    def test_the_same_again_is_shown_and_not_computed(self, ready, cat, tmp_path):
        first = made_by(ready, scale=2)
        made_by(ready, scale=4)
        (tmp_path / "again").mkdir()
        ready.open(write_image(tmp_path / "again" / "cat.tif", LR))  # the same file, chosen again
        assert made_by(ready, scale=2) is first and len(ready.results) == 2

    def test_a_new_choice_keeps_the_result_and_the_old_choice_shows_it(self, ready, cat, tmp_path):
        result = made_by(ready, scale=2)
        ready.open(write_image(tmp_path / "dog.png", LR[::-1]))
        assert ready.result is None and ready.results == [result] and ready.sentence == ""
        ready.open(cat)
        assert ready.result is result
        ready.choose(scale=4)
        assert ready.result is None
        ready.choose(scale=2)
        assert ready.result is result

    def test_an_earlier_result_brings_its_choices_back(self, ready, tmp_path):
        result = made_by(ready, scale=2, model="edsr-lite", best=True)
        ready.open(write_image(tmp_path / "dog.png", LR[::-1]))
        ready.choose(scale=4, model="auto")
        ready.look_at(0)
        assert (ready.result, ready.order, ready.choice.scale) == (result, result.order, 2)
        assert [photo.name for photo in ready.photographs] == ["cat.tif", "dog.png"]  # it waits
        ready.choose(best=False)  # another option stays with the photograph in view
        assert ready.result is None and ready.order.photograph.name == "cat.tif"

    def test_a_choice_waits_for_its_photograph(self, ready, tmp_path):
        """Also one that was not carried out, after a result or before one."""
        made_by(ready, scale=2)
        ready.choose(longer_side=40)
        ready.open(*(write_image(tmp_path / f"{name}.png", LR[::-1]) for name in ("dog", "cow")))
        ready.choose(scale=2, model="edsr-lite", best=True)
        ready.look_at(0)
        assert (ready.order.longer_side, ready.order.network) == (40, "edsr-lite")
        ready.look_at(2)
        assert [order.stem for order in ready.orders()] == [
            "dog_x2_edsr-lite+",
            "cow_x2_edsr-lite+",
        ]

    def test_an_earlier_factor_is_the_wish_for_the_next_photograph(
        self, ready, tmp_path, monkeypatch
    ):
        made_by(ready, scale=4)
        ready.open(write_image(tmp_path / "dog.png", LR[::-1]))
        ready.choose(longer_side=20)
        ready.look_at(0)
        monkeypatch.setattr(enlarge, "MAX_RESULT_PIXELS", 16 * LR[..., 0].size)
        ready.open(write_image(tmp_path / "wide.png", np.tile(LR, (1, 2, 1))))
        assert ready.choice.scale == 2  # the largest that fits

    def test_a_sample_is_called_by_its_name(self, models, cat):
        wizard = ImageWizard({"A cat, asleep. Or not": cat})
        assert made_by(wizard, scale=2).file_name == "A cat, asleep. Or not_x2_edsr-lite.png"

    def test_several_are_done_in_turn_and_one_failure_does_not_stop_the_others(
        self, ready, tmp_path
    ):
        files = [write_image(tmp_path / f"{name}.png", LR + n) for n, name in enumerate("abc")]
        ready.open(*files)
        files[1].unlink()
        with pytest.raises(FileNotFoundError):
            made_by(ready, scale=2)
        while ready.busy:
            threading.Event().wait(0.01)
        assert [made.file_name for made in ready.results] == [
            "a_x2_edsr-lite.png",
            "c_x2_edsr-lite.png",
        ]
        assert ready.result is ready.results[0]  # the first is shown, and stays while others come
        assert "Done: 2 of 3" in ready.sentence and "b.png" in ready.sentence

    def test_the_oldest_results_make_room(self, ready, monkeypatch):
        monkeypatch.setattr(visit, "MOST", 2)
        for scale, best in ((2, False), (4, False), (2, True)):
            made_by(ready, scale=scale, best=best)
        assert [made.order.stem for made in ready.results] == [
            "cat_x4_edsr-lite",
            "cat_x2_edsr-lite+",
        ]
        assert ready.result is ready.results[-1]


class TestAuto:
    """The network that suits each photograph by itself."""

    def test_jpeg_and_clean_photographs_of_one_batch_get_different_networks(self, tmp_path):
        clean = SAMPLES / "DIV2K_valid_HR" / "0804.png"
        with Image.open(clean) as image:
            image.crop((100, 100, 260, 220)).save(tmp_path / "clean.png")
            image.crop((100, 100, 260, 220)).save(tmp_path / "web.jpg", quality=40)
        wizard = ImageWizard()
        wizard.open(tmp_path / "clean.png", tmp_path / "web.jpg")
        wizard.choose(scale=2)
        assert [order.model for order in wizard.orders()] == [
            "edsr-baseline-srlib",
            "edsr-lite-photo",
        ]
        wizard.choose(best=True)
        assert [order.best for order in wizard.orders()] == [True, True]
        assert "Compression marks removed" in wizard.orders()[1].in_words
        assert "removed" not in wizard.orders()[0].in_words
        wizard.choose(model="edsr-lite")
        assert {order.model for order in wizard.orders()} == {"edsr-lite"}

    def test_what_is_not_on_this_machine_is_not_taken(self, ready):
        """Noise wants -photo, which the fixture leaves out."""
        assert {order.model for order in ready.orders()} == {"edsr-lite"}

    def test_an_uploaded_file_is_judged_as_the_file_that_it_was(self, tmp_path):
        with Image.open(SAMPLES / "DIV2K_valid_HR" / "0804.png") as image:
            image.save(tmp_path / "web.jpg", quality=40)
        uploaded = Photograph.open((tmp_path / "web.jpg").read_bytes(), "web.jpg")
        assert advice(uploaded, 2) == advice(Photograph.open(tmp_path / "web.jpg"), 2)
        assert advice(uploaded, 2).fault == "Compression marks"


class TestPreview:
    @pytest.mark.parametrize("scale", [2, 4])
    def test_a_patch_is_what_the_whole_will_be_there(self, models, tmp_path, scale):
        """Up to the rounding of one level, and away from its border, which sees less around it."""
        photo = RNG.integers(0, 256, (260, 350, 3), dtype=np.uint8)
        wizard = ImageWizard()
        wizard.open(write_image(tmp_path / "noise.png", photo))
        wizard.choose(scale=scale)
        whole = made_by(wizard, scale=scale)
        pictures = (whole.bicubic.rgb, whole.sr.rgb)
        inside = slice(16 * scale, -16 * scale)
        for center in (None, (0.0, 1.0), (0.4, 0.6)):
            patch = enlarge_patch(wizard.order, photo, center, 1.5)
            left, top, right, bottom = patch.part
            rows = slice(round(top * 260 * scale), round(bottom * 260 * scale))
            columns = slice(round(left * 350 * scale), round(right * 350 * scale))
            assert patch.before.shape == patch.after.shape == (160 * scale, 240 * scale, 3)
            for image, larger in zip((patch.before, patch.after), pictures, strict=True):
                difference = np.abs(image.astype(int) - larger[rows, columns])
                assert difference[inside, inside].max() <= 1

    def test_one_who_comes_back_at_once_sees_no_other_photograph(
        self, ready, tmp_path, monkeypatch
    ):
        """The preview of the other one is still being made then, and is dropped."""
        drawn = threading.Event()
        begun = threading.Event()
        go_on = threading.Event()

        def patch(order, *arguments):
            if order.photograph.name == "dog.png":
                begun.set()
                assert go_on.wait(PATIENCE)
            return enlarge_patch(order, *arguments)

        monkeypatch.setattr(wizard_module, "enlarge_patch", patch)
        slider, page = ready.view.children
        slider.observe(lambda change: drawn.set(), "version")
        page._handle_custom_msg({"type": "shown", "shape": 1.5}, [])
        assert drawn.wait(PATIENCE)
        ready.open(write_image(tmp_path / "dog.png", LR[::-1]))
        assert begun.wait(PATIENCE) and page.veil["picture"] == ready.photographs[1].thumbnail
        ready.look_at(0)
        assert page.veil.get("picture") != ready.photographs[1].thumbnail
        go_on.set()
        while ready._drawing.unfinished:
            threading.Event().wait(0.01)
        assert slider.version == 2  # of the widget's own start, and of the cat

    def test_it_starts_where_the_picture_has_most_detail(self, models, tmp_path):
        photo = np.full((900, 1200, 3), 90, np.uint8)
        photo[600:700, 200:300] = RNG.integers(0, 256, (100, 100, 3))
        wizard = ImageWizard()
        wizard.open(write_image(tmp_path / "corner.png", photo))
        left, top, right, bottom = enlarge_patch(wizard.order, photo, None, 1.0).part
        assert left * 1200 <= 200 and right * 1200 >= 300
        assert top * 900 <= 600 and bottom * 900 >= 700

    def test_a_photograph_smaller_than_a_patch_is_its_own(self, ready):
        assert enlarge_patch(ready.order, LR, None, 2).part == (0, 0, 1, 1)

    def test_the_map_is_black_where_nothing_was_added_and_grows_with_the_difference(self):
        before = np.full((40, 60, 3), 100, np.uint8)
        after = before + np.linspace(0, 80, 60).astype(np.uint8)[None, :, None]
        drawn = invention(Image.fromarray(before), Image.fromarray(after))
        brightness = np.asarray(drawn).astype(int).sum(axis=2)[0]
        assert brightness[0] < 20 and (np.diff(brightness) >= 0).all() and brightness[-1] > 600

    @pytest.mark.parametrize(
        ("shape", "part"), [(2, (0.25, 0.25, 0.75, 0.75)), (4, (0, 0.25, 1, 0.75))]
    )
    def test_the_part_in_view(self, shape, part):
        stage = Stage(print)
        stage.slider.show([np.zeros((100, 200, 3), np.uint8)] * 2)
        stage.slider.zoom = 2
        assert stage.in_view(shape) == pytest.approx(part)

    @pytest.mark.parametrize("most", [512 * 512, 40 * 40])
    def test_uncertainty_is_the_deviation_of_the_eight_answers(self, models, monkeypatch, most):
        """Of a part, or of its middle if that is too large."""
        monkeypatch.setattr(preview, "_ASKED", most)
        photo = np.full((80, 120, 3), 90, np.uint8)
        photo[:, 60:] = RNG.integers(0, 256, (80, 60, 3))
        wizard = ImageWizard()
        wizard.take([Photograph.open(encoded(Image.fromarray(photo), "PNG"), "half.png")])
        wizard.choose(scale=2)
        fractions = []
        part, drawn = uncertainty(wizard.order, photo, (0.25, 0.2, 0.75, 0.8), fractions.append)
        left, top, right, bottom = (round(x) for x in np.array(part) * [120, 80, 120, 80])
        assert drawn.size == (2 * (right - left), 2 * (bottom - top))
        assert (right + left) / 2 == pytest.approx(60, abs=1)
        assert (right - left, bottom - top) == ((60, 48) if most > 3000 else (45, 36))
        model = zoo.load_pretrained("edsr-lite", 2)
        answers = [
            np.rot90(upscale(np.rot90(photo[:, ::flip], turns), model), -turns)[:, ::flip]
            for flip in (1, -1)
            for turns in range(4)
        ]
        spread = np.std([answer @ [0.299, 0.587, 0.114] for answer in answers], axis=0)
        spread = spread[2 * top : 2 * bottom, 2 * left : 2 * right]
        brightness = np.asarray(drawn).astype(int).sum(axis=2)
        assert np.corrcoef(spread.ravel(), brightness.ravel())[0, 1] > 0.9
        assert fractions[-1] == 1 and fractions == sorted(fractions)

    def test_the_check_says_the_error_that_scikit_image_computes(self, tmp_path):
        photo = read_image(SAMPLES / "DIV2K_valid_HR" / "0804.png").rgb[:320, :320]
        wizard = ImageWizard()
        wizard.open(write_image(tmp_path / "collins.png", photo))
        wizard.choose(scale=2, model="edsr-lite")
        sentence = check_on_itself(wizard.order, photo)
        small = imresize(photo, 1 / 2)
        model = zoo.load_pretrained("edsr-lite", 2)
        gray = [
            np.asarray(image.astype(float) @ [65.481, 128.553, 24.966]) / 255
            for image in (photo, imresize(small, 2), upscale(small, model))
        ]
        inner = [image[2:-2, 2:-2] for image in gray]
        for image in inner[1:]:
            error = mean_squared_error(inner[0], image) ** 0.5
            assert f" {error:.2f}" in sentence
        assert "closer to the original" in sentence

    def test_a_photograph_too_small_for_the_check_is_told_so(self, ready):
        assert "too small" in check_on_itself(ready.order, LR)


class TestRefusals:
    @pytest.mark.parametrize("longer_side", [15, 129])
    def test_a_size_out_of_reach(self, ready, longer_side):
        ready.choose(longer_side=longer_side)
        with pytest.raises(ValueError, match="16 to 128"):
            ready.start()

    def test_only_networks_on_disk(self, ready):
        with pytest.raises(
            ValueError, match=r"edsr-lite x3 is not .* there are edsr-lite x2, edsr-lite x4"
        ):
            ready.choose(scale=3, model="edsr-lite")
        with pytest.raises(ValueError, match="edsr x2 is not"):
            ready.choose(scale=2, model="edsr")

    def test_a_bad_file_leaves_the_photograph_that_was_there(self, ready, tmp_path):
        (tmp_path / "letter.png").write_text("Dear cat,")
        with pytest.raises(ImageError, match=r"letter\.png"):
            ready.open(tmp_path / "letter.png")
        with pytest.raises(FileNotFoundError):
            ready.open(tmp_path / "nowhere.png")
        assert np.array_equal(ready.picture.rgb, LR)

    def test_no_file_leaves_the_photograph_that_was_there(self, ready):
        with pytest.raises(ValueError, match="at least one"):
            ready.open()
        assert np.array_equal(ready.picture.rgb, LR)
        ready.start()

    def test_nothing_to_do(self, models):
        empty = ImageWizard()
        with pytest.raises(ValueError, match="Choose a photograph"):
            empty.start()
        with pytest.raises(RuntimeError, match="Nothing was started"):
            empty.wait()

    def test_the_largest_factor_that_fits_is_chosen(self, ready, tmp_path, monkeypatch):
        """And a larger photograph after a small one, and back; a length that is too large is refused with a reason."""
        monkeypatch.setattr(enlarge, "MAX_RESULT_PIXELS", 16 * LR[..., 0].size)
        wide = write_image(tmp_path / "wide.png", np.tile(LR, (1, 2, 1)))
        assert ready.choice.scale == 4
        ready.open(wide)
        assert ready.choice.scale == 2 and not ready.fits(4)
        ready.choose(longer_side=100)
        with pytest.raises(ValueError, match=r"wide\.png would become .* smaller size"):
            ready.start()
        ready.choose(scale=4)
        ready.open(tmp_path / "cat.tif")
        assert ready.choice.scale == 4 and made_by(ready, scale=4).sr.size == (48, 64)

    def test_a_result_that_no_disk_holds_is_refused(self, ready, monkeypatch):
        monkeypatch.setattr(enlarge, "MAX_RESULT_PIXELS", 100)
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10_000}))
        ready.choose(scale=4)
        with pytest.raises(ValueError, match=r"cat\.tif .* free on the disk"):
            ready.start()

    def test_lack_of_memory_ends_in_a_sentence(self, ready, monkeypatch):
        with monkeypatch.context() as patched, pytest.raises(MemoryError):
            patched.setattr(
                enlarge, "upscale", lambda *_, **__: (_ for _ in ()).throw(MemoryError())
            )
            made_by(ready, scale=4)
        assert "cat.tif" in ready.sentence and "not enough memory" in ready.sentence
        assert made_by(ready, scale=4).sr.size == (48, 64)


class TestPhotographs:
    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("letter.pdf", b"%PDF-1.7 a letter", "letter.pdf is not a picture"),
            ("empty.png", b"", "empty.png"),
        ],
    )
    def test_what_is_no_picture_is_named(self, name, content, sentence):
        with pytest.raises(ImageError, match=sentence):
            Photograph.open(content, name)

    @pytest.mark.parametrize(
        ("kind", "suffix", "module"),
        [("HEIF", "heic", "pillow_heif"), ("JXL", "jxl", "pillow_jxl")],
    )
    def test_a_format_with_a_plug_in_is_read_or_named(
        self, kind, suffix, module, tmp_path, monkeypatch
    ):
        pytest.importorskip(module)
        content = write_image(tmp_path / f"IMG_1.{suffix}", np.tile(LR, (4, 4, 1))).read_bytes()
        assert Photograph.open(content, f"IMG_1.{suffix}").size == (48, 64)
        with monkeypatch.context() as patched:
            patched.setattr("srlib.widgets.wizard.photograph.MAX_PIXELS", 1000)
            with pytest.raises(ImageError, match="64 × 48"):
                Photograph.open(content, f"IMG_1.{suffix}")
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delitem(Image.OPEN, kind)
        with pytest.raises(ImageError, match=f"IMG_1.{suffix}.*{module.replace('_', '-')}.*JPEG"):
            Photograph.open(content, f"IMG_1.{suffix}")

    def test_a_file_is_decoded_once_for_the_advice_on_all_factors(self, tmp_path):
        path = write_image(tmp_path / "phone.jpg", np.tile(LR, (4, 4, 1)))
        photograph = Photograph.open(path)
        advice(photograph, 2)
        path.unlink()  # it cannot be decoded again
        assert advice(photograph, 4).fault == "Noise"

    @pytest.mark.parametrize("kind", ["GIF", "PNG", "JPEG", "TIFF", "WEBP", "BMP"])
    def test_a_damaged_file_is_a_sentence_with_its_name(self, kind):
        """Decoders raise anything: an IndexError for a GIF whose colour table is cut."""
        content = encoded(
            Image.fromarray(np.tile(LR, (4, 4, 1))).convert("P" if kind == "GIF" else "RGB"), kind
        )
        rng = np.random.default_rng(0)
        for cut in rng.integers(4, len(content), 40):
            damaged = bytearray(content[:cut])
            for place in rng.integers(6, max(7, cut), 3):
                damaged[place % cut] = rng.integers(256)
            try:
                Photograph.open(bytes(damaged), f"hurt.{kind.lower()}")
            except ImageError as error:
                assert f"hurt.{kind.lower()}" in str(error)

    def test_a_huge_picture_is_refused(self, monkeypatch):
        with pytest.raises(ImageError, match=r"poster.png .* 12\.5 megapixels"):
            Photograph.open(black_png(4_000), "poster.png")
        monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it was decoded"))
        with pytest.raises(ImageError, match=r"poster\.png"):
            Photograph.open(black_png(20_000), "poster.png")

    def test_an_animation_gives_its_first_frame(self):
        frames = [Image.fromarray(LR // step).quantize(64) for step in (1, 2, 3)]
        dance = Photograph.open(
            encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "dance.gif"
        )
        assert np.array_equal(dance.read().rgb, np.asarray(frames[0].convert("RGB")))

    def test_a_thumbnail_is_small_and_looks_like_the_photograph(self, tmp_path):
        big = imresize(LR, 40)
        opened = Photograph.open(write_image(tmp_path / "big.png", big))
        assert opened.size == (480, 640)
        with Image.open(io.BytesIO(base64.b64decode(opened.thumbnail.partition(",")[2]))) as small:
            assert small.size == (360, 270)
            shrunk = np.asarray(Image.fromarray(big).resize((360, 270))).astype(int)
            assert np.abs(np.asarray(small).astype(int) - shrunk).mean() < 10


class TestFiles:
    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
    def test_profile_exif_and_alpha_are_kept(self, ready, tmp_path, kind):
        image = Image.fromarray(np.dstack([LR, LR[..., 0]]))
        exif = image.getexif()
        exif[0x010F] = "A camera"
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        image.save(tmp_path / "cat.png", exif=exif, icc_profile=profile)
        ready.open(tmp_path / "cat.png")
        made = made_by(ready, scale=4)
        with Image.open(io.BytesIO(made.file(kind)[1].read())) as file:
            assert (file.format, file.size) == (kind, (64, 48))
            assert file.info["icc_profile"] == profile and file.getexif()[0x010F] == "A camera"
            if kind != "JPEG":
                assert np.array_equal(np.asarray(file), np.dstack([made.sr.rgb, made.sr.alpha]))
        with Image.open(io.BytesIO(made.file(kind, metadata=False)[1].read())) as file:
            assert file.info["icc_profile"] == profile and 0x010F not in file.getexif()

    def test_beyond_the_memory_a_tiff_has_the_same_pixels(self, ready, tmp_path, monkeypatch):
        """And no name on the disk, and none of the camera's notes."""
        image = Image.fromarray(np.dstack([LR, LR[..., 0]]))
        exif = image.getexif()
        exif[0x010F] = "A camera"
        image.save(tmp_path / "cat.png", exif=exif)
        ready.open(tmp_path / "cat.png")
        expected = made_by(ready, scale=2).sr
        ready = ImageWizard()
        ready.open(tmp_path / "cat.tif", tmp_path / "cat.png")
        monkeypatch.setattr(enlarge, "MAX_RESULT_PIXELS", 100)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
        (tmp_path / "scratch").mkdir()
        made = made_by(ready, scale=2, model="edsr-lite")
        name, content = made.file("JPEG")
        assert name == "cat_x2_edsr-lite.tif" and not list((tmp_path / "scratch").glob("**/*.tif"))
        with Image.open(io.BytesIO(content.read())) as file:
            assert np.array_equal(np.asarray(file), np.dstack([expected.rgb, expected.alpha]))
            assert 0x010F not in file.getexif()
        with zipfile.ZipFile(io.BytesIO(zip_of(ready.batch, "PNG").read())) as archive:
            assert archive.read("cat_x2_edsr-lite (2).tif") == content.read()

    def test_a_zip_has_the_last_batch_under_different_names(self, ready, tmp_path):
        made_by(ready, scale=4)
        files = [tmp_path / "a" / "cat.png", tmp_path / "b" / "cat.png"]
        for file, pixels in zip(files, (LR, LR[::-1]), strict=True):
            file.parent.mkdir()
            write_image(file, pixels)
        ready.open(*files)
        made_by(ready, scale=2)
        assert ready.batch == ready.results[1:]
        with zipfile.ZipFile(io.BytesIO(zip_of(ready.batch, "TIFF").read())) as archive:
            assert archive.namelist() == ["cat_x2_edsr-lite.tif", "cat_x2_edsr-lite (2).tif"]
            for made, member in zip(ready.batch, archive.namelist(), strict=True):
                assert np.array_equal(read_image(archive.open(member)).rgb, made.sr.rgb)

    def test_scratch_reads_back_and_has_no_name_to_be_found_by(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        scratch = Scratch(b"abc")
        scratch.write(b"defg")
        assert (scratch.read(), scratch.read(2, 3), len(scratch)) == (b"abcdefg", b"cde", 7)
        assert not os.path.isdir("/proc/self/fd") or list(tmp_path.iterdir()) == []


def test_networks_are_offered_by_the_kind_of_picture(models, monkeypatch):
    small = EDSRConfig(2, 1, 4)
    large = EDSRConfig(2, 2, 4)
    offers = [
        zoo.Checkpoint(name, config, f"{name}.safetensors", "a title")
        for name, config in (
            ("edsr-lite", small),
            ("edsr-lite-photo", small),
            ("edsr-baseline", large),
        )
    ]
    monkeypatch.setattr(zoo, "CHECKPOINTS", tuple(offers))
    for offer in offers:
        zoo.save_weights(EDSR(offer.config), offer.path)
    _, page = ImageWizard().view.children
    assert [offer["title"] for offer in page.networks[1:]] == [
        "Clean photo (edsr-lite)",
        "Web photo (edsr-lite-photo)",
        "Clean photo, finer (edsr-baseline)",
    ]
    offers[2].path.unlink()
    assert enlarge.networks() == {"edsr-lite": [2], "edsr-lite-photo": [2]}


class TestQueue:
    def test_two_clicks_are_one_job_and_another_choice_waits(self, ready, held):
        ready.choose(scale=4)
        ready.start()
        assert held.begun.wait(PATIENCE)
        with pytest.raises(RuntimeError, match="being enlarged already"):
            ready.start()
        ready.choose(scale=2)
        ready.start()
        assert [order.scale for order in ready.unfinished] == [4, 2]
        held.go_on.set()
        ready.wait(PATIENCE)
        assert [made.order.scale for made in ready.results] == [4, 2] and not ready.busy
        assert ready.sentence == "Done: 2 of 2 photographs."

    def test_cancel_stops_the_running_job_and_those_that_wait(self, ready, held):
        for scale in (4, 2):
            ready.choose(scale=scale)
            ready.start()
        assert held.begun.wait(PATIENCE)
        ready.cancel()
        held.go_on.set()
        with pytest.raises(Cancelled):
            ready.wait(PATIENCE)
        while ready.busy:
            threading.Event().wait(0.01)
        assert ready.sentence == "Cancelled." and ready.result is None
        assert made_by(ready, scale=2).sr.size == (24, 32)

    def test_cancel_takes_effect_between_two_blocks(self, ready):
        """One tile of one picture: without the blocks there would be no moment at which to stop."""
        heard = []

        def stop(done):
            heard.append(done)
            raise Cancelled

        with pytest.raises(Cancelled):
            enlarge.enlarge(ready.orders()[0], stop)
        assert heard == [1 / 8]  # edsr-lite has eight blocks

    @pytest.mark.parametrize(("best", "blocks"), [(False, 8), (True, 64)])
    def test_progress_grows_to_one(self, ready, best, blocks, monkeypatch):
        fractions = []
        monkeypatch.setattr(
            enlarge, "upscale", lambda lr, model, **options: upscale(lr, model, tile=8, **options)
        )
        ready.choose(best=best)
        enlarge.enlarge(ready.orders()[0], fractions.append)
        steps = 4 * blocks  # of four tiles
        assert fractions == [(i + 1) / steps for i in range(steps)]

    def test_the_last_sentence_of_a_job_is_that_it_saves(self, models, cat):
        class Noting(ImageWizard):
            sentences: ClassVar[list] = []

            def progressed(self):
                self.sentences.append(self.sentence)

        wizard = Noting({"A cat": cat})
        made_by(wizard, scale=2)
        sentences = [
            sentence for sentence in wizard.sentences if "waiting" not in sentence
        ]  # other tests
        assert sentences[0].startswith("A cat, about ")
        assert sentences[-1] == "A cat, saving …"

    def test_the_queue_goes_on_whatever_a_listener_raises(self):
        def listener(job):
            raise OSError("no more comms")

        queue = JobQueue(lambda job: job.order, listener)
        for job in [queue.put(order) for order in range(3)]:
            with pytest.raises(OSError, match="no more comms"):
                job.wait(PATIENCE)
        assert queue.unfinished == []

    def test_what_was_cancelled_may_be_asked_again_at_once(self):
        begun = threading.Event()
        go_on = threading.Event()

        def work(job):
            begun.set()
            assert go_on.wait(PATIENCE)
            job.check()
            return job.order

        queue = JobQueue(work, lambda job: None)
        first = queue.put("unsure")
        assert begun.wait(PATIENCE) and queue.put("unsure") is None
        queue.cancel()
        again = queue.put("unsure")
        go_on.set()
        assert again.wait(PATIENCE) == "unsure"
        with pytest.raises(Cancelled):
            first.wait(PATIENCE)

    def test_one_at_a_time_on_the_whole_machine(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
        inside = []
        at_once = []
        waited = []

        def work(number):
            with machine_slot(lambda: None, lambda: waited.append(number)):
                inside.append(number)
                at_once.append(len(inside))
                threading.Event().wait(0.05)
                inside.remove(number)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert at_once == [1] * 4 and len(waited) >= 1

    def test_cancel_takes_effect_while_others_are_at_work(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))

        def cancelled():
            raise Cancelled

        with (
            machine_slot(lambda: None, lambda: None),
            pytest.raises(Cancelled),
            machine_slot(cancelled, lambda: None),
        ):
            pass


def test_the_forecast_is_that_of_predict_cost(ready):
    ready.choose(scale=2, model="edsr-lite", best=True)
    (order,) = ready.orders()
    cost = predict_cost(zoo.find("edsr-lite", 2).config, 12, 16)
    assert order.seconds == pytest.approx(8 * cost.seconds)


def test_the_page_may_be_behind_the_kernel(ready, tmp_path, monkeypatch):
    """Between two messages another photograph is chosen, or none is left: a sentence, and an answer."""
    made_by(ready, scale=2)
    ready.open(write_image(tmp_path / "dog.png", LR[::-1].copy()))
    sent = []
    monkeypatch.setattr(ready._page, "send", lambda message, buffers=(): sent.append(message))
    assert ready.result is None

    def say(**message):
        ready._page._act(None, message, [])
        assert sent[-1] == {"heard": True}

    for what in ("one", "all"):
        say(type="download", ticket=what, start=0, what=what)
        assert "no result yet" in ready._page.problem
    say(type="pick", index=7)
    for _ in range(3):
        say(type="remove")
    say(type="pick", index=0)
    assert not ready.photographs and all(set(message) == {"heard"} for message in sent)


def test_a_removed_photograph_leaves_the_disk(models):
    wizard = ImageWizard()
    photograph = Photograph.open(encoded(Image.fromarray(LR), "PNG"), "cat.png")
    advice(photograph, 2)
    wizard.take([photograph])
    content = weakref.ref(photograph.content)
    wizard.remove()
    del photograph
    gc.collect()
    assert content() is None
