"""The commands: as real processes, and for every bad input what the user is told."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from camn import weights
from camn.api import Progress
from camn.api.segment.outputs import KEPT
from camn.config import preset
from camn.masks import write_palette_png
from camn.model.network import Camn
from camn.progress import describe

SIZE = (64, 96)
SCRIPT = Path(sys.executable).with_name("camn")
COMMAND = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "camn"]


def picture(index: int) -> np.ndarray:
    image = np.full((*SIZE, 3), 90, np.uint8)
    image[10 + index : 30 + index, 20:50] = (220, 40, 40)
    return image


def mask() -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[10:30, 20:50] = 5
    return ids


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights.write(path, preset("camn-mobile"), Camn(preset("camn-mobile")).state_dict())
    return path


@pytest.fixture
def place(tmp_path, model) -> Path:
    """A folder with clip.mp4 and clip.mkv of 20 frames, frames/, first.png and model.safetensors."""
    for name in ("clip.mp4", "clip.mkv"):
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("mjpeg", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width = SIZE
            stream.pix_fmt = "yuvj420p"
            for index in range(20):
                frame = av.VideoFrame.from_ndarray(picture(index), "rgb24").reformat(format="yuvj420p")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    (tmp_path / "frames").mkdir()
    for index in range(3):
        Image.fromarray(picture(index)).save(tmp_path / "frames" / f"shot{index}.jpg")
    write_palette_png(tmp_path / "first.png", mask())
    (tmp_path / "model.safetensors").symlink_to(model)
    return tmp_path


QUICK = ["--model", "model.safetensors", "--short-side", "32", "--threads", "1"]


def camn(place: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *arguments], cwd=place, capture_output=True, text=True, **options)


# --- real processes --------------------------------------------------------------------------------------------------


def test_segment_a_folder(place):
    done = camn(place, "segment", "frames", "--masks", "first.png", "--out", "out", *QUICK, "--alpha", "png")
    assert done.returncode == 0, done.stderr
    assert "3 frames, 1 object," in done.stdout and "frames/s" in done.stdout and "out/overlay.mp4" in done.stdout
    assert "segment: 3/3 frames" in done.stderr and "left" in done.stderr and "Traceback" not in done.stderr
    found = sorted(str(p.relative_to(place / "out")) for p in (place / "out").rglob("*") if p.is_file())
    pictures = [f"alpha/5/shot{i}.png" for i in range(3)] + [f"masks/shot{i}.png" for i in range(3)]
    assert found == sorted([*pictures, "objects.csv", "overlay.mp4", "run.json", "segments.json"])


def test_a_truncated_video_is_warned_about(place):
    whole = (place / "clip.mkv").read_bytes()
    (place / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    done = camn(place, "segment", "cut.mkv", "--masks", "first.png", "--out", "out", *QUICK, "--no-overlay")
    assert done.returncode == 0 and "Traceback" not in done.stderr
    count = len(list((place / "out" / "masks").iterdir()))
    assert 0 < count < 20 and re.search(rf"warning: cut.mkv: .*ends early: {count} ", done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="limits file sizes by setrlimit")
def test_a_full_disk(place):
    def limit():  # files may grow to this size only, which looks like a full disk; run.json with its error is smaller
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    arguments = ["segment", "clip.mp4", "--masks", "first.png", "--out", "out", *QUICK]
    done = camn(place, *arguments, preexec_fn=limit)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert re.search(r"camn: out/\S+: .*space", done.stderr), done.stderr
    for path in (place / "out" / "masks").iterdir():
        Image.open(path).load()
    assert [p.name for p in (place / "out").rglob("*") if p.name.startswith(".")] == [KEPT]
    assert '"failed"' in (place / "out" / "run.json").read_text()


def test_demo_and_ctrl_c(place):
    """The demo follows two clicks on the shipped clip, here with other weights; Ctrl-C ends it with whole files."""
    arguments = ["demo", "--out", "out", *QUICK, "--no-json"]
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in what a shell runs beside itself
    )
    masks, deadline = place / "out" / "masks", time.monotonic() + 300
    while (len(list(masks.glob("0*.png"))) if masks.exists() else 0) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    told, said = process.communicate(timeout=300)
    assert re.search(r"camn segment \S+bunny.mp4 --click 1:\d+,\d+ 2:\d+,\d+ --short-side 32 --out out and", told)
    assert set(np.unique(np.array(Image.open(place / "out/marked/000000.png")))) == {0, 1, 2}
    assert process.returncode == 130 and "Traceback" not in said and "stopped" in said
    with av.open(str(place / "out" / "overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(list(masks.iterdir())) >= 2
    assert '"interrupted"' in (place / "out" / "run.json").read_text()


def test_a_run_that_is_stopped_over_a_former_one(place):
    """The former results stay, and what this run did is whole beside them; a second run meanwhile is refused."""
    arguments = ["--masks", "first.png", "--out", "out", *QUICK]
    assert camn(place, "segment", "frames", *arguments).returncode == 0
    before = {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()}
    process = subprocess.Popen(
        [*COMMAND, "demo", "--out", "out", *QUICK], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    masks, deadline = place / "out" / ".camn-new" / "masks", time.monotonic() + 300
    while len(list(masks.glob("0*.png"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    code = "from pathlib import Path; from camn.files import alone; alone(Path('out')).__enter__()"
    second = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True)
    assert "out: another run is writing here; wait for its end, stop it, or give another folder" in second.stderr
    assert f"(process {process.pid} on " in second.stderr
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 143 and "Traceback" not in said and "stopped by SIGTERM" in said
    assert "out: keeps the results of the run before; what this one wrote so far is in out/unfinished" in out
    after = {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()}
    new = {path for path in after if {"unfinished", KEPT} & set(path.parts)}
    assert {path: content for path, content in after.items() if path not in new} == before
    kept = place / "out" / "unfinished"
    assert '"interrupted"' in (kept / "run.json").read_text()
    with av.open(str(kept / "overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(list((kept / "masks").iterdir())) >= 2


def test_a_reader_that_goes_away(place):
    process = subprocess.Popen([*COMMAND, "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait() == 141


def test_help_and_usage(place):
    done = camn(place, "--help")
    assert done.returncode == 0 and all(name in done.stdout for name in ("segment", "demo", "models", "evaluate"))
    assert "--memory-every" in camn(place, "segment", "--help").stdout
    wrong = camn(place, "segment", "clip.mp4", "--mask", "first.png")
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr and "--masks" in wrong.stdout + wrong.stderr
    (place / "clip.mp4").rename(place / "-clip.mp4")
    wrong = camn(place, "segment", "-clip.mp4", "--masks", "first.png")
    assert wrong.returncode == 2 and "give it as ./-clip.mp4" in wrong.stderr
    assert "camn: -x" not in camn(place, "segment", "-x", "--masks", "first.png").stderr


# --- in this process: the same code, without the wait for a new one --------------------------------------------------


def smeared(path: Path) -> None:
    image = Image.fromarray((mask() > 0).astype(np.uint8) * 255).convert("RGB")
    image.filter(ImageFilter.GaussianBlur(3)).save(path)


def many_colours(path: Path) -> None:
    codes = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) // 16 * 41  # blocks, each a colour of its own
    Image.fromarray(np.stack([codes & 255, codes >> 8 & 255, codes * 0], 2).astype(np.uint8)).save(path)


def bad(make=None, video="clip.mp4", masks="first.png", out="out", more=()):
    return make, [video, "--masks", masks, "--out", out, *more]


BAD = {
    "missing video": (bad(video="none.mp4"), r"none\.mp4: no such file.*check the path"),
    "a camera's address": (bad(video="rtsp://a.invalid/1"), r"rtsp://a\.invalid/1: no such host, a\.invalid; check"),
    "a pattern": (bad(video="frames/none*.jpg"), r"frames/none\*\.jpg: no file has a name that fits"),
    "a playlist": (
        bad(lambda p: (p / "x.mp4").write_text("#EXTM3U\nclip.mp4\n"), "x.mp4"), r"x\.mp4: a playlist.*give an intact",
    ),
    "empty video": (bad(lambda p: (p / "x.mp4").touch(), "x.mp4"), r"x\.mp4: the file is empty; give an intact"),
    "video truncated before its index": (
        bad(lambda p: (p / "x.mp4").write_bytes((p / "clip.mp4").read_bytes()[:900]), "x.mp4"),
        r"x\.mp4: .*truncated.*give an intact",
    ),
    "no video at all": (bad(lambda p: (p / "x.mp4").write_text("words " * 99), "x.mp4"), r"x\.mp4: .*give an intact"),
    "folder without images": (bad(lambda p: (p / "none").mkdir(), "none"), r"none: the folder is empty; give"),
    "missing mask": (bad(masks="none.png"), r"none\.png: no such mask file"),
    "mask of another size": (
        bad(lambda p: write_palette_png(p / "m.png", mask()[:-2]), masks="m.png"),
        r"m\.png: the mask is 96x62, the frames are 96x64.*give --resize-masks",
    ),
    "mask without an object": (
        bad(lambda p: write_palette_png(p / "m.png", mask() * 0), masks="m.png"), r"m\.png.* no object.*paint",
    ),
    "antialiased mask": (bad(lambda p: smeared(p / "m.png"), masks="m.png"), r"m\.png: .*antialias.*PNG"),
    "JPEG mask": (bad(lambda p: smeared(p / "m.jpg"), masks="m.jpg"), r"m\.jpg: JPEG.*PNG"),
    "more than 255 objects": (bad(lambda p: many_colours(p / "m.png"), masks="m.png"), r"at most 255 objects|m\.png"),
    "unknown model": (bad(more=["--model", "camn-giant"]), r"unknown model 'camn-giant'.*give a file"),
    "model without weights": (bad(more=["--model", "camn-r101"]), r"camn-r101: .*train it"),
    "corrupt weights": (
        bad(lambda p: (p / "w.safetensors").write_bytes(b"x" * 999), more=["--model", "w.safetensors"]),
        r"w\.safetensors: not a readable safetensors file.*get it again",
    ),
    "unknown device": (bad(more=["--device", "warp"]), r"'warp' cannot be used.*try auto or cpu"),
    "output is a file": (bad(out="first.png"), r"first\.png: is a file; give a folder"),
    "output below a file": (bad(out="first.png/out"), r"first\.png/out.*choose another"),
    "output not writable": (bad(out="/proc/self/out"), r"/proc/self/out.*(choose another|not writable)"),
    "output of others": (bad(out="frames"), r"frames: is not empty.*--overwrite"),
    "impossible option": (bad(more=["--memory-every", "0"]), r"memory_every is 0: it must be 1 or more"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_and_touches_nothing(place, command, name):
    (make, arguments), said = BAD[name]
    if "/proc" in arguments[-1] and not os.path.isdir("/proc/self"):
        pytest.skip("needs Linux's /proc, where not even root can write")
    if make:
        make(place)
    before = sorted(place.rglob("*"))
    quick = [] if "--model" in arguments else QUICK[:2]
    code, out, error = command("segment", *arguments, *quick, *QUICK[2:])
    assert code == 2 and not out and error.startswith("camn: ") and "Traceback" not in error
    assert re.search(said, error, re.DOTALL), error
    assert sorted(place.rglob("*")) == before


def test_segment_says_what_it_read(command, place):
    colours = np.zeros((*SIZE, 3), np.uint8)
    colours[mask() > 0] = (250, 130, 10)
    Image.fromarray(colours).save(place / "m.png")
    code, out, _ = command("segment", "frames", "--masks", "m.png", "--out", "out", *QUICK, "--no-json")
    assert code == 0 and "Object 1 is the colour #fa820a" in out and "segments.json" not in out


def test_what_was_read_is_said_at_once_also_beside_a_bar(place):
    """On a terminal: the note goes to stdout, ahead of all frames, and not to where the bar is."""
    import pty

    colours = np.zeros((*SIZE, 3), np.uint8)
    colours[mask() > 0] = (250, 130, 10)
    Image.fromarray(colours).save(place / "m.png")
    ours, theirs = pty.openpty()
    arguments = ["segment", "frames", "--masks", "m.png", "--out", "out", *QUICK, "--no-overlay"]
    process = subprocess.Popen([*COMMAND, *arguments], cwd=place, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    assert process.stdout and process.stdout.readline() == "Object 1 is the colour #fa820a of the mask.\n"
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # Linux says so at the end of a terminal
        pass
    out = process.stdout.read()
    assert process.wait() == 0 and "3 frames, 1 object" in out and "Object 1" not in out
    assert b"3/3 frames" in shown and b"Object" not in shown
    os.close(ours)


def test_models(command):
    code, out, _ = command("models")
    assert code == 0 and all(name in out for name in ("camn-mobile", "camn-r101", "cfbi-plus-r101", "not shipped"))
    for name, path in weights.shipped().items():
        assert name in out and weights.read(path).sha256 in out
    for path in weights.shipped_fusions():
        read = weights.read_fusion(path)
        assert f"joins {', '.join(read.config.members)}" in out and read.sha256 in out
    for name, path in weights.shipped_clicks().items():
        assert f"{name}  " in out and weights.read_clicks(path).sha256 in out


def test_evaluate_and_its_errors(command, place):
    root = place / "davis"
    for index in range(3):
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / "one").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(0)).save(root / f"JPEGImages/480p/one/{index:05d}.jpg")
        write_palette_png(root / f"Annotations/480p/one/{index:05d}.png", mask())
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("one\n")
    code, out, _ = command("evaluate", "davis", "--out", "masks", *QUICK)
    assert code == 0 and "DAVIS 2017 val" in out and "frames/s" in out and (place / "masks/scores.json").exists()
    code, out, _ = command("evaluate", "davis", "--predictions", "davis/Annotations/480p")
    assert code == 0 and "100.0" in out
    code, _, error = command("evaluate", "nowhere")
    assert code == 2 and "nowhere" in error and "Traceback" not in error


def test_convert_and_train_say_what_is_wrong(command, place):
    (place / "x.pth").write_bytes(b"no checkpoint")
    code, _, error = command("convert", "cfbi-plus", "x.pth", "x.safetensors")
    assert code == 2 and "x.pth" in error and not (place / "x.safetensors").exists()
    (place / "r.toml").write_text("model = 'camn-mobile'\nsteps = 'many'\nvideos = 'davis'")
    code, _, error = command("train", "r.toml", "--out", "run")
    assert code == 2 and "r.toml" in error or "steps" in error
    assert not (place / "run").exists()


def test_how_progress_is_told():
    assert describe(Progress(12, 300, 6.0), "frames") == "12/300 frames, 2.00 frames/s, 0:02:24 left"
    assert describe(Progress(12, None, 6.0, "loss 0.5"), "steps") == "12 steps, 2.00 steps/s, loss 0.5"
    assert describe(Progress(110, 120, 5.0, first=100), "steps") == "110/120 steps, 2.00 steps/s, 0:00:05 left"
