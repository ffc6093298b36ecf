"""Clips: the same from (seed, index) alone, labels that follow what is painted, and options that are checked."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from camn.clips.appearance import Appearance
from camn.clips.dataset import ClipDataset, ClipOptions, collate, seen_objects
from camn.clips.scenes import choose, relabel
from camn.datasets.davis import DavisFolder
from camn.datasets.stills import StillsFolder
from camn.errors import ConfigError, DataError

PLAIN = Appearance(colour=0, tint=0, flicker=0, grey=0, blur=0, jpeg=0)
COLOURS = np.array([(20, 20, 20), (250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)], np.uint8)


def save(folder, mask_folder, name, labels):
    folder.mkdir(parents=True, exist_ok=True)
    mask_folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(COLOURS[np.minimum(labels, 4) * (labels < 255)]).save(folder / f"{name}.png")
    Image.fromarray(labels).save(mask_folder / f"{name}.png")


def core(mask, width):
    """Pixels around which a square of `width` lies in the mask and in the frame: an edge may lie just beyond it."""
    square = np.ones((width, width), np.uint8)
    return cv2.erode(mask.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


def shapes(seed, h=120, w=160, count=4):
    """Overlapping ellipses 1..count on 0, and a strip of 255."""
    rng, labels = np.random.default_rng(seed), np.zeros((h, w), np.uint8)
    for k in range(1, count + 1):
        middle = (int(rng.integers(20, w - 20)), int(rng.integers(20, h - 20)))
        cv2.ellipse(labels, middle, tuple(int(r) for r in rng.integers(12, 35, 2)), 0, 0, 360, k, -1)
    labels[:, :6] = 255
    return labels


@pytest.fixture(scope="module")
def stills(tmp_path_factory):
    root = tmp_path_factory.mktemp("stills")
    for kind in ("people-parts", "shapes"):
        for k in range(5):
            save(root / kind / "images", root / kind / "masks", f"{k}", shapes(k))
    return StillsFolder(root)


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    root = tmp_path_factory.mktemp("davis")
    (root / "ImageSets/2016").mkdir(parents=True)
    (root / "ImageSets/2016/train.txt").write_text("ball\nstill\n")
    for name, speed, count in (("ball", 4, 14), ("still", 0, 4)):
        for t in range(count):
            labels = np.zeros((120, 160), np.uint8)
            cv2.circle(labels, (30 + speed * t, 60), 24, 1, -1)
            save(root / "JPEGImages/480p" / name, root / "Annotations/480p" / name, f"{t:05d}", labels)
    return DavisFolder(root).sequences


SMALL = ClipOptions(size=(96, 112), appearance=PLAIN, merge=0)
KINDS = {
    "camera": replace(SMALL, video_share=0, layered=0, paste=0, twin=0),
    "layered": replace(SMALL, video_share=0, layered=1, paste=0, twin=0),
    "crossed": replace(SMALL, video_share=0, layered=0.5, paste=1, twin=0.5),
    "video": replace(SMALL, video_share=1, paste=0.5, twin=0.3),
    "tilted": replace(SMALL, video_share=0.3, layered=0.5, perspective=0.15),
    "long": replace(SMALL, frames=9, paste=1),
    "tracks": replace(SMALL, video_share=0.5, track=1, tracks=3, fit=0),
    "alike": replace(SMALL, video_share=0.5, alike=1, paste=0.3),
    "parts": replace(SMALL, video_share=0.5, part=0.8, paste=0, twin=0),
    "barred": replace(SMALL, bars=1, paste=0),
    "zooming": replace(SMALL, zoom=1),
    "mixed": ClipOptions(size=(96, 96), frames=2),
    "everything": ClipOptions(
        size=(96, 96), frames=8, track=0.5, alike=0.5, part=0.3, bars=0.5, smear=0.5, zoom=0.5,
        appearance=Appearance(ramp=0.5, dark=0.3, noise=0.5),
    ),
}  # fmt: skip
SHARP = [name for name in KINDS if name not in ("mixed", "everything")]


@pytest.mark.parametrize("name", KINDS)
def test_every_clip_keeps_the_promises_of_its_type(davis, stills, name):
    options = KINDS[name]
    data = ClipDataset(davis, stills, options, seed=3)
    for index in range(25):
        clip = data[index]
        assert clip.frames.shape == (options.frames, 3, *options.size) and clip.frames.dtype == torch.uint8
        assert clip.labels.shape == (options.frames, *options.size) and clip.labels.dtype == torch.uint8
        assert 1 <= clip.objects <= options.max_objects
        first = torch.bincount(clip.labels[0].flatten().long(), minlength=256)
        least = options.min_area * first.sum()
        assert (first[1 : clip.objects + 1] >= least).all() and first[clip.objects + 1 : 255].sum() == 0
        assert set(clip.labels.unique().tolist()) <= {*range(clip.objects + 1), 255}
        assert clip.source


@pytest.mark.parametrize("name", SHARP)
def test_an_object_has_the_colour_it_was_painted_in_on_every_frame(davis, stills, name):
    """The pictures are painted by label, so that inside each object there is one colour, the same all through."""
    data = ClipDataset(davis, stills, KINDS[name], seed=4)
    checked = 0
    for index in range(25):
        clip = data[index]
        for k in range(1, clip.objects + 1):
            seen = set()
            for frame, labels in zip(clip.frames.numpy(), clip.labels.numpy(), strict=True):
                inside = core(labels == k, 15)
                colours = frame.transpose(1, 2, 0)[inside].astype(int)
                if len(colours):
                    away = np.abs(colours[:, None] - COLOURS[None]).max(axis=-1)
                    assert (away.min(axis=1) <= 2).all(), clip.source
                    seen |= set(away.argmin(axis=1).tolist())
                    checked += len(colours)
            assert len(seen) <= 1 and 0 not in seen, clip.source
    assert checked > 10_000


def test_what_has_the_colour_of_an_object_is_labelled_as_it(stills):
    """The other way round: nothing of an object is left to the background where only the camera moves."""
    data = ClipDataset(None, stills, KINDS["camera"], seed=5)
    for index in range(25):
        clip = data[index]
        for k in range(1, clip.objects + 1):
            frames, labels = clip.frames.numpy().transpose(0, 2, 3, 1), clip.labels.numpy()
            inside = core(labels[0] == k, 5)
            if not inside.any():
                continue
            colour = np.median(frames[0][inside], axis=0)
            for frame, ids in zip(frames, labels, strict=True):
                alike = (np.abs(frame.astype(int) - colour).max(axis=-1) <= 1) & (ids != 255)
                assert (ids[core(alike, 5)] == k).all(), clip.source


def test_things_move(stills):
    data = ClipDataset(None, stills, KINDS["camera"], seed=6)
    moved = [(data[i].labels[0] != data[i].labels[-1]).float().mean().item() for i in range(20)]
    assert min(moved) > 0 and np.mean(moved) > 0.02


@pytest.mark.parametrize("name", ["mixed", "everything"])
def test_an_item_depends_on_seed_and_index_alone(davis, stills, name):
    options = KINDS[name]
    data = ClipDataset(davis, stills, options, seed=7, length=8)
    forwards = [data[i] for i in range(8)]
    again = ClipDataset(davis, stills, options, seed=7, length=100)
    for i in reversed(range(8)):
        assert torch.equal(again[i].frames, forwards[i].frames) and torch.equal(again[i].labels, forwards[i].labels)
        assert again[i].source == forwards[i].source
    other = ClipDataset(davis, stills, options, seed=8)
    assert not any(torch.equal(other[i].frames, forwards[i].frames) for i in range(8))


# what was drawn before there were tracks, look-alikes, parts, bars, smears and zooms: objects, and where they are from
BEFORE = (
    (2, "still + shapes/2"), (1, "ball"), (1, "shapes/0"), (2, "shapes/3"), (2, "still + shapes/0"), (1, "ball"),
    (2, "ball + shapes/0"), (2, "shapes/1 + shapes/3"), (1, "shapes/0"), (2, "shapes/3"), (2, "shapes/2"),
    (1, "people-parts/3"), (1, "ball + shapes/2"), (2, "shapes/3 + people-parts/0"),
    (2, "people-parts/2 + people-parts/1"), (1, "shapes/2"),
)  # fmt: skip


def test_options_that_are_off_leave_clips_as_they_were(davis, stills):
    data = ClipDataset(davis, stills, ClipOptions(size=(96, 96)), seed=11)
    unused = ClipOptions(size=(96, 96), tracks=5, behind=1, fit=0)
    other = ClipDataset(davis, stills, unused, seed=11)
    for index, (objects, source) in enumerate(BEFORE):
        clip, twin = data[index], other[index]
        assert clip.objects == objects
        assert [file.split("/")[-1].split(".")[0] for file in clip.source.split(" + ")] == [
            name.split("/")[-1] for name in source.split(" + ")
        ]
        assert torch.equal(clip.frames, twin.frames) and torch.equal(clip.labels, twin.labels)


def test_tracks_bring_objects_of_videos_into_other_clips(davis, stills):
    data = ClipDataset(davis, stills, replace(KINDS["tracks"], video_share=0), seed=2)
    sources = [data[i].source for i in range(12)]
    assert all("shapes" in s.split(" + ")[0] or "people-parts" in s.split(" + ")[0] for s in sources)
    assert sum("ball" in s or "480p/still" in s for s in sources) >= 6
    assert "ball" not in "".join(ClipDataset(None, stills, KINDS["tracks"])[i].source for i in range(5))


def test_batches_from_worker_processes_are_the_same(davis, stills):
    data = ClipDataset(davis, stills, KINDS["mixed"], seed=9, length=8)
    batches = list(DataLoader(data, batch_size=4, num_workers=2, collate_fn=collate))
    assert [b.frames.shape for b in batches] == [(4, 2, 3, 96, 96)] * 2
    for i in range(8):
        clip, batch = data[i], batches[i // 4]
        assert torch.equal(batch.frames[i % 4], clip.frames) and torch.equal(batch.labels[i % 4], clip.labels)
        assert batch.objects[i % 4] == clip.objects and batch.sources[i % 4] == clip.source


def test_one_frame_and_one_source_are_enough(davis, stills):
    options = replace(SMALL, frames=1)
    assert ClipDataset(davis, None, options)[0].frames.shape == (1, 3, 96, 112)
    assert ClipDataset(None, stills, options)[0].labels.shape == (1, 96, 112)


def test_a_gap_longer_than_the_sequence_is_shortened(davis):
    clip = ClipDataset(davis, None, replace(SMALL, frames=4, gap=(30, 40)), seed=1)[0]
    assert clip.frames.shape[0] == 4


def test_parts_are_taken_as_one(stills):
    together = replace(KINDS["camera"], merge=1, weights=(("shapes", 0.0),))
    data = ClipDataset(None, stills, together)
    assert {data[i].objects for i in range(15)} == {1}
    apart = ClipDataset(None, stills, replace(together, merge=0))
    assert max(apart[i].objects for i in range(15)) > 1


def test_weight_zero_is_never_drawn(stills):
    data = ClipDataset(None, stills, replace(KINDS["crossed"], weights=(("people-parts", 0.0),)))
    assert not any("people-parts" in data[i].source for i in range(20))
    with pytest.raises(ConfigError, match="no still"):
        ClipDataset(None, stills, replace(SMALL, weights=(("people-parts", 0.0), ("shapes", 0.0))))


def test_choose_takes_a_subset_largest_first():
    labels = shapes(0)
    rng = np.random.default_rng(0)
    areas = np.bincount(labels.ravel(), minlength=256)
    for most in (1, 2, 3, 9):
        for _ in range(20):
            ids = choose(rng, labels, most)
            assert 1 <= len(ids) <= min(most, 4) and len(set(ids)) == len(ids) and set(ids) <= {1, 2, 3, 4}
            assert list(areas[ids]) == sorted(areas[ids], reverse=True)
    assert choose(rng, np.zeros((9, 9), np.uint8), 3) == []
    assert choose(rng, np.full((9, 9), 255, np.uint8), 3) == []


def test_relabel_keeps_ignore():
    labels = np.array([[0, 1, 2, 7, 255]], np.uint8)
    assert relabel(labels, [7, 1]).tolist() == [[0, 2, 0, 1, 255]]


def test_objects_count_as_seen_by_their_share_of_the_first_frame():
    first = np.zeros((10, 20), np.uint8)
    first[0, :1], first[1, :2], first[5] = 1, 2, 255
    assert seen_objects([first, np.full_like(first, 3)], 0.01) == [2]
    assert seen_objects([np.ones_like(first)], 0.01) == []  # no background to tell it from


def test_no_object_anywhere_is_an_error_that_says_where(tmp_path):
    save(tmp_path / "bare/images", tmp_path / "bare/masks", "a", np.zeros((60, 60), np.uint8))
    with pytest.raises(DataError, match=r"bare.images.a\.png"):
        ClipDataset(None, StillsFolder(tmp_path), SMALL)[0]


@pytest.mark.parametrize(
    "wrong",
    [{"paste": 1.5}, {"size": (16, 64)}, {"frames": 0}, {"max_objects": 0}, {"gap": (3, 2)}, {"gap": (0, 2)},
     {"track": -0.1}, {"tracks": 0}, {"tracks": 6}, {"behind": 2}, {"fit": 1.1}, {"alike": float("nan")}, {"part": -1},
     {"bars": 3}, {"smear": 1.5}, {"zoom": -1}, {"perspective": 0.3}, {"still_scale": (0, 1)},
     {"weights": (("a", -1.0),)}],
)  # fmt: skip
def test_options_are_checked(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ClipOptions(**wrong)


@pytest.mark.parametrize("name", ["ramp", "dark", "noise"])
def test_looks_are_checked(name):
    with pytest.raises(ConfigError, match=f"appearance: {name} 1.5 must be in 0..1"):
        Appearance(**{name: 1.5})


def test_a_dataset_needs_a_source_and_an_index_within(stills):
    with pytest.raises(ConfigError, match="needs"):
        ClipDataset(None, None)
    with pytest.raises(ConfigError, match="seed"):
        ClipDataset(None, stills, seed=-1)
    with pytest.raises(IndexError):
        ClipDataset(None, stills, length=3)[3]
