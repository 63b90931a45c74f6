"""The wizard without a browser: from photographs to results, the queue, what is refused, and what a page sends and gets."""

import base64
import io
import os
import struct
import threading
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from srlib.images.picture import ImageError, from_array, read_image, write_image
from srlib.images.resize import imresize
from srlib.images.tensors import to_array, to_tensor
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.enlarge import upscale
from srlib.upscaling.ensemble import mean_of_eight
from srlib.widgets import ImageWizard
from srlib.widgets.wizard import enlarge, photograph, visit, wizard
from srlib.widgets.wizard.jobs import Cancelled, JobQueue, machine_slot
from srlib.widgets.wizard.results import Results
from srlib.widgets.wizard.scratch import Scratch
from srlib.widgets.wizard.upload import Upload
from srlib.zoo import checkpoints as zoo

LR = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
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
    return ImageWizard({"A cat": cat})


@pytest.fixture
def held(monkeypatch):
    """Networks that wait, once begun, until they are let go."""

    class Held:
        begun, go_on = threading.Event(), threading.Event()

    def slow(order, on_progress):
        Held.begun.set()
        assert Held.go_on.wait(PATIENCE)
        on_progress(0.5)
        return enlarge.enlarge(order, on_progress)

    Held.begun.clear(), Held.go_on.clear()
    monkeypatch.setattr(visit, "enlarge", slow)
    return Held


def encoded(image, kind):
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def encoded_flat(side):
    """A black square as PNG of a few kilobytes, however large."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side // 8 + 1) * side))
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def sent(wizard, name, content, gesture="1", number=0, beyond=0):
    """A file as the page sends it."""
    message = {"type": "piece", "gesture": gesture, "number": number, "name": name, "start": 0}
    wizard._upload._act(
        None, {**message, "size": len(content), "beyond": beyond}, [memoryview(content)]
    )


class TestByCode:
    def test_from_a_photograph_to_a_file_name(self, ready):
        ready.choose(scale=2, model="edsr-lite")
        ready.start()
        result = ready.wait(PATIENCE)
        assert result is ready.result
        assert result.file_name == "cat_x2_edsr-lite.png"
        assert np.array_equal(result.sr.rgb, upscale(LR, zoo.load_pretrained("edsr-lite", 2)))
        assert np.array_equal(result.bicubic.rgb, imresize(LR, 2))
        assert ready.sentence == "Done: 32 × 24 pixels." and not ready.busy

    def test_best_quality_is_the_papers_self_ensemble(self, ready):
        ready.choose(scale=2, model="edsr-lite+")
        ready.start()
        with torch.inference_mode():
            expected = mean_of_eight(zoo.load_pretrained("edsr-lite", 2), to_tensor(LR)[None])[0]
        assert (
            np.abs(ready.wait(PATIENCE).sr.rgb.astype(int) - to_array(expected)).max() <= 1
        )  # folded tail, other sums

    @pytest.mark.parametrize("longer_side", [16, 17, 31, 32, 50, 64, 77, 128])
    def test_a_size_in_pixels_is_met_exactly(self, ready, longer_side):
        ready.choose(longer_side=longer_side)
        ready.start()
        height, width = ready.wait(PATIENCE).sr.size
        assert width == longer_side and abs(height - 0.75 * longer_side) < 1
        assert ready.result.file_name == f"cat_{longer_side}px_edsr-lite.png"

    def test_rounding_errors_add_no_pixel(self, ready, tmp_path):
        """13 * (27 / 13) is 27.000000000000004."""
        ready.open(write_image(tmp_path / "thirteen.png", from_array(LR[:, :13])))
        ready.choose(longer_side=27)
        ready.start()
        result = ready.wait(PATIENCE)
        assert result.sr.size == result.bicubic.size == (25, 27)

    @pytest.mark.parametrize("longer_side", [15, 129])
    def test_a_size_out_of_reach(self, ready, longer_side):
        ready.choose(longer_side=longer_side)
        with pytest.raises(
            ValueError, match=f"16 pixels long; from 16 to 128 pixels .* not {longer_side}"
        ):
            ready.start()
        assert "from 16 to 128" in ready._choices.summary

    def test_offers_only_what_is_on_disk(self, ready):
        with pytest.raises(
            ValueError,
            match="edsr-lite x3 is not on this machine; there are edsr-lite x2, edsr-lite x4",
        ):
            ready.choose(scale=3)
        with pytest.raises(ValueError, match="edsr x2 is not on this machine"):
            ready.choose(scale=2, model="edsr")

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
        ready.start()
        result = ready.wait(PATIENCE)
        assert result.sr.size == result.bicubic.size == tuple(4 * side for side in picture.size)
        assert result.sr.rgb.dtype == picture.rgb.dtype and (result.sr.alpha is None) == (
            picture.alpha is None
        )

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

    def test_a_result_too_large_is_refused_before_work_begins(self, ready, monkeypatch):
        monkeypatch.setattr(enlarge, "MAX_RESULT_PIXELS", 3000)
        with pytest.raises(ValueError, match="Choose a smaller scale"):
            ready.start()
        ready.choose(scale=2)
        ready.start()
        ready.wait(PATIENCE)

    def test_what_does_not_fit_into_memory_ends_in_a_sentence(self, ready, monkeypatch):
        def fails(*_, **__):
            raise MemoryError

        with monkeypatch.context() as patched:
            patched.setattr(enlarge, "upscale", fails)
            ready.start()
            with pytest.raises(MemoryError):
                ready.wait(PATIENCE)
        assert ready.sentence.startswith("cat.tif did not work: There is not enough memory")
        ready.start()
        assert ready.wait(PATIENCE).sr.size == (48, 64)

    def test_a_comparison_that_does_not_fit_into_memory_leaves_the_download(
        self, ready, monkeypatch
    ):
        def fails(*_):
            raise MemoryError

        monkeypatch.setattr(wizard, "CompareSlider", fails)
        ready.start()
        assert ready.wait(PATIENCE).encode()[:4] == b"\x89PNG"
        assert (
            "does not fit into memory; the download works" in ready._stage.children[0].value
            and not ready._job.busy
        )

    def test_models_by_what_they_are_good_for(self, models, monkeypatch):
        def checkpoint(name, config):
            return zoo.Checkpoint(name, config, f"{name}.safetensors", "a title")

        small, large = EDSRConfig(2, 1, 4), EDSRConfig(2, 2, 4)
        offers = (
            checkpoint("edsr-lite", small),
            checkpoint("edsr-lite-photo", small),
            checkpoint("edsr-baseline", large),
        )
        monkeypatch.setattr(zoo, "CHECKPOINTS", offers)
        for offer in offers:
            zoo.save_weights(EDSR(offer.config), offer.path)
        assert [(name, recipe.title) for name, recipe in enlarge.recipes().items()] == [
            ("edsr-lite", "Clean photo"),
            ("edsr-lite-photo", "Phone or web picture"),
            ("edsr-baseline", "Clean photo, finer"),
            ("edsr-baseline+", "Best quality, slow"),
        ]
        offers[2].path.unlink()
        assert list(enlarge.recipes()) == ["edsr-lite", "edsr-lite-photo", "edsr-lite+"]

    def test_several_are_done_in_turn_and_one_failure_does_not_stop_the_others(
        self, ready, tmp_path
    ):
        files = [
            write_image(tmp_path / f"{name}.png", LR + number) for number, name in enumerate("abc")
        ]
        ready.open(*files)
        files[1].unlink()
        ready.choose(scale=2)
        ready.start()
        with pytest.raises(FileNotFoundError):
            ready.wait(PATIENCE)
        ready._started[-1].future.result(PATIENCE)
        assert [made.file_name for made in ready.results] == [
            "a_x2_edsr-lite.png",
            "c_x2_edsr-lite.png",
        ]
        assert ready.result is ready.results[0]  # the first is shown, and stays while others come
        assert (
            "Done: 2 of 3 photographs." in ready.sentence and "b.png did not work" in ready.sentence
        )

    def test_the_oldest_results_make_room(self, ready, monkeypatch):
        monkeypatch.setattr(visit, "MOST", 2)
        for scale, model in ((2, "edsr-lite"), (4, "edsr-lite"), (2, "edsr-lite+")):
            ready.choose(scale=scale, model=model)
            ready.start()
            ready.wait(PATIENCE)
        assert [made.order.stem for made in ready.results] == [
            "cat_x4_edsr-lite",
            "cat_x2_edsr-lite+",
        ]
        assert ready.result is ready.results[-1]


class TestQueue:
    def test_two_clicks_are_one_job_and_another_choice_waits(self, ready, held):
        ready._on_start()
        ready._on_start()
        assert held.begun.wait(PATIENCE)
        with pytest.raises(RuntimeError, match="at work on this already"):
            ready.start()
        assert (ready._job.busy, ready._job.ready, ready._job.label) == (True, False, "Enlarge")
        ready._on_choose(scale=2)
        assert (ready._job.ready, ready._job.label) == (True, "Enlarge after this")
        ready.start()
        held.go_on.set()
        ready.wait(PATIENCE)
        assert [made.order.scale for made in ready.results] == [4, 2]
        assert not ready._job.busy and ready.sentence == "Done: 2 of 2 photographs."

    def test_cancel_stops_what_is_done_and_what_waits(self, ready, held):
        ready.start()
        ready.choose(scale=2)
        ready.start()
        assert held.begun.wait(PATIENCE)
        ready.cancel()
        held.go_on.set()
        with pytest.raises(Cancelled):
            ready.wait(PATIENCE)
        with pytest.raises(Cancelled):
            ready._started[-1].future.result(PATIENCE)
        assert ready.sentence == "Cancelled." and ready.result is None and not ready._job.busy
        ready.start()
        assert ready.wait(PATIENCE).sr.size == (24, 32)

    def test_cancel_is_heard_between_two_blocks(self, ready):
        """One tile of one picture: without the blocks there would be no moment at which to listen."""
        heard = []

        def stop(done):
            heard.append(done)
            raise Cancelled

        with pytest.raises(Cancelled):
            enlarge.enlarge(ready.orders()[0], stop)
        assert heard == [1 / 8]  # edsr-lite has eight blocks

    @pytest.mark.parametrize(("model", "blocks"), [("edsr-lite", 8), ("edsr-lite+", 64)])
    def test_progress_grows_to_one(self, ready, model, blocks, monkeypatch):
        told = []
        monkeypatch.setattr(
            enlarge, "upscale", lambda lr, model, **options: upscale(lr, model, tile=8, **options)
        )
        ready.choose(model=model)
        enlarge.enlarge(ready.orders()[0], told.append)
        first, rest = told[:blocks], told[blocks:]  # the number of tiles is known after the first
        assert first == sorted(first) and rest == sorted(rest)
        assert (rest[0], rest[-1], len(rest)) == (1 / 4, 1, 1 + 3 * (blocks + 1))

    def test_the_queue_goes_on_whatever_a_listener_raises(self):
        def listener(job, result):
            raise OSError("no more comms")

        queue = JobQueue(lambda job: job.order, listener)
        jobs = [queue.put(order) for order in range(3)]
        for job in jobs:
            with pytest.raises(OSError, match="no more comms"):
                job.future.result(PATIENCE)
        assert queue.unfinished == []

    def test_one_at_a_time_on_the_whole_machine(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
        inside, most, waited = [], [], []

        def work(number):
            with machine_slot(lambda: None, lambda: waited.append(number)):
                inside.append(number)
                most.append(len(inside))
                threading.Event().wait(0.05)
                inside.remove(number)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert most == [1] * 4 and len(waited) >= 1

    def test_cancel_is_heard_while_others_are_at_work(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))

        def cancelled():
            raise Cancelled

        with (
            machine_slot(lambda: None, lambda: None),
            pytest.raises(Cancelled),
            machine_slot(cancelled, lambda: None),
        ):
            pass

    @pytest.mark.parametrize(
        ("seconds", "words"), [(0.2, "about 1 s"), (89, "about 89 s"), (100, "about 2 min")]
    )
    def test_time_in_words(self, seconds, words):
        assert visit.in_words(seconds) == words


class TestFromThePage:
    def test_what_is_chosen_together_takes_the_place_of_what_was_there(self, ready):
        for number, name in enumerate(["a.png", "b.png"]):
            sent(ready, name, encoded(Image.fromarray(LR), "PNG"), number=number)
        assert [p["name"] for p in ready._upload.photographs] == ["a.png", "b.png"]
        assert ready._job.label == "Enlarge 2 photographs"
        sent(ready, "c.png", encoded(Image.fromarray(LR), "PNG"), gesture="2")
        assert [p.name for p in ready.photographs] == ["c.png"]
        ready._upload._act(None, {"type": "remove", "index": 0}, [])
        assert ready.photographs == [] and not ready._job.ready
        ready._upload._act(None, {"type": "sample", "index": 0}, [])
        assert ready._upload.sample == 0 and ready._upload.photographs == [] and ready._job.ready

    def test_bad_files_among_good_ones_are_named(self, ready):
        jpeg = encoded(Image.fromarray(np.tile(LR, (20, 20, 1))), "JPEG")
        files = {
            "letter.jpg": b"%PDF-1.7",
            "cut.jpg": jpeg[: len(jpeg) // 2],
            "good.jpg": jpeg,
            "empty.png": b"",
        }
        for number, (name, content) in enumerate(files.items()):
            sent(ready, name, content, number=number)
        assert [p.name for p in ready.photographs] == ["good.jpg"]
        for name in (
            "letter.jpg is not a picture",
            "cut.jpg cannot be read",
            "empty.png is not a picture",
        ):
            assert name in ready._upload.sentence

    @pytest.mark.parametrize(
        ("side", "sentence"),
        [
            (20_000, "claims so many pixels"),
            (4_000, "has 4000 × 4000 pixels; the wizard takes up to 12 megapixels."),
        ],
    )
    def test_a_huge_picture_is_refused_by_its_header(self, ready, monkeypatch, side, sentence):
        monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it was decoded"))
        sent(ready, "poster.png", encoded_flat(side))
        assert ready._upload.sentence.startswith(f"poster.png {sentence}")
        assert ready.photographs[0].name == "cat.tif"

    def test_an_animation_gives_its_first_frame_and_says_so(self, ready):
        frames = [Image.fromarray(LR // step).quantize(64) for step in (1, 2, 3)]
        stream = io.BytesIO()
        frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
        sent(ready, "dance.gif", stream.getvalue())
        assert ready._upload.sentence == "dance.gif is an animation; its first frame is taken."
        assert np.array_equal(ready.picture.rgb, np.asarray(frames[0].convert("RGB")))

    def test_files_above_the_limits_are_named(self, models):
        wizard = ImageWizard()
        head = {"gesture": "1", "number": 0, "name": "film.mov", "size": 300 * 2**20, "beyond": 6}
        wizard._upload._act(None, {"type": "refused", **head}, [])
        assert wizard._upload.sentence == (
            "24 photographs are taken at once; 6 more were left out.  film.mov has 300 MB; the limit is 100 MB."
        )

    def test_pieces_are_put_together_and_stray_ones_refused(self, cat):
        files, content = [], cat.read_bytes()
        upload = Upload(lambda stream, gesture: files.append(stream), {})
        head = {
            "type": "piece",
            "gesture": "1",
            "number": 0,
            "name": "cat.tif",
            "size": len(content),
            "beyond": 0,
        }
        for start in range(0, len(content), 100):
            upload._act(None, {**head, "start": start}, [memoryview(content[start : start + 100])])
        (file,) = files
        assert file.name == "cat.tif" and np.array_equal(read_image(file).rgb, LR)
        upload._act(None, {**head, "start": 100}, [memoryview(content[:100])])
        assert upload.sentence == "cat.tif did not arrive whole; choose it again."
        upload.limit = 50  # the page may be anybody's
        upload._act(None, {**head, "gesture": "2", "start": 0}, [memoryview(content[:100])])
        assert "did not arrive whole" in upload.sentence and len(files) == 1

    def test_unknown_messages_are_ignored(self, ready):
        before, sent = ready.photographs, []
        ready._upload.send = sent.append
        for message in ({"type": "format the disk"}, {}):
            ready._upload._act(None, message, [])
        assert ready.photographs == before and ready.sentence == "" and not ready.busy
        assert sent == [{"heard": True}] * 2  # the page is answered, and may go on


class TestDownloads:
    @pytest.fixture
    def downloaded(self, ready, monkeypatch):
        """downloaded(what, kind): name and bytes as the page gets them, piece by piece."""
        monkeypatch.setattr("srlib.widgets.wizard.results._PIECE", 1000)

        def download(what, kind):
            answers, pieces, start = [], b"", 0
            monkeypatch.setattr(
                ready._results,
                "send",
                lambda message, buffers=(): buffers and answers.append((message, buffers[0])),
            )
            while not answers or answers[-1][0]["next"] < answers[-1][0]["size"]:
                ready._results._act(
                    None,
                    {
                        "type": "download",
                        "what": what,
                        "kind": kind,
                        "start": start,
                        "ticket": what + kind,
                    },
                    [],
                )
                pieces, start = pieces + answers[-1][1], answers[-1][0]["next"]
            return answers[0][0]["name"], pieces

        return download

    @pytest.mark.parametrize(
        ("kind", "suffix"), [("PNG", ".png"), ("TIFF", ".tif"), ("JPEG", ".jpg")]
    )
    def test_profile_exif_and_alpha_are_kept(self, ready, downloaded, tmp_path, kind, suffix):
        image = Image.fromarray(np.dstack([LR, LR[..., 0]]))
        exif = image.getexif()
        exif[0x010F] = "A camera"
        profile = _srgb_profile()
        image.save(tmp_path / "cat.png", exif=exif, icc_profile=profile)
        ready.open(tmp_path / "cat.png")
        ready.start()
        made = ready.wait(PATIENCE)
        name, content = downloaded("one", kind)
        assert name == f"cat_x4_edsr-lite{suffix}"
        with Image.open(io.BytesIO(content)) as file:
            assert (file.format, file.size) == (kind, (64, 48))
            assert file.info["icc_profile"] == profile and file.getexif()[0x010F] == "A camera"
            if kind != "JPEG":
                assert np.array_equal(np.asarray(file), np.dstack([made.sr.rgb, made.sr.alpha]))

    def test_all_as_a_zip(self, ready, downloaded, tmp_path):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
        ready.open(
            write_image(tmp_path / "a/cat.png", LR), write_image(tmp_path / "b/cat.png", LR[::-1])
        )
        ready.choose(scale=2)
        ready.start()
        ready.wait(PATIENCE)
        name, content = downloaded("all", "TIFF")
        assert name == "enlarged.zip"
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.namelist() == ["cat_x2_edsr-lite.tif", "cat_x2_edsr-lite (2).tif"]
            for made, member in zip(ready.results, archive.namelist(), strict=True):
                assert np.array_equal(read_image(archive.open(member)).rgb, made.sr.rgb)

    def test_a_format_that_cannot_hold_the_picture_ends_in_a_sentence(self, models, monkeypatch):
        class Wide:
            class order:
                stem = "wall"

            def encode(self, kind):
                raise ImageError("JPEG cannot hold this picture of 70000 x 10 pixels; use PNG.")

        results = Results(lambda: [Wide()], lambda index: None, selected=0)
        results._act(
            None, {"type": "download", "what": "one", "kind": "JPEG", "start": 0, "ticket": "1"}, []
        )
        assert (
            results.sentence
            == "The download failed: JPEG cannot hold this picture of 70000 x 10 pixels; use PNG."
        )


def _srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


class TestScratch:
    def test_reads_what_was_appended(self):
        scratch = Scratch(b"abc")
        scratch.append(b"defg")
        assert (scratch.read(), scratch.read(2, 3), len(scratch)) == (b"abcdefg", b"cde", 7)

    @pytest.mark.skipif(
        not os.path.isdir("/proc/self/fd"), reason="Open files are looked up in /proc."
    )
    def test_has_no_name_to_be_found_by(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        scratch = Scratch(b"abc")
        assert list(tmp_path.iterdir()) == [] and scratch.read() == b"abc"


def test_a_thumbnail_is_small_and_looks_like_the_photograph(tmp_path):
    big = imresize(LR, 40)
    opened = photograph.Photograph.open(write_image(tmp_path / "big.png", big))
    assert opened.size == (480, 640) and opened.note == ""
    with Image.open(io.BytesIO(base64.b64decode(opened.thumbnail.partition(",")[2]))) as small:
        assert small.size == (360, 270)
        shrunk = np.asarray(Image.fromarray(big).resize((360, 270))).astype(int)
        assert np.abs(np.asarray(small).astype(int) - shrunk).mean() < 10
