"""Exports of a run that is done: of its masks, without segmenting again."""

import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from videos import make_video

import camn
from camn import api
from camn.api.segment.exporters import exporter
from camn.cli import main
from camn.errors import CamnError, ConfigError, DataError, OutputError
from camn.files import alone

SIZE, COUNT = (48, 64), 5
NAMES = {1: 'the "red"/\\ 🐇', 9: "green & <co>"}
QUICK = {"short_side": 32, "device": "cpu", "threads": 1, "backend": "eager"}


def begin() -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[:16, :21], ids[:16, -21:] = 1, 9
    return ids


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """clip.mp4, and run/ of it with two named objects, and exports of one of them on some frames."""
    place = tmp_path_factory.mktemp("export")
    make_video(place / "clip.mp4", count=COUNT)
    api.export_masks("masks", lambda index: begin(), place / "first", size=SIZE, count=1)
    chosen = {"export": ("matte-png", "matte-h264"), "export_objects": (9,), "export_frames": (3, 9)}
    api.segment_video(place / "clip.mp4", place / "first" / "000000.png", place / "run", names=NAMES, **QUICK, **chosen)
    return place


@pytest.fixture
def place(made, tmp_path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


def masks(folder: Path) -> list[np.ndarray]:
    return [np.array(Image.open(file)) for file in sorted(folder.iterdir())]


def movie(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0)]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_runs_own_exports_show_what_was_chosen(made):
    run = made / "run"
    whole = masks(run / "masks")
    assert len(whole) == COUNT and {1, 9} <= set(np.unique(whole))
    assert [file.name for file in sorted((run / "matte").iterdir())] == ["000003.png", "000004.png"]
    for picture, ids in zip(masks(run / "matte"), whole[3:], strict=True):
        assert np.array_equal(picture > 0, ids == 9)
    assert len(movie(run / "matte.mp4")) == 2 and len(movie(run / "overlay.mp4")) == COUNT
    (warning,) = json.loads((run / "run.json").read_bytes())["warnings"]
    assert warning == "outputs of export were to show frames up to 9, but the video ended at frame 4"
    legend = json.loads((run / "objects.json").read_bytes())
    assert [(item["id"], item["name"]) for item in legend] == list(NAMES.items()) and legend[0]["colour"] == "#800000"


def test_all_exports_are_made_as_the_run_makes_them(place, capsys):
    run, before = place / "run", content(place / "run")
    kinds = [name for name, one in api.page_exports().items() if one.of_masks]
    assert main(["export", str(run), "--to", *kinds, "--out", str(place / "more")]) == 0
    said = capsys.readouterr().out
    assert "5 frames" in said and str(place / "more" / "rgba") in said
    after = content(place / "more")
    for name in ("objects.json", "segments.json", *(f"masks/{index:06d}.png" for index in range(COUNT))):
        assert after[name] == before[name]
    assert movie(place / "more" / "overlay.mp4") == movie(run / "overlay.mp4")
    assert not [name for name in after if name.startswith(".")] and content(run) == before
    for name in kinds:
        assert (place / "more" / exporter(name).path).exists()

    assert main(["export", str(run), "--to", "rgba-png", "--objects", "1", "--frames", "1", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == ["2 frames", f"  {run / 'objects.json'}", f"  {run / 'rgba'}/"]
    for picture, ids in zip(masks(run / "rgba"), masks(run / "masks")[1:3], strict=True):
        assert np.array_equal(picture[..., 3] > 0, ids == 1)
    with pytest.raises(OutputError, match="rgba: is there already; --overwrite replaces it, --out"):
        api.export_run(run, "rgba-png")
    done = camn.export_run(run, "rgba-png", overwrite=True)
    assert done.frames == COUNT and done.outputs == (run / "objects.json", run / "rgba")
    assert len(masks(run / "rgba")) == COUNT and {*before} <= {*content(run)}
    with pytest.raises(OutputError, match="the run's own masks; give another folder by --out"):
        api.export_run(run, "masks", objects=[1], overwrite=True)


def test_numbers_of_numpy_are_numbers(place):
    ids, frames = np.unique(begin())[1:], tuple(np.arange(2))
    options = api.SegmentOptions(export=("matte-png",), export_objects=ids[::-1], export_frames=frames, **QUICK)
    assert json.dumps((options.export_objects, options.export_frames)) == "[[1, 9], [0, 1]]"
    done = api.export_run(place / "run", "matte-png", place / "out", objects=ids, frames=frames)
    assert done.frames == 2 and json.loads((place / "out" / "objects.json").read_bytes())[1]["id"] == 9


def test_a_folder_of_pictures_and_its_moved_video(place):
    """Masks are called like the frames, and these may begin anywhere."""
    frames = place / "frames"
    frames.mkdir()
    for index in range(COUNT):
        Image.fromarray(np.full((*SIZE, 3), 40 + index, np.uint8)).save(frames / f"shot {index + 8}.jpg", quality=95)
    run = place / "run"
    for index in range(COUNT):
        (run / "masks" / f"{index:06d}.png").rename(run / "masks" / f"shot {index + 8}.png")
    change(run, video=str(frames))
    api.export_run(run, ["matte-png", "preview-gif"], place / "out", frames=(1, 3))
    assert {one.name for one in (place / "out" / "matte").iterdir()} == {"shot 9.png", "shot 10.png", "shot 11.png"}
    assert [file.name for file in sorted((place / "out").iterdir())] == ["matte", "objects.json", "preview.gif"]
    frames.rename(place / "moved")
    api.export_run(run, "coco", place / "of masks alone")
    with pytest.raises(CamnError, match="frames: the video of this run is not there any more; say by --video"):
        api.export_run(run, "over-h264", place / "o")
    assert api.export_run(run, "over-h264", place / "o", video=place / "moved", background="blur").frames == COUNT
    (place / "moved" / "shot 9.jpg").rename(place / "moved" / "shot 99.jpg")
    with pytest.raises(DataError, match="moved: is not the video of the run in .*a frame shot 10, for which"):
        api.export_run(run, "over-h264", place / "p", video=place / "moved")
    assert not (place / "p").exists()


def change(run: Path, **fields) -> None:
    """Of run.json; None takes one out."""
    record = json.loads((run / "run.json").read_bytes()) | fields
    (run / "run.json").write_text(json.dumps({key: value for key, value in record.items() if value is not None}))


def empty(run: Path) -> None:
    for file in (run / "masks").iterdir():
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(file)


def again(run: Path, **changes) -> None:
    make_video(run.parent / "clip.mp4", **changes)


@pytest.mark.parametrize(("harm", "to", "said"), [
    (shutil.rmtree, "coco", "run: no such folder; give the one that camn segment wrote to"),
    (lambda run: (shutil.rmtree(run), run.touch()), "coco", "run: a file, no folder; give the one that camn"),
    (lambda run: (run / "run.json").unlink(), "coco", "run: holds no run (it has no run.json); give the folder"),
    (lambda run: (run / "run.json").write_text("{"), "coco", "holds no run (its run.json is damaged or not of camn)"),
    (lambda run: (run / "run.json").rename(run / "project.json"), "coco", "is a project of camn serve, and no run"),
    (lambda run: change(run, status="running"), "coco", "did not come to its end (it is at work, or was killed)"),
    (lambda run: change(run, status="failed", error="no room"), "coco", "(no room); run it to its end (camn segment"),
    (lambda run: change(run, ids=None, versions={"camn": "9.0.0"}), "coco",
     f"lacks what an export needs ('ids' is missing); made by camn 9.0.0, and this is {camn.__version__}. Segment"),
    (lambda run: change(run, span=[0, 5]), "coco", "holds a part of a video"),
    (lambda run: change(run, ids=[300]), "coco", "lacks what an export needs (object 300: ids are"),
    (lambda run: change(run, colours={"1": "#ff00ff00"}), "coco", "lacks what an export needs"),
    (lambda run: change(run, options={"picture_range": [1]}), "overlay", "lacks what an export needs"),
    (lambda run: change(run, first_seconds="x"), "overlay", "lacks what an export needs"),
    (lambda run: change(run, frames=float("inf")), "coco", "lacks what an export needs"),
    (lambda run: change(run, video="v" * 300), "overlay", "the video of this run is not there any more"),
    (lambda run: shutil.copy(run / "masks" / "000003.png", run / "masks" / "more.png"), "coco",
     "has 6 masks for 5 frames; take out those that are not the run's, or"),
    (lambda run: (run / "masks" / "000003.png").unlink(), "coco", "has 4 masks for 5 frames (such as 000003); put"),
    (lambda run: shutil.rmtree(run / "masks"), "coco", "masks: there are no masks to export; segment the video again"),
    (empty, "coco", "has no mask of an object on these frames, so there is nothing to export"),
    (lambda run: (run / "masks" / "000003.png").write_bytes(b"\x89PNG"), "coco", "000003.png"),
    (lambda run: Image.new("P", (9, 9)).save(run / "masks" / "000003.png"), "coco", "is 9x9, and the run's video 6"),
    (lambda run: (run.parent / "clip.mp4").unlink(), "overlay", "clip.mp4: the video of this run is not there"),
    (lambda run: again(run, size=(32, 48)), "over-h264", "its frames are 48x32, the run's 64x48"),
    (lambda run: again(run, count=4), "over-h264", "4 frames could be read, and the run has 5"),
    (lambda run: again(run, count=6), "over-h264", "6 frames could be read, and the run has 5"),
    (lambda run: None, "alpha png", "tells what the network said, so it is written in a run alone (camn segment)"),
    (lambda run: None, "gif", "unknown export 'gif'; choose among masks, coco"),
    (lambda run: (run / "objects.json").write_text("[]"), "rgba-png", "objects.json: is there already; --overwrite"),
])  # fmt: skip
def test_what_cannot_be_exported_is_said_and_changes_nothing(place, harm, to, said):
    change(place / "run", video=str(place / "clip.mp4"))
    (place / "run" / "overlay.mp4").unlink()
    (place / "run" / "segments.json").unlink()
    harm(place / "run")
    before = content(place)
    with pytest.raises(CamnError) as raised:
        api.export_run(place / "run", to)
    assert said in str(raised.value)
    assert content(place) == before


def test_a_run_that_was_cut_off_and_one_of_another_version(place, capsys):
    run, out = place / "run", place / "out"
    (run / "masks" / "000004.png").unlink()
    change(run, status="running", frames=None, video=str(place / "clip.mp4"), versions={"camn": "0.0.1"})
    assert main(["export", str(run), "--to", "over-h264", "coco", "--out", str(out)]) == 2
    assert "--partial" in capsys.readouterr().err and not out.exists()
    assert main(["export", str(run), "--to", "over-h264", "coco", "--out", str(out), "--partial"]) == 0
    assert "made by camn 0.0.1" in capsys.readouterr().out
    assert len(movie(out / "over.mp4")) == len(json.loads((out / "segments.json").read_bytes())["images"]) == 4
    (run / "masks" / "000002.png").unlink()
    with pytest.raises(DataError, match=r"has 3 masks for 4 frames \(such as 000002\)"):
        api.export_run(run, "coco", place / "more", partial=True)


def test_wishes_that_cannot_be(made, place):
    run, before = place / "run", content(place)
    for wrong, said in (
        ({"objects": [2]}, "no object 2 to export; the objects are 1, 9"),
        ({"frames": (5, 6)}, "no frame 5 to export; the video has 5, 0..4"),
        ({"background": "#12"}, "'#12': no such picture"),
        ({"to": ()}, "name one export or more"),
        ({"opacity": 7, "to": "preview-gif"}, "opacity is 7"),
    ):
        with pytest.raises(ConfigError, match=said):
            api.export_run(**{"run": run, "to": "over-h264", "out": place / "out"} | wrong)
    for wish, value, shown in (("background", "blur", "over-h264"), ("opacity", 0.9, "overlay, preview-gif, prev")):
        unseen = f"{wish} is {value!r}, which only these exports show, and none of them is named: {shown}"
        with pytest.raises(ConfigError, match=unseen):
            api.export_run(run, ["matte-png", "coco"], place / "out", **{wish: value})
        with pytest.raises(ConfigError, match=unseen):
            api.export_masks("coco", lambda index: begin(), place / "out", size=SIZE, count=1, **{wish: value})
    with alone(run), pytest.raises(OutputError, match="another run is writing here"):
        api.export_run(run, "rgba-png")
    assert content(place) == before and not (place / "out").exists()
    with pytest.raises(ConfigError, match="and none is named; name some, as --export"):
        api.segment_video(place / "clip.mp4", place / "first", place / "new", export_objects=(1,), **QUICK)
    behind: dict[str, Any] = {"export": ("matte-png",), "export_background": "blur"}
    with pytest.raises(ConfigError, match="background is 'blur', which only these exports show"):
        api.segment_video(place / "clip.mp4", place / "first", place / "new", **behind, **QUICK)
    with pytest.raises(ConfigError, match="no object 4 to export"):
        api.segment_video(
            place / "clip.mp4", place / "first", place / "new", export=("rgba-png",), export_objects=(4,), **QUICK
        )
    assert not (place / "new").exists()
    for out in (run / "masks", run / "masks" / "more"):
        with pytest.raises(OutputError, match="is where the run in .* keeps its results; give another folder"):
            api.export_run(run, "matte-png", out)
    change(run, video=str(place / "over.mp4"))
    (place / "clip.mp4").rename(place / "over.mp4")
    with pytest.raises(OutputError, match="over.mp4: would replace the video of the run"):
        api.export_run(run, "over-h264", place, overwrite=True)
    assert (place / "over.mp4").stat().st_size == (made / "clip.mp4").stat().st_size
    change(run, video=str(made / "clip.mp4"))
    hidden = run / ".export.1-1.part.folder"  # of one that was killed
    hidden.mkdir()
    (hidden / "rgba").mkdir()
    api.export_run(run, "rgba-png")
    assert not hidden.exists()


def test_all_outputs_take_their_places_or_none(place, monkeypatch):
    run = place / "run"
    api.export_run(run, ["matte-png", "rgba-png"], overwrite=True, objects=[1])
    before, replace = content(run), Path.replace

    def failing(path: Path, target: Path) -> Path:
        if target == run / "rgba" and path.parent.name.startswith(".export."):
            monkeypatch.undo()
            raise OSError("the disk has gone")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OutputError, match="the disk has gone"):
        api.export_run(run, ["matte-png", "rgba-png"], overwrite=True, objects=[9])
    assert content(run) == before
