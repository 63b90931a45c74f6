"""The widgets without a browser: what they accept, what they send, and the wizard's job from start to result."""

import io
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from srlib import zoo
from srlib.images import ImageError, Picture, from_array, read_image, write_image
from srlib.model import EDSR
from srlib.resize import imresize
from srlib.upscale import upscale
from srlib.widgets import CompareSlider, ImageWizard, wizard
from srlib.widgets.upload import Upload

RNG = np.random.default_rng(0)
LR = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
SR = imresize(LR, 4)


def decoded(png):
    with Image.open(io.BytesIO(png)) as image:
        return image.mode, np.asarray(image)


class TestCompareSlider:
    def test_sends_every_pixel_as_it_is(self):
        slider = CompareSlider([LR, SR], ["LR", "SR"])
        for png, pixels in zip(slider.pictures, (LR, SR), strict=True):
            mode, received = decoded(png)
            assert mode == "RGB" and np.array_equal(received, pixels)

    def test_takes_arrays_pictures_and_pil_images_and_drops_alpha(self):
        slider = CompareSlider([Picture(LR, alpha=LR[..., 0]), Image.fromarray(LR[..., 0])])
        assert [decoded(png)[0] for png in slider.pictures] == ["RGB", "L"]

    @pytest.mark.parametrize(
        ("images", "labels", "sentence"),
        [
            ([LR], ["a"], "two pictures"),
            ([LR] * 3, ["a", "b", "c"], "two pictures"),
            ([LR, LR], ["a"], "two labels"),
            ([LR, SR[:, :40]], ["a", "b"], "16 x 12 and 40 x 48 pixels"),
        ],
    )
    def test_refuses_what_cannot_be_compared(self, images, labels, sentence):
        with pytest.raises(ValueError, match=sentence):
            CompareSlider(images, labels)

    def test_refuses_floats(self):
        with pytest.raises(ImageError, match="float32"):
            CompareSlider([LR, LR.astype(np.float32)])

    def test_a_crop_to_a_multiple_still_fits(self):
        assert len(CompareSlider([LR, np.zeros((50, 65, 3), np.uint8)]).pictures) == 2

    def test_stays_in_range(self):
        slider = CompareSlider([LR, SR], position=-1, zoom=0.1)
        assert (slider.position, slider.zoom) == (0, 1)
        slider.position, slider.zoom = 2, 1000
        assert (slider.position, slider.zoom) == (1, 32)

    def test_show_keeps_labels_and_view(self):
        slider = CompareSlider([LR, SR], ["LR", "SR"], zoom=3)
        slider.show([SR, SR])
        assert (slider.labels, slider.zoom) == (["LR", "SR"], 3)
        assert np.array_equal(decoded(slider.pictures[0])[1], SR)


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
def photograph(tmp_path):
    return write_image(tmp_path / "cat.tif", LR)


@pytest.fixture
def ready(models, photograph):
    """A wizard with a photograph."""
    return ImageWizard({"A cat": photograph})


class TestImageWizard:
    def test_from_a_photograph_to_a_file_name(self, ready):
        ready.choose(scale=2, model="edsr-lite")
        ready.start()
        result = ready.wait(60)
        assert result is ready.result
        assert result.file_name == "cat_x2_edsr-lite.png"
        assert np.array_equal(result.sr.rgb, upscale(LR, zoo.load_pretrained("edsr-lite", 2)))
        assert np.array_equal(result.bicubic.rgb, imresize(LR, 2))
        assert ready.sentence == "Done: 32 × 24 pixels." and not ready.busy

    def test_offers_only_what_is_on_disk(self, ready):
        with pytest.raises(ValueError, match="edsr-lite x3 is not on this machine; there are edsr-lite x2, edsr-lite x4"):
            ready.choose(scale=3)
        with pytest.raises(ValueError, match="edsr x2 is not on this machine"):
            ready.choose(scale=2, model="edsr")

    @pytest.mark.parametrize(
        "picture",
        [
            from_array(RNG.integers(0, 2**16, (12, 16), dtype=np.uint16)),
            from_array(RNG.integers(0, 256, (12, 16, 4), dtype=np.uint8)),
            from_array(LR[:1, :1]),
        ],
        ids=["16 bit gray", "alpha", "one pixel"],
    )
    def test_unusual_photographs(self, ready, tmp_path, picture):
        ready.open(write_image(tmp_path / "unusual.png", picture))
        ready.start()
        result = ready.wait(60)
        assert result.sr.size == result.bicubic.size == tuple(4 * side for side in picture.size)
        assert result.sr.rgb.dtype == picture.rgb.dtype and (result.sr.alpha is None) == (picture.alpha is None)

    def test_a_bad_file_leaves_the_photograph_that_was_there(self, ready, tmp_path):
        (tmp_path / "letter.png").write_text("Dear cat,")
        with pytest.raises(ImageError, match=r"letter\.png is not a picture"):
            ready.open(tmp_path / "letter.png")
        with pytest.raises(FileNotFoundError):
            ready.open(tmp_path / "nowhere.png")
        assert np.array_equal(ready.picture.rgb, LR)

    def test_nothing_to_do(self, models):
        empty = ImageWizard()
        with pytest.raises(ValueError, match="Choose a photograph first"):
            empty.start()
        with pytest.raises(RuntimeError, match="Nothing was started"):
            empty.wait()

    def test_a_result_too_large_for_the_browser_is_refused_before_work_begins(self, ready, monkeypatch):
        monkeypatch.setattr(wizard, "MAX_RESULT_PIXELS", 3000)
        with pytest.raises(ValueError, match="Choose a smaller scale"):
            ready.start()
        ready.choose(scale=2)
        ready.start()
        ready.wait(60)

    def test_cancel_and_one_job_at_a_time(self, ready, monkeypatch):
        begun, go_on = threading.Event(), threading.Event()

        def slow(image, model, *, on_progress):
            begun.set()
            go_on.wait(60)
            on_progress(1, 2)

        with monkeypatch.context() as patched:
            patched.setattr(wizard, "upscale", slow)
            ready.start()
            assert begun.wait(60) and ready.busy
            for action in (ready.start, ready.choose, lambda: ready.open("other.png")):
                with pytest.raises(RuntimeError, match="at work"):
                    action()
            ready.cancel()
            go_on.set()
            with pytest.raises(wizard.Cancelled):
                ready.wait(60)
        assert ready.sentence == "Cancelled." and ready.result is None
        ready.start()
        assert ready.wait(60).sr.size == (48, 64)

    def test_a_failure_ends_in_a_sentence_and_the_wizard_goes_on(self, ready, monkeypatch):
        def fails(image, model, *, on_progress):
            raise MemoryError("There is not enough memory.")

        with monkeypatch.context() as patched:
            patched.setattr(wizard, "upscale", fails)
            ready.start()
            with pytest.raises(MemoryError):
                ready.wait(60)
        assert ready.sentence == "That did not work: There is not enough memory."
        ready.start()
        ready.wait(60)

    def test_another_photograph_takes_the_place_of_a_result(self, ready, photograph):
        ready.start()
        ready.wait(60)
        ready.open(photograph)
        assert ready.result is None

    @pytest.mark.parametrize(("seconds", "words"), [(0.2, "about 1 s"), (89, "about 89 s"), (100, "about 2 min")])
    def test_time_left(self, seconds, words):
        assert wizard._in_words(seconds) == words


def test_upload_puts_the_pieces_together(photograph):
    files, sentences = [], []
    upload = Upload(files.append, sentences.append)
    content = photograph.read_bytes()
    for start in range(0, len(content), 100):
        piece = memoryview(content[start : start + 100])
        upload._receive(upload, {"name": "cat.tif", "start": start, "size": len(content)}, [piece])
    (file,) = files
    assert file.name == "cat.tif" and np.array_equal(read_image(file).rgb, LR)
    upload._receive(upload, {"refused": "film.mov", "size": 300 * 2**20}, [])
    assert sentences == ["film.mov has 300 MB; the limit is 200 MB."]
