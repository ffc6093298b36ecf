"""A run that was cut off, and is taken up: all its files are as of one that was not."""

import json
import math
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camn import api, cli
from camn.api.segment import kept
from camn.api.segment.outputs import KEPT
from camn.errors import CamnError, ConfigError, VideoError
from camn.masks import write_palette_png

COUNT, SIZE = 6, (32, 48)  # of ProRes other sizes differ from one time to the next
# Followed at two sizes, with all steps; of alpha what comes in files of its own, and a movie.
OPTIONS = api.SegmentOptions(
    short_side=33, scales=(1.0, 1.4), alpha=("png", "prores"), device="cpu", threads=1, backend="eager"
)
STATES = f"{KEPT}/*.safetensors"


def mask(*ids: int, at: int = 0) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    for place, id in enumerate(ids):
        labels[5 + at : 17 + at, 3 + 18 * place : 15 + 18 * place] = id
    return labels


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """frames/, and masks/ in which object 9 is seen later."""
    place, rng = tmp_path_factory.mktemp("clip"), np.random.default_rng(0)
    (place / "frames").mkdir()
    (place / "masks").mkdir()
    ground = rng.integers(0, 256, (*SIZE, 3), np.uint8)
    for index in range(COUNT):
        Image.fromarray(np.roll(ground, index, 0)).save(place / "frames" / f"{index:03d}.png")
    write_palette_png(place / "masks" / "001.png", mask(2, 5))
    write_palette_png(place / "masks" / "003.png", mask(0, 0, 9, at=2))
    return place


@pytest.fixture(scope="module")
def model() -> api.Model:
    return api.open_model(OPTIONS)


@pytest.fixture(scope="module")
def segment(clip, model):
    def run(out: Path, resume: bool = True, video: Path = clip / "frames", masks: Path = clip / "masks", **how):
        how.setdefault("options", OPTIONS)
        return api.segment_video(video, masks, out, loaded=model, resume=resume, **how)

    return run


@pytest.fixture(scope="module")
def whole(segment, tmp_path_factory) -> Path:
    """Of a run that was not cut off."""
    out = tmp_path_factory.mktemp("whole") / "out"
    segment(out, resume=False)
    return out


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    del found["run.json"]
    return found


def record(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_bytes())


def killed(segment, out: Path, at: int, monkeypatch) -> None:
    """Runs in a process that is killed as soon as it has saved its state after so many frames. Every frame's state is
    saved: the next frame waits for that, however far writing is behind."""
    if not (child := os.fork()):
        save, due = kept.Keeper.save, kept.Keeper.due

        def then_killed(keeper, state, *more):
            save(keeper, state, *more)
            if state.done >= at:
                os.kill(os.getpid(), signal.SIGKILL)

        def when_saved(keeper, done, segmenter):
            while keeper._next == math.inf:
                time.sleep(0.001)
            return due(keeper, done, segmenter)

        kept.Keeper.save = lambda *all, **named: then_killed(*all, *named.values())  # type: ignore[method-assign]
        kept.Keeper.due = when_saved  # type: ignore[method-assign]
        kept.EVERY = kept.SHARE = 0  # type: ignore[misc]
        segment(out)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.fixture
def stop(segment):
    """A run that is stopped by Ctrl-C after so many frames."""

    def run(out: Path, at: int, **how) -> None:
        def stopping(progress: api.Progress) -> None:
            if progress.done == at:
                raise KeyboardInterrupt

        said = []
        with pytest.raises(KeyboardInterrupt):
            segment(out, progress=stopping, notice=said.append, **how)
        assert any(f"{at} frames are kept; the same again with --resume" in note for note in said)

    return run


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_twice(segment, whole, tmp_path, monkeypatch):
    out, said = tmp_path / "out", []
    for at in (2, 4):
        killed(segment, out, at, monkeypatch)
        assert len(list(out.glob(STATES))) <= kept.KEPT and record(out)["status"] == "running"
    summary = segment(out, notice=said.append)
    assert files(out) == files(whole)
    assert summary.frames == COUNT and summary.ids == (2, 5, 9)
    first, second = (one["frames"] for one in record(out)["resumed"])
    assert 2 <= first < second and any(f"cut off: {second} frames are done" in note for note in said)
    assert {**record(whole), "resumed": 0}.keys() == record(out).keys()


def test_stopped_over_a_former_run(segment, stop, whole, tmp_path):
    """Which stays until the end; a second stop, before what was done is written again, costs nothing."""
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    stop(out, 3, resume=False)
    assert {name for name in os.listdir(out) if name.startswith(".camn")} == {KEPT}
    assert len(list((out / "unfinished" / "masks").iterdir())) == 3
    progressed = []
    with pytest.raises(ZeroDivisionError):
        segment(out, progress=lambda progress: progressed.append(progress) or 1 / 0)
    assert [(one.done, one.first) for one in progressed] == [(4, 3)]
    segment(out)
    assert files(out) == files(whole)


def test_stopped_behind_a_frame_whose_state_is_not_taken_yet(segment, whole, tmp_path, monkeypatch):
    out, due = tmp_path / "out", kept.Keeper.due

    def stopping(keeper, done, segmenter):
        if done == 3:
            raise KeyboardInterrupt
        return due(keeper, done, segmenter)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(kept.Keeper, "due", stopping)
        segment(out)
    segment(out)
    assert record(out)["resumed"][0]["frames"] == 2 and files(out) == files(whole)


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_state_that_is_damaged_is_passed_over(segment, stop, whole, tmp_path, monkeypatch, damage):
    monkeypatch.setattr(kept, "EVERY", 0)
    monkeypatch.setattr(kept, "SHARE", 0)
    out, said = tmp_path / "out", []
    stop(out, 4)
    older, newest = sorted(out.glob(STATES))
    data = newest.read_bytes()
    other = bytes(one ^ 1 for one in data[-5000:-4000])
    newest.write_bytes(data[:-100] if damage == "cut" else data[:-5000] + other + data[-4000:])
    with (out / KEPT / kept.LINES).open("ab") as file:
        file.write(b"00000000 {half a li")
    segment(out, notice=said.append)
    assert files(out) == files(whole)
    assert any(str(newest) in note and "passed over" in note for note in said)
    assert record(out)["resumed"][0]["frames"] == int(older.stem) < int(newest.stem)


@pytest.mark.parametrize("part", ["options", "versions", "models"])
def test_a_record_that_is_damaged_is_refused(segment, whole, tmp_path, part):
    out = tmp_path / "out"
    (out / KEPT).mkdir(parents=True)
    (out / KEPT / kept.ABOUT).write_text(json.dumps(record(whole) | {"status": "running", part: 3}))
    with pytest.raises(ConfigError, match="cut off, is of other inputs or settings"):
        segment(out)


def test_a_state_that_finds_no_memory_is_kept(segment, stop, tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    out = tmp_path / "out"
    stop(out, 2)
    before = sorted(out.glob(f"{KEPT}/*"))
    with monkeypatch.context() as patched, pytest.raises(CamnError, match="not enough memory"):
        patched.setattr(kept.snapshot, "taken_up", full)
        segment(out)
    assert len(before) == 3 and sorted(out.glob(f"{KEPT}/*")) == before


@pytest.mark.parametrize("lost", [STATES, f"{KEPT}/{kept.LINES}"])
def test_without_any_it_starts_from_the_beginning_and_says_so(segment, stop, whole, tmp_path, lost):
    out, said = tmp_path / "out", []
    stop(out, 2)
    for path in out.glob(lost):
        path.unlink()
    segment(out, notice=said.append)
    assert files(out) == files(whole) and any("starts from the beginning" in note for note in said)


def test_a_run_that_has_ended_is_left_as_it_is(segment, whole):
    before, said = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}, []
    summary = segment(whole, notice=said.append)
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before
    assert any("has ended already" in note for note in said) and summary.frames == COUNT
    with pytest.raises(ConfigError, match=r"finished.*short_side: 33 then, 49 now"):
        segment(whole, options=replace(OPTIONS, short_side=49))


@pytest.mark.parametrize("then", ["resume", "export"])
def test_killed_while_results_took_the_place_of_former_ones(segment, whole, tmp_path, then):
    """The record is there already, most of what it tells of is not."""
    out, said = tmp_path / "out", []
    placed, kept_in = out / ".camn-placed", out / KEPT
    shutil.copytree(whole, placed)
    (placed / "run.json").rename(out / "run.json")
    (out / ".camn-former" / "masks").mkdir(parents=True)
    (out / ".camn-former" / "masks" / "mine.txt").write_text("of the user")
    kept_in.mkdir()
    shutil.copy(out / "run.json", kept_in / kept.ABOUT)
    if then == "resume":
        segment(out, notice=said.append)
        assert any("has ended already" in note for note in said)
        assert files(out) == {**files(whole), "masks/mine.txt": b"of the user"}
    else:
        api.export_run(out, "matte-png")
        assert len(list((out / "matte").iterdir())) == COUNT


def test_the_command(whole, clip, capsys):
    paths = [str(clip / "frames"), "--masks", str(clip / "masks")]
    assert cli.main(["segment", *paths, "--out", str(whole), "--resume"]) == 2
    assert "--resume: the run there" in capsys.readouterr().err
    assert cli.main(["segment", "--project", str(clip), "--resume"]) == 2
    assert "give --out" in capsys.readouterr().err


def test_another_run_is_refused_and_nothing_has_changed(segment, stop, whole, clip, tmp_path):
    out = tmp_path / "out"
    stop(out, 3)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    write_palette_png(tmp_path / "001.png", mask(2, 5, at=1))
    other = [
        ({"options": replace(OPTIONS, overlay=False, alpha=())}, "overlay: true then, false now; another alpha|alpha:"),
        ({"masks": tmp_path / "001.png"}, "other masks"),
        ({"names": {2: "cat"}}, "names"),
        ({"span": api.Span(1)}, "span"),
    ]
    for changed, said in other:
        with pytest.raises(CamnError, match=said):
            segment(out, **changed)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    shutil.copytree(clip / "frames", tmp_path / "frames")
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "frames" / "001.png")
    with pytest.raises(VideoError, match="frame 1 is not the one that the run read"):
        segment(out, video=tmp_path / "frames")
    for name in ("004.png", "002.png"):
        (tmp_path / "frames" / name).unlink()
    with pytest.raises(CamnError):
        segment(out, video=tmp_path / "frames")
    segment(out)  # all that takes nothing from the run
    assert files(out) == files(whole)
