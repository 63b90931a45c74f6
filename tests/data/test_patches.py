"""Patches: where they come from, that LR and HR fit each other, and that nothing but (seed, step) decides."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from srlib.data.pairs import Pair
from srlib.data.patches import PairedPatches


def coordinates(height: int, width: int, image: int) -> np.ndarray:
    """An image whose pixels say where they are: (row, column, image)."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows, columns, np.full_like(rows, image)]).astype(np.uint8)


@pytest.fixture
def marked():
    pairs = []
    for number, (height, width) in enumerate([(20, 31), (12, 9)]):
        lr = coordinates(height, width, number)
        pairs.append(Pair(lr.repeat(3, 0).repeat(3, 1), lr, str(number)))
    return pairs


def mapped(pairs: list[Pair], folder) -> list[Pair]:
    """The pairs with their pixels in files, as `memory_map` gives them."""

    def stored(image: np.ndarray, file: str) -> np.ndarray:
        np.memmap(folder / file, np.uint8, "w+", shape=image.shape)[:] = image
        return np.memmap(folder / file, np.uint8, "r", shape=image.shape)

    return [Pair(stored(hr, f"{n}.hr"), stored(lr, f"{n}.lr"), n) for hr, lr, n in pairs]


def integers(batch) -> list[np.ndarray]:
    return [(t * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy() for t in batch]


@pytest.mark.parametrize("augment", [True, False])
def test_patches_are_where_they_say_and_fit_each_other(marked, augment):
    patches = PairedPatches(marked, scale=3, patch_size=15, augment=augment, seed=1)
    kinds = set()
    images = set()
    for step in range(20):
        lr, hr = patches.batch(step, 8)
        assert lr.shape == (8, 3, 5, 5) and hr.shape == (8, 3, 15, 15) and lr.dtype == torch.float32
        assert torch.equal(hr[:, :, 1::3, 1::3], lr)  # the pair is turned together
        for patch in (lr * 255).round().int():
            assert len(patch[2].unique()) == 1
            images.add(patch[2, 0, 0].item())
            rows, columns = (sorted(patch[i].unique().tolist()) for i in (0, 1))
            assert rows == list(range(rows[0], rows[0] + 5)) and columns == list(
                range(columns[0], columns[0] + 5)
            )
            kinds.add(
                tuple((patch[:2, 0, 0] - patch[:2, 4, 4]).tolist())
                + tuple((patch[:2, 0, 4] - patch[:2, 4, 0]).tolist())
            )
    assert images == {0, 1}
    assert len(kinds) == (8 if augment else 1)


@settings(max_examples=8)
@given(
    scale=st.sampled_from([2, 3, 4]),
    lr_size=st.integers(2, 6),
    beyond=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
    on_disk=st.booleans(),
)
def test_lr_is_the_region_that_belongs_to_hr(
    tmp_path_factory, scale, lr_size, beyond, seed, on_disk
):
    """HR pixels say where they are, so a patch tells its place; Pillow turns that region, and LR must be the same region."""
    sizes = [(lr_size + height, lr_size + width) for height, width in beyond]
    pairs = [
        Pair(coordinates(height * scale, width * scale, n), coordinates(height, width, n), str(n))
        for n, (height, width) in enumerate(sizes)
    ]
    given_pairs = mapped(pairs, tmp_path_factory.mktemp("store")) if on_disk else pairs
    patches = PairedPatches(given_pairs, scale=scale, patch_size=lr_size * scale, seed=seed)
    seen = set()
    for lr, hr in zip(*integers(patches.batch(0, 128)), strict=True):
        source = pairs[hr[0, 0, 2]]
        top = hr[..., 0].min()
        left = hr[..., 1].min()
        assert top % scale == 0 and left % scale == 0
        region = source.hr[top : top + hr.shape[0], left : left + hr.shape[1]]
        small = source.lr[
            top // scale : top // scale + lr_size, left // scale : left // scale + lr_size
        ]
        same = [
            turn for turn in (None, *Image.Transpose) if np.array_equal(by_pillow(region, turn), hr)
        ]
        assert len(same) == 1
        assert np.array_equal(by_pillow(small, same[0]), lr)
        seen.add(same[0])
    assert len(seen) == 8  # 128 draws miss one of eight once in three million times


def by_pillow(image: np.ndarray, turn: Image.Transpose | None) -> np.ndarray:
    return (
        image
        if turn is None
        else np.asarray(Image.fromarray(np.ascontiguousarray(image)).transpose(turn))
    )


def test_batches_depend_on_seed_and_step_alone(marked):
    a, b = (PairedPatches(marked, scale=3, patch_size=15, seed=7) for _ in range(2))
    a.batch(0, 4)
    assert all(torch.equal(x, y) for x, y in zip(a.batch(5, 4), b.batch(5, 4), strict=True))
    other = PairedPatches(marked, scale=3, patch_size=15, seed=8)
    assert not torch.equal(other.batch(5, 4)[0], b.batch(5, 4)[0])


def test_a_seed_means_the_same_in_later_versions(marked):
    """Row, column and image of the first pixel, row and column of the last: as in version 0.1, so that runs can be repeated."""
    lr, _ = integers(PairedPatches(marked, scale=3, patch_size=15, seed=2026).batch(41, 6))
    assert [(*patch[0, 0].tolist(), *patch[4, 4, :2].tolist()) for patch in lr] == [
        (11, 12, 0, 7, 16), (9, 4, 0, 5, 0), (11, 18, 0, 7, 22), (9, 20, 0, 5, 24), (7, 11, 0, 3, 15), (15, 16, 0, 11, 20),
    ]  # fmt: skip


def test_every_position_is_equally_likely(marked):
    patches = PairedPatches(marked, scale=3, patch_size=15, augment=False)
    lr, _ = patches.batch(0, 4000)
    share = (lr[:, 2, 0, 0] == 0).float().mean().item()
    positions = [16 * 27, 8 * 5]
    assert share == pytest.approx(positions[0] / sum(positions), abs=0.02)


def test_gray_gets_three_channels(rng):
    gray = rng.integers(0, 256, (24, 24), dtype=np.uint8)
    lr, hr = integers(
        PairedPatches(
            [Pair(gray, gray[::2, ::2], "g")], scale=2, patch_size=24, augment=False
        ).batch(0, 1)
    )
    assert np.array_equal(hr[0], np.dstack([gray] * 3)) and np.array_equal(
        lr[0], np.dstack([gray[::2, ::2]] * 3)
    )


def test_patches_refuse(marked):
    with pytest.raises(ValueError, match="multiple of the scale"):
        PairedPatches(marked, scale=3, patch_size=16)
    with pytest.raises(ValueError, match="0: 93 x 60 pixels are less than a patch of 63"):
        PairedPatches(marked, scale=3, patch_size=63)
    with pytest.raises(ValueError, match="is not 2 times"):
        PairedPatches(marked, scale=2, patch_size=8)
    with pytest.raises(ValueError, match="no image pairs"):
        PairedPatches([], scale=2, patch_size=8)
    with pytest.raises(ValueError, match="deep has uint16 values"):
        PairedPatches(
            [Pair(marked[0].hr.astype(np.uint16), marked[0].lr, "deep")], scale=3, patch_size=15
        )


def test_it_does_not_matter_where_the_pixels_are(marked, tmp_path):
    in_memory, on_disk = (
        PairedPatches(pairs, scale=3, patch_size=15, seed=3)
        for pairs in (marked, mapped(marked, tmp_path))
    )
    for step in range(10):
        for a, b in zip(in_memory.batch(step, 8), on_disk.batch(step, 8), strict=True):
            assert torch.equal(a, b) and b.is_contiguous(memory_format=torch.channels_last)


def test_a_set_larger_than_memory(tmp_path):
    """Files with holes: 600 GB of which nothing is on the disk; read whole, they would not fit."""
    side = 100_000

    def holes(file: str, side: int) -> np.ndarray:
        with open(tmp_path / file, "wb") as stream:
            stream.truncate(3 * side * side)
        return np.memmap(tmp_path / file, np.uint8, "r", shape=(side, side, 3))

    pairs = [Pair(holes(f"{n}.hr", 2 * side), holes(f"{n}.lr", side), n) for n in "abcd"]
    lr, hr = PairedPatches(pairs, scale=2, patch_size=48).batch(0, 4)
    assert lr.shape == (4, 3, 24, 24) and hr.sum() == 0


def test_a_fingerprint_tells_sets_apart(marked, tmp_path):
    """The same wherever the pixels are; another for other names, another order, other sizes and other pixels."""

    def fingerprint(pairs) -> str:
        return PairedPatches(pairs, scale=3, patch_size=15).fingerprint

    stored = fingerprint(mapped(marked, tmp_path))
    assert stored == fingerprint(marked) and stored.startswith("2 from 0 to 1 (")
    renamed = [marked[0], marked[1]._replace(name="2")]
    darker = [marked[0], marked[1]._replace(lr=marked[1].lr // 2)]
    turned = [Pair(np.rot90(hr), np.rot90(lr), name) for hr, lr, name in marked]
    others = map(fingerprint, (renamed, darker, turned, marked[::-1], marked[:1]))
    assert len({stored, *others}) == 6


def test_a_fingerprint_stays_in_later_versions(marked):
    """A run of an earlier version goes on: it compares the fingerprints of its pairs."""
    patches = PairedPatches(marked, scale=3, patch_size=15)
    assert patches.fingerprint == "2 from 0 to 1 (340c04b2)"


@pytest.mark.parametrize("free", [10**9, 0])
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_gives_the_same(marked, tmp_path, monkeypatch, free):
    """From its own memory if there is room, else from the files."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    expected = PairedPatches(marked, scale=3, patch_size=15).batch(3, 8)
    for pairs in (marked, mapped(marked, tmp_path)):
        got = PairedPatches(pairs, scale=3, patch_size=15, device="cuda").batch(3, 8)
        for one, other in zip(got, expected, strict=True):
            assert one.is_cuda and torch.allclose(one.cpu(), other)
