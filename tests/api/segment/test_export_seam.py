"""A new export is one file and one line: see CONTRIBUTING.md. What is pretended here is in tests/pretend."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.api.segment.exporters import EXPORTERS, exporter, exporters
from camn.api.segment.outputs import ended_early, listed
from camn.cli import main
from camn.cluster.values import check_options
from camn.errors import ConfigError, OutputError
from camn.masks import write_palette_png

PRETEND = Path(__file__).parents[2] / "pretend"
SIZE = (48, 64)
QUICK = {"short_side": 32, "device": "cpu", "threads": 1, "backend": "eager", "overlay": False, "json": False}
REGISTER = f"""import sys; sys.path.insert(0, {str(PRETEND)!r})
from camn.api.segment.exporters import EXPORTERS
EXPORTERS["areas"] = "export_areas:AREAS"
from camn import cli
cli.main(sys.argv[1:])"""


def mask(index: int) -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[6 + index : 26 + index, 10:40] = 7
    return ids


@pytest.fixture
def place(tmp_path) -> Path:
    """frames/ with six frames, masks/ with masks of frames 0 and 3."""
    for name in ("frames", "masks"):
        (tmp_path / name).mkdir()
    for index in range(6):
        image = np.where(mask(index)[..., None] > 0, (220, 40, 40), (90, 90, 90)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "frames" / f"{index:05d}.png")
    for index in (0, 3):
        write_palette_png(tmp_path / "masks" / f"{index:05d}.png", mask(index))
    return tmp_path


@pytest.fixture
def areas(monkeypatch) -> None:
    monkeypatch.syspath_prepend(PRETEND)
    monkeypatch.setitem(EXPORTERS, "areas", "export_areas:AREAS")


def counted(folder: Path) -> str:
    """What areas.txt should say of a folder's masks."""
    pictures = sorted((folder / "masks").iterdir())
    return "\n".join(["64x48", *(f"{path.stem} {np.count_nonzero(np.array(Image.open(path)))}" for path in pictures)])


def test_a_new_export_in_the_command(place):
    """In processes of their own: the options are made when the program starts."""
    helped = subprocess.run([sys.executable, "-c", REGISTER, "segment", "--help"], capture_output=True, text=True)
    choices = re.sub(r"[\s│]", "", helped.stdout)
    assert re.search(r"--export.*\{prores,vp9,[a-z0-9,-]*,areas\}", choices)
    arguments = ["segment", "frames", "--masks", "masks", "--out", "out", "--export", "areas", "--short-side", "32"]
    arguments += ["--no-overlay", "--no-json", "--threads", "1"]
    done = subprocess.run([sys.executable, "-c", REGISTER, *arguments], capture_output=True, text=True, cwd=place)
    assert "out/areas.txt" in done.stdout, done.stderr
    assert (place / "out" / "areas.txt").read_text() == counted(place / "out")


def test_a_new_export_in_a_run_and_a_split_one(place, areas):
    options = api.SegmentOptions(export=("areas",), **QUICK)
    whole = api.segment_video(place / "frames", place / "masks", place / "whole", options)
    assert place / "whole" / "areas.txt" in whole.outputs
    assert (place / "whole" / "areas.txt").read_text() == counted(place / "whole")

    assert not api.join_reads_video(options) and api.join_reads_video(api.SegmentOptions())
    parts = []
    for start, stop in ((0, 3), (3, None)):
        parts.append(place / "parts" / str(start))
        chosen, span = api.part_options(options), api.Span(start, stop)
        api.segment_video(place / "frames", place / "masks", parts[-1], chosen, span=span)
        assert not (parts[-1] / "areas.txt").exists()
    joined = api.join_parts(place / "frames", parts, place / "joined", options)
    assert place / "joined" / "areas.txt" in joined.outputs
    assert (place / "joined" / "areas.txt").read_text() == counted(place / "joined")
    assert len(counted(place / "joined").splitlines()) == 7
    some = replace(options, export_objects=(7,), export_frames=(1, 3))
    api.join_parts(place / "frames", parts, place / "some", some)
    lines = counted(place / "joined").splitlines()
    assert (place / "some" / "areas.txt").read_text().splitlines() == [lines[0], *lines[2:5]]
    with pytest.raises(ConfigError, match="no object 8 to export"):
        api.join_parts(place / "frames", parts, place / "some", replace(some, export_objects=(8,)))
    assert (place / "some" / "areas.txt").exists()  # as it was
    assert api.part_options(some).export_objects is None  # its parts show all

    plain = api.SegmentOptions(**QUICK)
    for refused in (
        lambda: api.segment_video(place / "frames", place / "masks", place / "whole", plain),
        lambda: api.join_parts(place / "frames", parts, place / "some", plain),
    ):
        with pytest.raises(OutputError, match="holds areas.txt of the run before, which this one would remove"):
            refused()
    again = api.segment_video(place / "frames", place / "masks", place / "whole", plain, overwrite=True)
    assert not (place / "whole" / "areas.txt").exists() and again.frames == 6  # made way, as all of a former run


def test_frames_that_never_came_are_told_once(place):
    """A part of a video ends before the video does. And what shows no frame may be no file."""
    options = api.SegmentOptions(export=("rgba-png", "matte-h264"), export_frames=(2, 9), **QUICK)
    parts = [place / "parts" / name for name in "ab"]
    for part, span in zip(parts, (api.Span(0, 3), api.Span(3, None)), strict=True):
        done = api.segment_video(place / "frames", place / "masks", part, api.part_options(options), span=span)
        assert not done.warnings
    joined = api.join_parts(place / "frames", parts, place / "joined", options)
    assert joined.warnings == ("outputs of export were to show frames up to 9, but the video ended at frame 5",)
    assert sorted(path.stem for path in (place / "joined" / "rgba").iterdir()) == [f"{i:05d}" for i in range(2, 6)]
    assert ended_early(options, 2)[0].endswith("the video ended at frame 1, so they show none")
    assert place / "joined" / "matte.mp4" in joined.outputs
    (place / "joined" / "matte.mp4").unlink()
    assert place / "joined" / "matte.mp4" not in listed(place / "joined", options)


def test_a_new_export_of_masks_that_are_there(place, areas):
    offered = list(api.page_exports())
    assert offered[:5] == ["masks", "coco", "overlay", "prores", "vp9"] and offered[-1] == "areas"
    path = place / "a.txt"
    api.export_masks("areas", lambda index: mask(index) if index else None, path, size=SIZE, count=3)
    assert path.read_text() == "64x48\n000000 0\n000001 600\n000002 600"
    with pytest.raises(KeyboardInterrupt):
        api.export_masks("areas", mask, path, size=SIZE, count=3, progress=stop)
    assert path.read_text().endswith("000002 600")  # the one before, as it was
    assert sorted(one.name for one in place.iterdir()) == ["a.txt", "frames", "masks"]
    for name, said in (("alpha png", "written in a run alone"), ("overlay", "give the source")):
        with pytest.raises(ConfigError, match=f"{name}: .*{said}"):
            api.export_masks(name, mask, path, size=SIZE, count=3)


def stop(done: int) -> None:
    raise KeyboardInterrupt


def test_cut_outs_are_written_in_a_run(place, capsys):
    """Of all objects in one movie, the same as of its masks afterwards."""
    arguments = [place / "frames", "--masks", place / "masks", "--out", place / "out", "--export", "prores"]
    quick = ["--short-side", "32", "--threads", "1", "--no-overlay"]
    assert main(["segment", *map(str, arguments), *quick]) == 0
    assert "out/cutout.mov" in capsys.readouterr().out
    files = sorted((place / "out" / "masks").iterdir())
    api.write_movie(
        "prores",
        api.open_source(place / "frames"),
        lambda index: np.array(Image.open(files[index])),
        place / "after.mov",
    )
    assert decoded(place / "out" / "cutout.mov") == decoded(place / "after.mov")


def decoded(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgba").tobytes() for frame in container.decode(video=0)]


def test_every_line_of_the_registry_leads_to_an_exporter():
    found = exporters()
    assert list(found) == list(EXPORTERS)
    patterns = [pattern for one in found.values() for pattern in one.patterns]
    assert len(set(patterns)) == len(patterns)
    with pytest.raises(ConfigError, match="unknown export 'gif'; choose among masks, coco"):
        exporter("gif")
    for name in ("gif", "masks", "overlay", "alpha png"):  # the latter have options of their own, or are always written
        with pytest.raises(ConfigError, match=f"export: unknown kind '{name}'; choose among prores, vp9"):
            api.SegmentOptions(export=(name,))


def test_options_and_outputs():
    options = api.SegmentOptions(json=False, alpha=("vp9", "png", "png"), export=("prores", "prores"))
    assert options.outputs() == ("masks", "overlay", "alpha vp9", "alpha png", "prores", "objects")
    assert options.with_outputs(options.outputs()).outputs() == options.outputs()
    assert options.with_outputs(["alpha png"]).outputs() == ("masks", "alpha png", "objects")
    assert check_options({"export": ["vp9"]}) == {"export": ("vp9",)}
    chosen = {"export_objects": [3.0, 1], "export_frames": [0, 9]}  # as a manifest has them
    assert check_options(chosen) == {"export_objects": (3, 1), "export_frames": (0, 9)}
    for wrong in ({"export_frames": [5, 2]}, {"export_objects": []}, {"export_objects": [300]}):
        with pytest.raises(ConfigError, match="to be exported"):
            check_options(wrong)
    with pytest.raises(ConfigError, match=r"export is \['gif'\]: it must be a list, each one of prores, vp9"):
        check_options({"export": ["gif"]})
