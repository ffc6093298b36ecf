"""What masks of later frames say, through the main job: also what is not there any more; and what is no mask at all."""

import csv

import numpy as np
import pytest
from PIL import Image

from camn import api, cli
from camn.errors import MaskError, MaskTurnedError, OutputError, VideoError
from camn.masks import write_palette_png

SIZE = (48, 64)
COUNT = 7
OPTIONS = api.SegmentOptions(short_side=32, device="cpu", threads=1, backend="eager", overlay=False, json=False)


def mask(index: int, *ids: int) -> np.ndarray:
    """Object 1 moves down, object 2 up."""
    made = np.zeros(SIZE, np.uint8)
    made[4 + index : 20 + index, 6:26] = 1
    made[28 - index : 44 - index, 36:58] = 2
    return np.where(np.isin(made, ids), made, 0).astype(np.uint8)


def picture(index: int) -> np.ndarray:
    return np.array([(90, 90, 90), (220, 40, 40), (40, 200, 40)], np.uint8)[mask(index, 1, 2)]


@pytest.fixture
def clip(tmp_path):
    (tmp_path / "frames").mkdir()
    for index in range(COUNT):
        Image.fromarray(picture(index)).save(tmp_path / "frames" / f"{index:06d}.png")
    return tmp_path / "frames"


@pytest.fixture(scope="module")
def model():
    return api.open_model(OPTIONS)


@pytest.fixture
def run(clip, model, tmp_path):
    """segment_video with these masks by frame -> (ids of every frame, the summary)."""

    def segment(shown, **options):
        given = tmp_path / "given"
        given.mkdir(exist_ok=True)
        for index, ids in shown.items():
            write_palette_png(given / f"{index:06d}.png", ids)
        done = api.segment_video(clip, given, tmp_path / "out", OPTIONS, loaded=model, **options)
        return [np.array(Image.open(path)) for path in sorted((tmp_path / "out/masks").iterdir())], done

    return segment


def seen(masks):
    return [set(np.unique(ids)) - {0} for ids in masks]


SHOWN = {0: mask(0, 1, 2), 2: mask(2, 1), 4: mask(4, 2)}


def rows(out):
    """(frame, id) of the objects that are followed."""
    with (out / "objects.csv").open() as file:
        return [(int(row["frame"]), int(row["id"])) for row in csv.DictReader(file)]


def test_without_whole_masks_objects_go_on(run, tmp_path):
    masks, done = run(SHOWN)
    assert rows(tmp_path / "out") == [(index, id) for index in range(COUNT) for id in (1, 2)]
    assert "000002.png does not show object 2, which goes on" in done.notes[0]


def test_whole_masks_end_what_they_do_not_show(run, model, tmp_path):
    masks, done = run(SHOWN, masks_are_whole=True)
    assert seen(masks) == [{1, 2}, {1, 2}, {1}, {1}, {2}, {2}, {2}] and done.ids == (1, 2)
    assert any("000002.png: object 2 is gone from there on" in note for note in done.notes)
    segmenter = model.segmenter()  # the same by hand
    for index in range(COUNT):
        result = segmenter.step(picture(index)) if index else segmenter.start(picture(0), SHOWN[0])
        if index in (2, 4):
            result = segmenter.correct(SHOWN[index], [index // 2 % 2 + 1])
            segmenter.remove(index // 2 % 2 + 1)
        assert np.array_equal(masks[index], result.ids)
    followed = {0: (1, 2), 1: (1, 2), 2: (1, 2), 3: (1,), 4: (1, 2), 5: (2,), 6: (2,)}  # 1 at 4 as lost
    assert rows(tmp_path / "out") == [(index, id) for index, ids in followed.items() for id in ids]


def test_an_empty_whole_mask_ends_all_until_a_later_one(run, tmp_path):
    masks, _ = run({0: mask(0, 1, 2), 2: mask(2), 3: mask(3), 5: mask(5, 2)}, masks_are_whole=True)
    assert seen(masks) == [{1, 2}, {1, 2}, set(), set(), set(), {2}, {2}]
    masks, done = run({0: mask(0, 1, 2), 2: mask(2), 3: mask(3), 5: mask(5, 1, 2)})
    assert len(rows(tmp_path / "out")) == 2 * COUNT
    assert sum("states no object; objects 1, 2 go on" in note for note in done.notes) == 2


def test_whole_masks_by_two_views(clip, tmp_path):
    write_palette_png(tmp_path / "000000.png", SHOWN[0])
    write_palette_png(tmp_path / "000002.png", mask(2))
    files = [tmp_path / "000000.png", tmp_path / "000002.png"]
    api.segment_video(clip, files, tmp_path / "out", OPTIONS, masks_are_whole=True, flip=True)
    masks = [np.array(Image.open(path)) for path in sorted((tmp_path / "out/masks").iterdir())]
    assert seen(masks) == [{1, 2}, {1, 2}, *[set()] * 5]


@pytest.mark.parametrize("span", [api.Span(2, 4), api.Span(2)])
def test_a_part_that_starts_with_nothing(run, span):
    masks, _ = run({0: mask(0, 1, 2), 2: mask(2), 4: mask(4, 2)}, masks_are_whole=True, span=span)
    assert seen(masks) == [set(), set(), *([{2}] * 3 if span.stop is None else [])]


def test_255_beside_another_id_on_a_later_frame_stays_255(clip, model, tmp_path):
    (tmp_path / "grey").mkdir()
    Image.fromarray(np.where(mask(0, 1) > 0, 255, 0).astype(np.uint8)).save(tmp_path / "grey/000000.png")
    Image.fromarray(np.where(mask(3, 1) > 0, 255, mask(3, 2) // 2).astype(np.uint8)).save(tmp_path / "grey/000003.png")
    Image.fromarray(np.where(mask(5, 1) > 0, 255, 0).astype(np.uint8)).save(tmp_path / "grey/000005.png")
    done = api.segment_video(clip, tmp_path / "grey", tmp_path / "out", OPTIONS, loaded=model)
    masks = [np.array(Image.open(path)) for path in sorted((tmp_path / "out/masks").iterdir())]
    assert done.ids == (1, 255) and [seen(masks)[index] for index in (0, 3)] == [{255}, {1, 255}]
    assert np.array_equal(masks[5] == 255, mask(5, 1) > 0)


def test_the_command_and_pictures_with_a_rotation(clip, tmp_path, capsys):
    """Masks made on the pictures as they are stored, which their EXIF data turn."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in clip.iterdir():
        Image.open(path).save(clip / path.name, exif=exif)
    write_palette_png(tmp_path / "m.png", mask(0, 1))
    options = ("--short-side", "32", "--threads", "1", "--backend", "eager", "--no-overlay", "--masks-are-whole")
    command = ["segment", clip, "--masks", tmp_path / "m.png", "--out", tmp_path / "out", *options, "--resize-masks"]
    assert cli.main(list(map(str, command))) == 2
    said = capsys.readouterr().err
    assert "m.png: the mask is 64x48, the frames are 48x64" in said and "turned by 90 degrees" in said
    assert not (tmp_path / "out").exists()
    with pytest.raises(MaskTurnedError):
        api.segment_video(clip, tmp_path / "m.png", tmp_path / "out", OPTIONS)


def test_a_single_picture_as_video_is_told(clip, model, tmp_path):
    write_palette_png(tmp_path / "m.png", mask(0, 1))
    done = api.segment_video(clip / "000000.png", tmp_path / "m.png", tmp_path / "out", OPTIONS, loaded=model)
    assert done.frames == 1 and "000000.png: a single picture, taken for a video of one frame" in done.notes[0]


def test_what_is_no_path_names_the_streaming_interface(clip, tmp_path):
    frames = [picture(0)]
    for video in (frames, frames[0], iter(frames), Image.fromarray(frames[0]), None, "", b"clip.mp4"):
        with pytest.raises(VideoError, match=r"no path; .*camn\.follow\(frames, mask\)"):
            api.segment_video(video, tmp_path / "m.png", tmp_path / "out", OPTIONS)  # type: ignore[arg-type]
    for given in (mask(0, 1), [mask(0, 1)], Image.fromarray(mask(0, 1)), None, ""):
        with pytest.raises(MaskError, match=r"no path; .*camn\.follow\(frames, mask\)"):
            api.segment_video(clip, given, tmp_path / "out", OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="None is no path"):
        api.segment_video(clip, clip, None, OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(MaskError, match="clip.mp4: a video.*exchanged"):
        (tmp_path / "clip.mp4").write_bytes(b"anything")
        api.segment_video(clip, tmp_path / "clip.mp4", tmp_path / "out", OPTIONS)
