"""The script that trains the shipped weights, on the sample photographs."""

from functools import partial

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from srlib.images import imresize, jpeg_round_trip
from srlib.model import EDSRConfig
from srlib.zoo import load_pretrained, save_weights


@pytest.fixture
def tool(monkeypatch, request):
    monkeypatch.syspath_prepend(request.config.rootpath / "tools")
    import train_bundled

    monkeypatch.setattr(train_bundled, "EVERY", 2)
    monkeypatch.setattr(train_bundled, "TILE", 16)
    monkeypatch.setattr(train_bundled, "SHAPES", {"edsr-lite": (1, 8)})
    return train_bundled


@pytest.fixture
def photos(tmp_path, photo):
    """Two photographs to train on and one to validate on, and one that is too small."""
    for part, count in (("train", 2), ("valid", 1)):
        (tmp_path / "photos" / part).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(np.roll(photo, 7 * index, 1)).save(
                tmp_path / "photos" / part / f"{index}.png"
            )
    Image.fromarray(photo[:20, :20]).save(tmp_path / "photos" / "train" / "small.png")
    return tmp_path / "photos"


def train(tool, monkeypatch, photos, out, options):
    command = f"x {photos} {out} --model edsr-lite --batch 2 --patch 16 --seed 3 {options}"
    monkeypatch.setattr("sys.argv", command.split())
    tool.main()
    return load_file(out / "model.safetensors")


def test_a_run_goes_on_to_the_bit(tool, monkeypatch, photos, tmp_path):
    options = "--scale 2 --steps 6 --optimizer muon"
    straight = train(tool, monkeypatch, photos, tmp_path / "straight", options)

    def interrupt(event, steps_done, history):
        if event == "step" and steps_done == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tool, "fine_tune", partial(tool.fine_tune, on_event=interrupt))
        with pytest.raises(KeyboardInterrupt):
            train(tool, monkeypatch, photos, tmp_path / "broken", options)
    resumed = train(tool, monkeypatch, photos, tmp_path / "broken", options)
    assert all(np.array_equal(resumed[name], straight[name]) for name in straight)


def test_another_scale_starts_from_head_and_body(tool, monkeypatch, photos, tmp_path):
    """With a learning rate of zero they come out as they went in."""
    first = train(tool, monkeypatch, photos, tmp_path / "x2", "--scale 2 --steps 2")
    start = f"--start {tmp_path / 'x2' / 'model.safetensors'} --learning-rate 0"
    second = train(tool, monkeypatch, photos, tmp_path / "x4", f"--scale 4 --steps 2 {start}")
    assert load_pretrained(tmp_path / "x4" / "model.safetensors").config == EDSRConfig(4, 1, 8)
    kept = [name for name in first if name.startswith(("head.", "body."))]
    assert kept and all(np.array_equal(first[name], second[name]) for name in kept)


def test_weights_of_another_network_are_refused(tool, tmp_path):
    start = save_weights(load_pretrained("edsr-lite", 2), tmp_path / "start.safetensors")
    with pytest.raises(SystemExit, match="choose another --model"):
        tool.first_weights(start, EDSRConfig(2, 1, 8))


def test_pairs(tool, photos):
    """Four variants of each photograph are all different, and the same at each call."""
    plain = tool.read_pairs(photos / "train", 2, photo=False)
    assert [pair.name for pair in plain] == ["0", "1", "small"]
    assert np.array_equal(plain[0].lr, imresize(plain[0].hr, 1 / 2))
    degraded, again = (tool.read_pairs(photos / "train", 2, photo=True) for _ in range(2))
    assert len(degraded) == 12 and len({pair.lr.tobytes() for pair in degraded}) == 12
    assert all(np.array_equal(a.lr, b.lr) for a, b in zip(degraded, again, strict=True))


def test_half_of_the_drawn_photographs_are_plain_jpegs(tool, photo):
    """Of quality 50 to 95; the others are blurred, noisy or sharpened before."""
    hr = photo[:64, :64]
    lr = imresize(hr, 1 / 2)
    jpegs = {jpeg_round_trip(lr, quality).tobytes(): quality for quality in range(1, 101)}
    drawn = [jpegs.get(tool.as_photo(hr, 2, str(i)).tobytes()) for i in range(300)]
    plain = [quality for quality in drawn if quality]
    assert 0.35 < len(plain) / 300 < 0.65
    assert min(plain) in range(50, 56) and max(plain) in range(90, 96)
