"""scripts/make_hard_clips.py on painted videos: each kind of clip has what it promises. bench/hard.py on such clips."""

import importlib.util
import json
import sys
from functools import cache
from pathlib import Path

import cv2
import make_hard_clips
import numpy as np
import pytest
from hard_clips.kinds import KINDS, scene
from hard_clips.stage import H, W, longest, there_and_back
from PIL import Image

from camn.clips.blur import centre
from camn.datasets.layouts import open_videos
from camn.masks import write_palette_png

FRAMES = 24
HUES = (0, 25, 55, 85, 115, 145)  # of the videos' objects, 0..179, over grey
BENCH = Path(__file__).parents[2] / "bench" / "hard.py"


def paint(root, name, hue, frames=10, size=(90, 160)):
    """A disc with a head, which walks over grey noise."""
    rng = np.random.default_rng(hue)
    ground = cv2.resize(rng.integers(60, 200, (9, 16), np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
    colour = cv2.cvtColor(np.array([[[hue, 230, 200]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    for t in range(frames):
        mask = cv2.circle(np.zeros(size, np.uint8), (60 + 2 * t, 50), 22, (1,), -1)
        cv2.circle(mask, (70 + 2 * t, 24), 10, (1,), -1)
        frame = np.where(mask[..., None] > 0, colour, ground[..., None]).astype(np.uint8)
        for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
            path = root / kind / "480p" / name / f"{t:05d}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if suffix == "png":
                write_palette_png(path, mask)
            else:
                Image.fromarray(frame).save(path, quality=95)


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    root = tmp_path_factory.mktemp("davis")
    for k, hue in enumerate(HUES):
        paint(root, f"v{k}", hue)
    (root / "ImageSets/2016").mkdir(parents=True)
    (root / "ImageSets/2016/val.txt").write_text("".join(f"v{k}\n" for k in range(len(HUES))))
    return root


@pytest.fixture(scope="module")
def clip(davis):
    """(frames, labels) of a clip, by its name."""
    videos = open_videos(davis, "val", "2016").sequences

    @cache
    def of(name, seed=7):
        kind, _, number = name.partition("-")
        return scene(videos, kind, int(number) - 1, FRAMES, seed)

    return of


def names(kind):
    return [f"{kind}-{k + 1}" for k in range(KINDS[kind][0])]


def coloured(frame, video):
    """(H, W) bool: where a frame has the colour of a video's object, by its hue."""
    hue, strength = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)[..., :2].transpose(2, 0, 1).astype(int)
    near = np.minimum((hue - HUES[video % 6]) % 180, (HUES[video % 6] - hue) % 180)
    return (near < 8) & (strength > 150)


def parts(mask):
    """Masks of its components that are not specks."""
    count, ids = cv2.connectedComponents(mask.astype(np.uint8))
    found = [ids == k for k in range(1, count)]
    return [part for part in found if np.count_nonzero(part) > 60]


def areas(labels):
    return np.array([np.count_nonzero(ids == 1) for ids in labels])


def test_every_clip_begins_with_a_whole_object_and_has_no_other_labels(clip):
    for kind in KINDS:
        for name in names(kind):
            frames, labels = clip(name)
            assert len(frames) == len(labels) == FRAMES
            assert frames[0].shape == (H, W, 3) and labels[0].shape == (H, W) and frames[0].dtype == np.uint8
            assert set(np.unique(labels)) == {0, 1}
            first = labels[0]
            assert first.mean() > 0.003 and len(parts(first == 1)) == 1, name
            assert not any(edge.any() for edge in (first[0], first[-1], first[:, 0], first[:, -1])), name


@pytest.mark.parametrize("name", names("twin"))
def test_the_twin_comes_out_from_behind_and_ends_as_a_part_of_its_own(clip, name):
    frames, labels = clip(name)
    video, birth = int(name[-1]), FRAMES // 8
    beside = [coloured(frame, video) & (cv2.dilate(ids, np.ones((5, 5))) == 0) for frame, ids in zip(frames, labels)]
    seen = [np.count_nonzero(mask) for mask in beside]
    assert max(seen[:birth]) < 20 and seen[birth] < 0.35 * areas(labels)[0]
    both = [mask | (ids > 0) for mask, ids in zip(beside, labels)]
    born = next(t for t in range(birth, FRAMES) if seen[t] > 60)
    assert len(parts(cv2.dilate(both[born].astype(np.uint8), np.ones((7, 7))))) == 1  # it touches the object
    for t in range(FRAMES - 6, FRAMES):
        found = parts(both[t])
        (own,) = [part for part in found if (part & (labels[t] == 1)).any()]
        (other,) = [part for part in found if part is not own]
        assert not (other & (labels[t] == 1)).any()
        assert 0.5 < other.sum() / own.sum() < 1.1
    assert areas(labels).min() > 0.8 * areas(labels)[0]  # nothing of the object itself is hidden


@pytest.mark.parametrize("name", names("part"))
def test_the_part_is_3_to_12_percent_of_its_whole_and_stays_on_it(clip, name):
    frames, labels = clip(name)
    number = int(name[-1]) - 1
    whole, cloth = 4 + number, 1 + number
    for frame, ids in zip(frames[::6], labels[::6]):
        patches = coloured(frame, cloth)
        share = np.count_nonzero(ids) / np.count_nonzero(coloured(frame, whole) | patches | (ids > 0))
        assert 0.025 < share < 0.13
        assert np.count_nonzero(patches & (ids > 0)) > 0.7 * np.count_nonzero(ids)
        other = np.count_nonzero(patches & (cv2.dilate(ids, np.ones((5, 5))) == 0))
        assert other > np.count_nonzero(ids) if number % 2 else other < 20
        ring = (cv2.dilate(ids, np.ones((9, 9))) > 0) & (cv2.dilate(ids, np.ones((5, 5))) == 0)
        assert np.count_nonzero(ring & coloured(frame, whole)) > 0.3 * np.count_nonzero(ring)


@pytest.mark.parametrize("name", names("occluder"))
def test_the_pole_hides_a_part_of_the_object_and_only_while_it_passes(clip, name):
    frames, labels = clip(name)
    seen = areas(labels) / areas(labels)[0]
    assert 0.2 < seen.min() < 0.75 and seen[-1] > 0.9
    assert FRAMES // 4 < np.argmin(seen) < 3 * FRAMES // 4
    x = [centre(ids)[0] for ids in labels]
    assert abs(x[-1] - x[0]) > 0.4 * W
    middle = labels[int(np.argmin(seen))]
    hidden = coloured(frames[int(np.argmin(seen))], int(name[-1]) + 1) & (cv2.dilate(middle, np.ones((5, 5))) == 0)
    assert np.count_nonzero(hidden) < 20  # what the pole covers is not in the picture


@pytest.mark.parametrize("name", names("return"))
def test_the_object_is_away_for_6_to_10_frames_and_comes_back_on_the_other_side(clip, name):
    _, labels = clip(name)
    gone = longest(areas(labels) == 0)
    assert 6 <= len(gone) <= 11 and np.count_nonzero(areas(labels) == 0) == len(gone)  # 11: it is out to the pixel
    out, back = centre(labels[gone[0] - 1])[0], centre(labels[gone[-1] + 1])[0]
    assert abs(out - back) > 0.8 * W
    assert areas(labels)[-1] > 0.9 * areas(labels)[0]


@pytest.mark.parametrize("name", names("shrink"))
def test_the_object_shrinks_to_15_to_25_pixels(clip, name):
    frames, labels = clip(name)
    assert areas(labels)[0] > 0.02 * H * W and areas(labels)[-1] < 0.005 * H * W
    assert 14 <= max(cv2.boundingRect(labels[-1])[2:]) <= 25
    assert (np.diff(areas(labels)) < 0.1 * areas(labels)[0]).all()
    ground = coloured(frames[0], int(name[-1]))
    assert np.count_nonzero(ground) < 20  # nothing is left of the ground's own object


@pytest.mark.parametrize("name", names("cut"))
def test_a_cut_changes_all_at_once(clip, name):
    frames, labels = clip(name)
    change = [np.abs(a.astype(int) - b).mean() for a, b in zip(frames[1:], frames)]
    here = sorted(np.argsort(change)[-2:] + 1) if name == "cut-3" else [int(np.argmax(change)) + 1]
    assert min(change[k - 1] for k in here) > 3 * np.median(change)
    if name == "cut-3":
        assert [k for k in range(FRAMES) if not labels[k].any()] == [*range(*here)] and here[1] - here[0] >= 8
    else:
        (k,) = here
        assert 10 <= k <= FRAMES - 10
        assert abs(centre(labels[k])[0] - centre(labels[k - 1])[0]) > 0.2 * W
        assert not 0.8 < areas(labels)[k] / areas(labels)[k - 1] < 1.25


def test_a_seed_always_gives_the_same_clips(davis, clip):
    again = scene(open_videos(davis, "val", "2016").sequences, "twin", 0, FRAMES, 7)
    assert np.array_equal(again[0], clip("twin-1")[0]) and np.array_equal(again[1], clip("twin-1")[1])
    assert not np.array_equal(again[1], clip("twin-1", seed=8)[1])


@pytest.mark.parametrize(("length", "first", "found"), [(4, 2, [2, 3, 2, 1, 0, 1, 2]), (1, 3, [0] * 7)])
def test_frames_go_there_and_back(length, first, found):
    assert there_and_back(length, first, 7) == found


# --- the scripts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def make(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["make_hard_clips", *map(str, arguments)])
        return make_hard_clips.main(), capsys.readouterr().err

    return run


def test_clips_lie_in_the_layout_of_davis_2017(davis, tmp_path, make, clip):
    out = tmp_path / "new" / "hard"
    assert make(davis, out, "--set", "scenes", "--each", 1, "--frames", FRAMES) == (0, "")
    found = open_videos(out, "val", "2017").sequences
    assert [sequence.name for sequence in found] == [f"{kind}-1" for kind in KINDS]
    for sequence in found:
        assert len(sequence) == FRAMES
        assert np.array_equal(sequence.labels(FRAMES - 1), clip(sequence.name)[1][-1])
    assert [path.name for path in out.parent.iterdir()] == ["hard"]


def test_the_drawn_clips_are_still_made_also_into_an_empty_folder(davis, tmp_path, make):
    (tmp_path / "hard").mkdir()
    assert make(davis, tmp_path / "hard", "--each", 1, "--frames", 3) == (0, "")
    found = open_videos(tmp_path / "hard", "val", "2017").sequences
    assert [(sequence.name, len(sequence)) for sequence in found] == [("alike-1", 3), ("several-1", 3), ("bars-1", 3)]


def test_a_folder_with_something_in_it_stays_as_it_is(davis, tmp_path, make):
    (tmp_path / "mine.txt").write_text("mine")
    code, said = make(davis, tmp_path, "--set", "scenes")
    assert code == 2 and str(tmp_path) in said and "empty" in said
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_what_cannot_be_staged_is_told_and_leaves_nothing(davis, tmp_path, make):
    code, said = make(davis, tmp_path / "hard", "--set", "scenes", "--frames", 10)
    assert code == 2 and "frames is 10" in said and not list(tmp_path.iterdir())
    (few := tmp_path / "few").mkdir()
    for kind in ("JPEGImages", "Annotations"):
        (few / kind).symlink_to(davis / kind)
    (few / "ImageSets/2016").mkdir(parents=True)
    (few / "ImageSets/2016/val.txt").write_text("v0\nv1\n")
    code, said = make(few, tmp_path / "hard", "--set", "scenes")
    assert code == 2 and "2 videos" in said and not (tmp_path / "hard").exists()


@pytest.fixture
def bench(capsys):
    """Runs bench/hard.py -> (exit code, stdout, stderr)."""
    spec = importlib.util.spec_from_file_location("bench_hard", BENCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*arguments):
        return module.main([str(argument) for argument in arguments]), *capsys.readouterr()

    return run


def test_the_bench_tells_j_by_kind_and_options(tmp_path, bench):
    for k, name in enumerate(("far-1", "far-2", "near-1")):
        paint(tmp_path, name, HUES[k], frames=4, size=(72, 128))
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("far-1\nfar-2\nnear-1\n")
    out = tmp_path / "figures.json"
    code, said, errors = bench(
        tmp_path, "--short-side", 97, "--threads", 1, "--only", "far",
        "--variant", "", "--variant", "--track-loss", "--json", out,
    )  # fmt: skip
    assert code == 0, errors
    head, _, far, mean = said.splitlines()[:4]
    assert head == "| kind | none | `--track-loss` |"
    found = json.loads(out.read_text())
    assert found["common"] == "--short-side 97 --threads 1"
    assert [variant["options"] for variant in found["variants"]] == ["", "--track-loss"]
    values = [variant["kinds"]["far"] for variant in found["variants"]]
    for variant, value in zip(found["variants"], values):
        assert list(variant["clips"]) == ["far-1", "far-2"] and list(variant["kinds"]) == ["far", "mean"]
        assert value == variant["kinds"]["mean"] == pytest.approx(np.mean([*variant["clips"].values()]))
        assert 0.3 < value <= 1
    assert far == f"| far | {100 * values[0]:.1f} | {100 * values[1]:.1f} |" and mean == far.replace("far", "mean")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "wide"], ("--only wide", "far, near")),
        (["--variant", "--report x.html"], ("--report", "camn evaluate")),
        (["--variant", "--scales 0"], ("scales",)),
    ],
)
def test_the_bench_refuses_what_it_cannot_compare(tmp_path, bench, arguments, said):
    for name in ("far-1", "near-1"):
        paint(tmp_path, name, 0, frames=2)
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("far-1\nnear-1\n")
    code, out, errors = bench(tmp_path, *arguments)
    assert code == 2 and not out
    assert errors.startswith("hard: ") and all(part in errors for part in said)
