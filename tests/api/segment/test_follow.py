"""`camn.follow`: frames of every kind, masks and clicks of every kind, one frame at a time, and what is refused."""

import gc
import json
import weakref
from contextlib import contextmanager
from itertools import count, islice

import av
import numpy as np
import pytest
import torch
from PIL import Image
from streaming import SIZE as STREAMED
from streaming import jpeg, serving

import camn
from camn import api
from camn.api.segment.follow import _marks
from camn.config import PostProcess
from camn.errors import CamnError, ConfigError, MaskError, VideoError
from camn.masks import Marks, write_palette_png

SIZE, COUNT = (48, 72), 3
SMALL = {"device": "cpu", "backend": "eager", "short_side": 64}


def frame(index: int) -> np.ndarray:
    blocks = np.random.default_rng(7).integers(0, 256, (4, 6, 3), np.uint8)
    return np.roll(blocks.repeat(12, 0).repeat(12, 1), 3 * index, 1)


def mask(*ids: int) -> np.ndarray:
    ids_map = np.zeros(SIZE, np.uint8)
    for place, id in enumerate(ids):
        ids_map[12:36, 24 * place : 24 * place + 20] = id
    return ids_map


FRAMES = [frame(index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def model():
    return camn.load("camn-mobile", post=PostProcess.off(), **SMALL)


@pytest.fixture(scope="module")
def wanted(model) -> list[np.ndarray]:
    """The ids that a segmenter answers itself."""
    return [model.start(FRAMES[0], mask(1, 9)).ids, *(model.step(one).ids for one in FRAMES[1:])]


def ids(following) -> list[np.ndarray]:
    return [result.ids for result in following]


def same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    return len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))


# --- frames ----------------------------------------------------------------------------------------------------------


def video(folder):
    with av.open(str(folder / "clip.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "bgr0"
        for one in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(one, "rgb24").reformat(format="bgr0")))
        container.mux(stream.encode(None))
    return folder / "clip.mkv"


def pictures(folder):
    paths = [folder / f"shot{index}.png" for index in range(COUNT)]
    for path, one in zip(paths, FRAMES):
        Image.fromarray(one).save(path)
    return paths


def one_buffer():
    """As cameras are often read: each frame into the memory of the one before."""
    buffer = np.zeros_like(FRAMES[0])
    for one in FRAMES:
        buffer[:] = one
        yield buffer


KINDS = {
    "arrays": lambda folder: FRAMES,
    "an array": lambda folder: np.stack(FRAMES),
    "a tensor": lambda folder: torch.from_numpy(np.stack(FRAMES)),
    "batches": lambda folder: torch.utils.data.DataLoader(torch.from_numpy(np.stack(FRAMES)), batch_size=2),
    "a generator": lambda folder: one_buffer(),
    "images": lambda folder: (Image.fromarray(one) for one in FRAMES),
    "PyAV": lambda folder: [av.VideoFrame.from_ndarray(one, "rgb24") for one in FRAMES],
    "files": pictures,
    "a folder": lambda folder: pictures(folder)[0].parent,
    "a video": lambda folder: str(video(folder)),
    "an open source": lambda folder: api.open_source(video(folder)),
    "frames of one": lambda folder: islice(api.open_source(video(folder)), COUNT),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_any_kind(kind, tmp_path, model, wanted):
    results = list(camn.follow(KINDS[kind](tmp_path), mask(1, 9), model=model))
    assert same([result.ids for result in results], wanted)
    assert same([result.frame for result in results], FRAMES)
    assert [result.index for result in results] == list(range(COUNT))
    named = "shot1" if kind in ("files", "a folder") else "000001"
    assert results[1].name == named and (results[1].time is not None) == (kind in list(KINDS)[-3:])


def test_pyav_frames_are_turned_as_their_file_is(tmp_path, model):
    """Phones store a turn beside the picture."""
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width = SIZE
        matrix = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], np.int32)
        stream.codec_context.open()
        container.mux(stream.encode(av.VideoFrame.from_ndarray(FRAMES[0], "rgb24")))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    plain = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    at = data.index(plain, data.index(b"tkhd"))
    path.write_bytes(data[:at] + matrix.astype(">i4").tobytes() + data[at + 36 :])
    with av.open(str(path)) as container:
        (ours,) = camn.follow(container.decode(video=0), np.ones(SIZE[::-1], np.uint8), model=model)
    (theirs,) = api.open_source(path)
    assert ours.frame.shape == (SIZE[1], SIZE[0], 3) and np.array_equal(ours.frame, theirs.image)


def test_one_frame_in_one_result_out_and_nothing_is_kept(model):
    """Frames without an end: none is taken ahead, all are let go, and the generator stays its owner's."""
    taken, alive = [], []

    def camera():
        for index in count():
            image = frame(index)
            alive.append(weakref.ref(image))
            taken.append(index)
            yield image

    frames = camera()
    with camn.follow(frames, mask(1), model=model) as following:
        assert taken == []
        for result in islice(following, 3):
            assert taken[-1] == result.index
        del result
        gc.collect()
        assert sum(one() is not None for one in alive) <= 1
    with pytest.raises(StopIteration):
        next(following)
    assert np.array_equal(next(frames), frame(3))


def test_dropping_it_frees_what_it_holds(tmp_path, model):
    following = camn.follow(video(tmp_path), mask(1), model=model)
    segmenter = weakref.ref(following.segmenter)
    assert next(following).index == 0 and segmenter() is not model
    del following
    assert segmenter() is None


def test_what_load_gave_goes_on_with_its_own_video():
    ensemble = camn.load("camn-mobile", **SMALL)
    ensemble.start(FRAMES[0], mask(9))
    first, second = camn.follow(FRAMES[:2], mask(1), model=ensemble)
    assert (set(first.confidence), set(second.confidence)) == ({1}, {1}) and np.array_equal(first.ids, mask(1))
    assert ensemble.index == 0 and set(ensemble.step(FRAMES[1]).confidence) == {9}


@contextmanager
def theirs():
    """Settings of a program in which everything is in double precision."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    try:
        with torch.autocast("cpu", torch.bfloat16), np.errstate(all="raise"):
            yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(1)


def settings() -> list:
    return [
        *(torch.get_default_dtype(), torch.get_num_threads(), torch.is_autocast_enabled("cpu")),
        *(torch.is_inference_mode_enabled(), torch.is_grad_enabled(), np.geterr(), torch.ones(1).dtype),
    ]


def test_the_callers_settings_hold_between_results_and_change_none(wanted):
    seen = []

    def mine():
        for one in FRAMES:
            seen.append(settings())
            yield one

    with theirs():
        before, ours = settings(), []
        for result in camn.follow(mine(), mask(1, 9), threads=1, post=PostProcess.off(), **SMALL):
            seen.append(settings())
            ours.append(result.ids)
        assert len(seen) == 2 * COUNT and all(one == before for one in seen)
    assert same(ours, wanted)


# --- what to follow --------------------------------------------------------------------------------------------------


def saved(path, ids_map):
    write_palette_png(path, ids_map)
    return path


MASKS = {
    "array": lambda path: mask(1, 9),
    "tensor": lambda path: torch.from_numpy(mask(1, 9)),
    "numbered": lambda path: {0: mask(1, 9).astype(np.int64)},
    "grey image": lambda path: Image.fromarray(mask(1, 9)),
    "palette image": lambda path: Image.open(saved(path, mask(1, 9))),
    "file": lambda path: saved(path, mask(1, 9)),
    "numbered file": lambda path: {0: str(saved(path, mask(1, 9)))},
    "files": lambda path: [saved(path.with_name("000000.png"), mask(1, 9))],
}


@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_any_kind(kind, tmp_path, model, wanted):
    assert same(ids(camn.follow(FRAMES, MASKS[kind](tmp_path / "first.png"), model=model)), wanted)


def test_flags_and_black_and_white_show_object_1(model):
    for one in (mask(1) > 0, mask(255), Image.fromarray(mask(255))):
        assert set(np.unique(next(camn.follow(FRAMES, one, model=model)).ids)) == {0, 1}


def test_masks_of_later_frames_are_what_they_are_to_segment_video(tmp_path):
    given, options = {1: mask(1, 9), 2: mask(0, 0, 4)}, {"masks_are_whole": True, **SMALL}
    (tmp_path / "masks").mkdir()
    for index, one in given.items():
        saved(tmp_path / "masks" / f"{index:06d}.png", one)
    told, run = [], {"overlay": False, "json": False, **options}
    camn.segment_video(video(tmp_path), tmp_path / "masks", tmp_path / "out", **run)
    written = [np.array(Image.open(path)) for path in sorted((tmp_path / "out" / "masks").iterdir())]
    assert same(ids(camn.follow(FRAMES, given, notice=told.append, **options)), written)
    assert told == ["mask of frame 2: objects 1, 9 are gone from there on."] and written[1].any()


def test_what_a_later_mask_lacks_goes_on(model):
    told: list[str] = []
    results = list(camn.follow(FRAMES, {1: mask(1, 9), 2: mask(0, 0, 4)}, model=model, notice=told.append))
    assert not results[0].ids.any() and not results[0].confidence and set(results[2].confidence) == {1, 4, 9}
    assert len(told) == 1 and told[0].startswith("mask of frame 2 does not show objects 1, 9, which go on")


def test_colours_are_the_same_objects_in_all_images(model):
    colours = np.array([[0, 0, 0], [200, 0, 0], [0, 0, 200]], np.uint8)
    given = {0: Image.fromarray(colours[mask(1, 2)]), 2: Image.fromarray(colours[mask(0, 0, 2)])}
    results = list(camn.follow(FRAMES, given, model=model))
    blue = results[0].ids[20, 30]
    assert set(results[2].confidence) == {1, 2} and np.array_equal(results[2].ids == blue, mask(0, 0, 2) == 2)


def test_clicks_of_a_later_frame_go_with_a_mask_of_other_objects(model):
    marks, told = Marks({3: [(60, 20)]}, at=1), []
    results = list(camn.follow(iter(FRAMES), mask(9), clicks=marks, model=model, notice=told.append))
    assert [set(result.confidence) for result in results] == [{9}, {3, 9}, {3, 9}]
    assert results[1].ids[20, 60] == 3 and told[0].startswith("Object 3, marked: score") and len(told) == 1


@pytest.mark.parametrize(
    "given", [(3, 4), [(3, 4)], [[3, 4]], np.array([[3, 4]]), {1: np.array([[3, 4]])}, Marks({1: [(3, 4)]})]
)
def test_ways_to_say_a_click(given):
    assert _marks(given, None) == Marks({1: [(3, 4)]})
    if not isinstance(given, Marks):
        assert _marks(given, {2: (1, 2, 3, 4)}) == Marks({1: [(3, 4)]}, {2: (1, 2, 3, 4)})


def test_ways_to_say_a_box():
    assert _marks(None, [1, 2, 3, 4]) == _marks(None, {1: (1, 2, 3, 4)}) == Marks(boxes={1: (1, 2, 3, 4)})
    assert _marks(None, None) is None


def test_corrections_midway(model):
    following, wanted = camn.follow(FRAMES, mask(1, 9), model=model), []
    for result in following:
        wanted.append(result.ids)
        if result.index == 1:
            with pytest.raises(MaskError, match="the mask is 8x5"):
                following.segmenter.correct(np.ones((5, 8), np.uint8))
            following.segmenter.correct(mask(0, 0, 4))
            following.segmenter.remove(9)
    model.start(FRAMES[0], mask(1, 9))
    assert np.array_equal(model.step(FRAMES[1]).ids, wanted[1])
    model.correct(mask(0, 0, 4))
    model.remove(9)
    assert same([model.step(one).ids for one in FRAMES[2:]], wanted[2:]) and set(result.confidence) == {1, 4}


# --- results and reports ---------------------------------------------------------------------------------------------


def test_a_result_has_its_frame_until_it_is_slim(model):
    result = next(camn.follow(FRAMES, mask(1), model=model))
    assert isinstance(result, camn.Result) and result.probability(1).shape == SIZE
    tinted = result.overlay()
    assert np.array_equal(tinted[:, 24:], FRAMES[0][:, 24:]) and not np.array_equal(tinted, FRAMES[0])
    assert np.array_equal(result.overlay(0)[20:28, 4:12], FRAMES[0][20:28, 4:12])  # outlines alone
    with pytest.raises(CamnError, match="opacity 3 must be between 0 and 1"):
        result.overlay(3)
    slim = result.slim()
    assert np.array_equal(slim.ids, result.ids) and slim.name == "000000"
    for asked in (lambda: slim.frame, lambda: slim.probability(1), slim.overlay):
        with pytest.raises(CamnError, match="frame 0: this result is slim"):
            asked()


def test_progress_and_what_is_told_at_the_end(tmp_path, model):
    said, told = [], []
    given = {0: mask(1), 9: mask(1)}
    list(camn.follow(video(tmp_path), given, model=model, progress=said.append, notice=told.append))
    assert [(one.done, one.total) for one in said] == [(index + 1, COUNT) for index in range(COUNT)]
    assert told == ["1 masks are for frames behind the last one, 2 (such as 9): not used"]


# --- what is refused -------------------------------------------------------------------------------------------------

AT_ONCE = {
    "nothing to follow": ({}, MaskError, r"give mask=..., clicks=\[\(x, y\)\] or boxes="),
    "one array": ({"frames": FRAMES[0], "mask": mask(1)}, VideoError, r"one picture.*\[frame, ...\]"),
    "one image": ({"frames": Image.fromarray(FRAMES[0]), "mask": mask(1)}, VideoError, "one picture"),
    "no frames at all": ({"frames": 7, "mask": mask(1)}, VideoError, "a int cannot be iterated; give frames one"),
    "no such file": ({"frames": "none.mp4", "mask": mask(1)}, VideoError, "none.mp4"),
    "no click": ({"clicks": []}, MaskError, "nothing is marked"),
    "half a click": ({"clicks": {1: (3, 4)}}, MaskError, "click 3: give x, y"),
    "a number": ({"clicks": 5}, MaskError, "clicks 5: give a list"),
    "two boxes": ({"clicks": Marks({1: [(3, 4)]}), "boxes": (1, 2, 3, 4)}, MaskError, r"Marks\(clicks, boxes="),
    "options of a segmenter": ({"mask": mask(1), "short_side": 64}, ConfigError, "give them to camn.load"),
    "another device": ({"mask": mask(1), "device": "cpu"}, ConfigError, "give them to camn.load"),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_is_refused_at_once(name, model):
    given, error, said = AT_ONCE[name]
    with pytest.raises(error, match=said):
        camn.follow(**{"frames": FRAMES, "model": model, **given})


def test_unknown_options_and_models():
    with pytest.raises(TypeError, match="overlay"):
        camn.follow(FRAMES, mask(1), overlay=True)
    with pytest.raises(ConfigError, match="device 'warp' cannot be used"):
        camn.follow(FRAMES, mask(1), device="warp")
    with pytest.raises(camn.CamnError, match="unknown model 'camn-giant'"):
        camn.follow(FRAMES, mask(1), model="camn-giant")


ON_ITS_FRAME = {
    "no frame": ({"frames": iter([])}, 0, VideoError, "there are no frames.*give one at least"),
    "another size": ({"frames": [*FRAMES[:2], frame(2)[:40]]}, 2, VideoError, "frame 2 is 72x40, .* are 72x48"),
    "floats": ({"frames": [FRAMES[0], FRAMES[1] / 255]}, 1, VideoError, r"frame 1 \(0 is the first\): .*if 1 is white"),
    "nothing": ({"frames": [FRAMES[0], None]}, 1, VideoError, r"frame 1 .* this one is NoneType"),
    "no file": ({"frames": ["none.png"]}, 0, VideoError, r"frame 0 .*none.png: cannot be read"),
    "mask's size": ({"mask": mask(1)[:40]}, 0, MaskError, "mask of frame 0: the mask is 72x40, the frames are 72x48"),
    "empty mask": ({"mask": mask()}, 0, MaskError, "mask of frame 0: no object, every pixel is background"),
    "a stack": ({"mask": np.stack([mask(1)] * 5)}, 0, MaskError, "mask of frame 0: .*a stack; number the masks"),
    "probabilities": ({"mask": {0: mask(1), 2: mask(1) * 0.5}}, 0, MaskError, "mask of frame 2: .*mask > 0.5"),
    "flags of which": ({"mask": {0: mask(1, 9), 2: mask(1) > 0}}, 0, MaskError, "mask of frame 2: .*which of them"),
    "masks in a list": ({"mask": [mask(1), mask(1)]}, 0, MaskError, r"\{0: mask, 40: another\}"),
    "no masks": ({"mask": {}}, 0, MaskError, r"give \{0: mask\}"),
    "a mask's name": ({"mask": {"a": mask(1)}}, 0, MaskError, "go by the numbers of their frames.*'a'"),
    "no mask": ({"mask": {0: 7}}, 0, MaskError, "mask of frame 0: .*this is a int"),
    "late masks": ({"mask": {9: mask(1)}}, COUNT, MaskError, "the frames, 3 of them, ended before .* frame 9"),
    "late clicks": ({"mask": None, "clicks": Marks({1: [(3, 4)]}, at=9)}, COUNT, MaskError, "ended before .* frame 9"),
    "click outside": ({"mask": None, "clicks": (72, 4)}, 0, MaskError, "72,4 is outside the frame, which is 72x48"),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_ITS_FRAME)
def test_what_is_refused_on_its_frame(name, model):
    given, good, error, said = ON_ITS_FRAME[name]
    following = camn.follow(**{"frames": FRAMES, "mask": mask(1), "model": model, **given})
    assert len(list(islice(following, good))) == good
    with pytest.raises(error, match=said):
        next(following)
    with pytest.raises(StopIteration):
        next(following)


def test_a_path_is_checked_with_its_masks_at_once(tmp_path, model):
    for given in ({"mask": mask(1)[:40]}, {"mask": "none.png"}, {"clicks": (72, 4)}):
        with pytest.raises(MaskError, match="72x40|none.png|outside the frame"):
            camn.follow(video(tmp_path), model=model, **given)


def test_a_stream_takes_masks_and_clicks_of_its_first_frame(model):
    with serving() as server:
        body = b"".join(b"--x\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg(index) + b"\r\n" for index in range(6))
        kind = "multipart/x-mixed-replace; boundary=x"
        server.pages["/live"] = lambda page: page.give(body=body, length=False, Content_Type=kind)
        ids = np.zeros(STREAMED, np.uint8)
        ids[8:24, 10:30] = 3
        for late in ({"mask": {0: ids, 3: ids}}, {"clicks": Marks({1: [(20, 16)]}, at=3)}):
            with pytest.raises(MaskError, match="for frame 3, but which frames of it are taken nobody knows"):
                camn.follow(f"{server.url}/live", model=model, **late)
        assert next(camn.follow(f"{server.url}/live", ids, model=model)).ids.any()


def test_a_file_of_masks_of_several_videos_is_told_which(tmp_path, model):
    folder = tmp_path / "bear"
    folder.mkdir()
    for index in range(COUNT):
        Image.fromarray(frame(index)).save(folder / f"{index:05d}.png")
    names = [f"{index:05d}.jpg" for index in range(COUNT)]
    videos = [{"id": n, "name": name, "file_names": names} for n, name in enumerate(("cow", "bear"))]
    square = [[10, 10, 30, 10, 30, 30, 10, 30]]
    shown = [{"id": 4 + n, "video_id": n, "segmentations": [square, None, None]} for n in range(2)]
    (tmp_path / "two.json").write_text(json.dumps({"videos": videos, "annotations": shown}))
    assert set(np.unique(next(camn.follow(folder, tmp_path / "two.json", model=model)).ids)) == {0, 5}


def test_an_error_of_the_callers_own_comes_through(model):
    def broken():
        yield FRAMES[0]
        raise KeyError("mine")

    following = camn.follow(broken(), mask(1), model=model)
    assert next(following).index == 0
    with pytest.raises(KeyError, match="mine"):
        next(following)
