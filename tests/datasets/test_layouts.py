"""Folders of videos: every layout opened, sparse masks, objects that appear later, all problems at once."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from camn.clips.appearance import Appearance
from camn.clips.dataset import ClipDataset, ClipOptions
from camn.clips.scenes import choose, relabel
from camn.datasets.davis import DavisFolder
from camn.datasets.layouts import first_seen, open_videos
from camn.errors import DataError

SHAPE = (40, 48)


def blank(value=0):
    return np.full(SHAPE, value, np.uint8)


def boxes(*ids, shape=SHAPE):
    """Labels with a box for each id, in a row."""
    labels = np.zeros(shape, np.uint8)
    for k, number in enumerate(ids):
        labels[8:24, 2 + 11 * k : 12 + 11 * k] = number
    return labels


def write(frames, masks, shown, suffix=".jpg"):
    """`shown`: name -> labels, or None for a frame without a mask. Each frame is of one grey: 10 x its position."""
    frames.mkdir(parents=True)
    masks.mkdir(parents=True)
    for k, (name, labels) in enumerate(shown.items()):
        Image.fromarray(np.full((*SHAPE, 3), 10 * k, np.uint8)).save(frames / f"{name}{suffix}")
        if labels is not None:
            Image.fromarray(labels).save(masks / f"{name}.png")


def sparse(count=11, every=5, late=6):
    """YouTube-VOS' way: every fifth frame has a mask, object 3 comes at frame `late`."""
    return {f"{k:05d}": (boxes(1, 3) if k >= late else boxes(1)) if k % every == 0 else None for k in range(count)}


def youtube(top, videos, meta=None):
    for name, shown in videos.items():
        write(top / "JPEGImages" / name, top / "Annotations" / name, shown)
    if meta is not None:
        (top / "meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
    return top


def davis(root, lists, count=3):
    for path, names in lists.items():
        (root / "ImageSets" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "ImageSets" / path).write_text("".join(f"{name}\n" for name in names))
    for name in {name for names in lists.values() for name in names}:
        folders = (root / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
        write(*folders, {f"{k:05d}": boxes(1) for k in range(count)})
    return root


def test_a_sequence_reads_the_frames_that_have_a_mask(tmp_path):
    youtube(tmp_path, {"cat": sparse()})
    (cat,) = open_videos(tmp_path).sequences
    assert len(cat) == 11 and cat.annotated == (0, 5, 10)
    frame, labels = cat.read(5)
    assert frame.shape == (*SHAPE, 3) and (np.abs(frame.astype(int) - 50) <= 1).all()
    np.testing.assert_array_equal(labels, boxes(1))
    np.testing.assert_array_equal(cat.labels(10), boxes(1, 3))
    with pytest.raises(DataError, match=r"00004\.jpg.*no mask.*3 frames"):
        cat.read(4)


def test_first_seen_tells_where_objects_appear(tmp_path):
    shown = {"0": boxes(255, 2), "1": blank(), "2": boxes(9, 2, 4), "3": None, "4": boxes(9, 5, 255)}
    write(tmp_path / "frames", tmp_path / "masks", shown)
    assert first_seen(open_videos(tmp_path).sequences[0]) == {0: (2,), 2: (4, 9), 4: (5,)}


@settings(max_examples=25)
@given(st.lists(st.one_of(st.none(), st.frozensets(st.sampled_from([1, 2, 7, 254, 255]))), min_size=1, max_size=6))
def test_first_seen_is_what_a_plain_search_finds(tmp_path_factory, held):
    top = tmp_path_factory.mktemp("clip")
    write(top / "frames", top / "masks", {str(k): None if ids is None else boxes(*ids) for k, ids in enumerate(held)})
    if all(ids is None for ids in held):
        with pytest.raises(DataError, match="no picture that has a mask"):
            open_videos(top)
        return
    (sequence,) = open_videos(top).sequences
    marked = [ids for ids in held if ids]
    one = bool(marked) and marked[0] == {255}  # 255 alone on the first mask that shows anything: it is the object
    shown = {k: {1} if one and ids == {255} else ids - {255} for k, ids in enumerate(held) if ids is not None}
    wanted = {}
    for k, ids in shown.items():
        if new := {i for i in ids if not any(i in shown[j] for j in shown if j < k)}:
            wanted[k] = tuple(sorted(new))
    assert first_seen(sequence) == wanted


def test_masks_of_0_and_255_show_one_object(tmp_path):
    write(tmp_path / "drawn/frames", tmp_path / "drawn/masks", {"0": blank(), "1": boxes(255), "2": boxes(255)})
    write(tmp_path / "void/frames", tmp_path / "void/masks", {"0": boxes(3, 255), "1": boxes(255)})
    drawn, void = open_videos(tmp_path).sequences
    np.testing.assert_array_equal(drawn.labels(1), boxes(1))
    np.testing.assert_array_equal(drawn.read(2)[1], boxes(1))
    np.testing.assert_array_equal(void.labels(1), boxes(255))  # object 3 has left; 255 stays void


def test_youtube_vos_with_splits_and_meta(tmp_path):
    meta = {"videos": {"b": {"objects": {"1": {"category": "ape", "frames": ["00000"]}, "3": {"category": "owl"}}}}}
    youtube(tmp_path / "train", {"b": sparse(), "a": sparse(4, 1)}, meta)
    youtube(tmp_path / "valid", {"c": sparse(3, 9)})
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / "train" / kind / f".{kind}").mkdir()  # hidden folders are passed over
    opened = open_videos(tmp_path)
    assert (opened.layout, opened.split, len(opened)) == ("youtube-vos", "train", 2)
    assert [s.name for s in opened.sequences] == ["a", "b"]
    assert opened.categories == {"b": {1: "ape", 3: "owl"}}
    valid = open_videos(tmp_path, "valid")
    assert [(s.name, len(s), s.annotated) for s in valid.sequences] == [("c", 3, (0,))] and not valid.categories
    assert open_videos(tmp_path / "valid").sequences == valid.sequences
    with pytest.raises(DataError, match="no split 'test'.*train, valid"):
        open_videos(tmp_path, "test")


@pytest.mark.parametrize("place", ["", "all_frames/"])
def test_all_frames_of_youtube_vos_take_the_masks_of_the_split(tmp_path, place):
    top = youtube(tmp_path / "valid", {"c": sparse(11, 5)})
    youtube(tmp_path / f"{place}valid_all_frames", {"c": dict.fromkeys(sparse(11, 5))})
    for path in (tmp_path / f"{place}valid_all_frames/Annotations").iterdir():
        path.rmdir()
    (tmp_path / f"{place}valid_all_frames/Annotations").rmdir()
    (c,) = open_videos(tmp_path / place, "valid_all_frames").sequences
    assert c.annotated == (0, 5, 10) and c.masks[5] == top / "Annotations/c/00005.png"


def test_every_problem_of_youtube_vos_at_once(tmp_path):
    youtube(tmp_path, {"a": sparse(), "b": sparse(), "c": sparse(), "d": sparse()}, meta='{"videos": [1]}')
    (tmp_path / "JPEGImages/a/00005.jpg").unlink()
    for path in (tmp_path / "Annotations/b").iterdir():
        path.unlink()
    (tmp_path / "JPEGImages/c").rename(tmp_path / "elsewhere")
    Image.fromarray(blank()).save(tmp_path / "JPEGImages/d/00003.png")
    (tmp_path / "JPEGImages/d/._00003.jpg").touch()  # what a Mac leaves in archives is passed over
    with pytest.raises(DataError) as error:
        open_videos(tmp_path)
    said = str(error.value)
    for part in ("without a partner: 00005", "JPEGImages/b: no picture that has a mask", "Annotations/c: no frames",
                 "meta.json: not a list", "00003 is there twice"):  # fmt: skip
        assert part in said
    assert len(said.splitlines()) == 6


def test_own_clips_in_natural_order(tmp_path):
    shown = {f"frame{k}": boxes(1) if k in (0, 10) else None for k in range(12)}
    write(tmp_path / "take2/frames", tmp_path / "take2/masks", shown, ".png")
    write(tmp_path / "take10/images", tmp_path / "take10/masks", shown)
    (tmp_path / "notes").mkdir()
    opened = open_videos(tmp_path)
    assert opened.layout == "clips" and [s.name for s in opened.sequences] == ["take2", "take10"]
    assert [p.stem for p in opened.sequences[0].frames] == [f"frame{k}" for k in range(12)]
    assert opened.sequences[1].annotated == (0, 10)
    one = open_videos(tmp_path / "take2")  # a clip by itself
    assert one.sequences == opened.sequences[:1]
    with pytest.raises(DataError, match="leave it out"):
        open_videos(tmp_path, "train")


def test_clips_name_what_is_missing(tmp_path):
    write(tmp_path / "a/frames", tmp_path / "a/masks", {"0": boxes(1)})
    write(tmp_path / "b/frames", tmp_path / "b/masks", {"0": None})
    (tmp_path / "c/masks").mkdir(parents=True)
    with pytest.raises(DataError, match=r"b.frames: no picture that has a mask(.|\n)*c.frames: no such folder"):
        open_videos(tmp_path)


def test_davis_by_year_and_split(tmp_path):
    davis(tmp_path, {"2016/train.txt": "ab", "2016/val.txt": "c", "2017/train.txt": "abd"})
    assert [s.name for s in open_videos(tmp_path).sequences] == ["a", "b", "d"]  # the latest year, train
    assert [s.name for s in open_videos(tmp_path, year=2016).sequences] == ["a", "b"]
    assert [s.name for s in open_videos(tmp_path, "val").sequences] == ["c"]
    assert open_videos(tmp_path, "val").layout == "davis"
    assert open_videos(tmp_path, "train", 2016).sequences == DavisFolder(tmp_path).sequences
    for wrong, said in [({"split": "test"}, "train, val"), ({"split": "val", "year": 2017}, "2017.val.txt"),
                        ({"resolution": "1080p"}, "there are 480p")]:  # fmt: skip
        with pytest.raises(DataError, match=said):
            open_videos(tmp_path, **wrong)


def test_davis_2016_as_it_was_published(tmp_path):
    davis(tmp_path, {"list.txt": "ab"})
    lines = [f"/JPEGImages/480p/{s}/{k:05d}.jpg /Annotations/480p/{s}/{k:05d}.png \n" for s in "ba" for k in range(3)]
    (tmp_path / "ImageSets/480p").mkdir()
    (tmp_path / "ImageSets/480p/val.txt").write_text("".join(lines))
    opened = open_videos(tmp_path)
    assert (opened.split, [(s.name, len(s)) for s in opened.sequences]) == ("val", [("b", 3), ("a", 3)])
    assert DavisFolder(tmp_path, 2016, "val").sequences == opened.sequences


def test_davis_test_splits_have_the_first_mask_alone(tmp_path):
    davis(tmp_path, {"2017/test-dev.txt": "a", "2017/val.txt": "a"})
    for k in (1, 2):
        (tmp_path / f"Annotations/480p/a/{k:05d}.png").unlink()
    assert open_videos(tmp_path, "test-dev").sequences[0].annotated == (0,)
    with pytest.raises(DataError, match="without a partner: 00001, 00002"):
        open_videos(tmp_path, "val")


def test_what_is_no_data_set_is_told_the_layouts(tmp_path):
    with pytest.raises(DataError, match="DAVIS.*YouTube-VOS.*own clips"):
        open_videos(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        open_videos(tmp_path / "elsewhere")
    (tmp_path / "ImageSets").mkdir()
    with pytest.raises(DataError, match="none"):
        open_videos(tmp_path)
    youtube(tmp_path / "more/one", {"a": sparse()})
    youtube(tmp_path / "more/two", {"a": sparse()})
    with pytest.raises(DataError, match="one, two; say which"):
        open_videos(tmp_path / "more")


PLAIN = ClipOptions(
    size=(32, 32), frames=3, gap=(1, 9), video_share=1, paste=0, twin=0, video_motion=0, flip=0,
    appearance=Appearance(colour=0, tint=0, flicker=0, grey=0, blur=0, jpeg=0),
)  # fmt: skip


def test_clips_are_drawn_from_annotated_frames_at_one_gap(tmp_path):
    """Each frame is of one grey, which tells its position: 10 for each frame."""
    shown = {f"{k:05d}": boxes(1, 2) if k % 4 == 0 else None for k in range(25)}
    youtube(tmp_path, {"long": shown})
    data = ClipDataset(open_videos(tmp_path).sequences, None, PLAIN)
    steps = set()
    for index in range(30):
        greys = data[index].frames.float().mean((1, 2, 3)).numpy() / 10
        position = np.round(greys)
        assert np.abs(greys - position).max() < 0.15 and (position % 4 == 0).all()
        step = np.diff(position) / 4
        assert step[0] == step[1] and 1 <= abs(step[0]) <= 3  # seven masks: a gap of 9 would not fit
        steps.add(int(step[0]))
    assert steps == {-3, -2, -1, 1, 2, 3}


def test_objects_that_appear_later_are_background(tmp_path):
    shown = {"0": boxes(1), "1": boxes(1, 3), "2": boxes(1, 3)}
    write(tmp_path / "frames", tmp_path / "masks", shown)
    data = ClipDataset(open_videos(tmp_path).sequences, None, PLAIN)
    for index in range(12):
        clip = data[index]
        assert set(clip.labels[0].unique().tolist()) == {0, *range(1, clip.objects + 1)}
        assert clip.labels.max() <= clip.objects
    labels = boxes(1)
    ids = choose(np.random.default_rng(0), labels, 3)
    assert ids == [1]
    np.testing.assert_array_equal(relabel(boxes(1, 3), ids), boxes(1))


def test_videos_shorter_than_a_clip_are_left_out(tmp_path):
    write(tmp_path / "short/frames", tmp_path / "short/masks", {"0": boxes(1), "1": None, "2": None, "3": boxes(1)})
    write(tmp_path / "long/frames", tmp_path / "long/masks", {str(k): boxes(1) for k in range(3)})
    sequences = open_videos(tmp_path).sequences
    data = ClipDataset(sequences, None, PLAIN)
    assert {data[i].source for i in range(12)} == {str(tmp_path / "long/frames")}
    with pytest.raises(DataError, match=r"clips of 3 frames.*longest, short, has 2"):
        ClipDataset([s for s in sequences if s.name == "short"], None, PLAIN)
    with pytest.raises(DataError, match="no videos at all"):
        ClipDataset([], None, PLAIN)


def test_short_videos_change_no_draw(tmp_path):
    """What is left out does not stand in the way: the clips are those of a folder without it."""
    for name, count in (("a", 6), ("b", 2), ("c", 9)):
        write(tmp_path / name / "frames", tmp_path / name / "masks", {str(k): boxes(1, 2) for k in range(count)})
    sequences = open_videos(tmp_path).sequences
    options = ClipOptions(size=(32, 32))
    ours = ClipDataset(sequences, None, options, seed=2)
    theirs = ClipDataset([s for s in sequences if s.name != "b"], None, options, seed=2)
    for index in range(8):
        assert torch.equal(ours[index].frames, theirs[index].frames)
