"""The command line on damaged files and odd options: it ends by 0, 2 or 130 and a sentence; no file is half-written."""

import contextlib
from pathlib import Path

import pytest
from corpus import SMALL, fuzzed, made_anew, whole
from damage import damaged

KINDS = {
    "video": ("clip.mp4", lambda odd: ["segment", odd, "--masks", "grey.png"]),
    "frame": ("frames/00001.png", lambda odd: ["segment", "frames", "--masks", "grey.png"]),
    "masks": ("masks/00001.png", lambda odd: ["segment", "frames", "--masks", "masks"]),
    "coco": ("coco.json", lambda odd: ["segment", "clip.mp4", "--masks", odd]),
}


@pytest.mark.parametrize("kind", KINDS)
@fuzzed(5)
def test_segment_on_damaged_files(rng, kind, valid, place, run):
    made_anew(place, valid)
    name, command = KINDS[kind]
    Path(name).write_bytes(damaged(Path(name).read_bytes(), rng, Path("grey.png").read_bytes()))
    ended = run(*command(name), "--out", "out", *SMALL)
    if Path("out").exists():
        whole(Path("out"))
    if ended.code == 0:
        assert len(list(Path("out/masks").glob("*.png"))) >= 1


@fuzzed(3)
def test_convert_and_evaluate_on_damaged_files(rng, valid, place, run):
    made_anew(place, valid)
    Path("old.pth").write_bytes(damaged(Path("old.pth").read_bytes(), rng))
    run("convert", "stm", "old.pth", "new.safetensors")
    for path in (Path("DAVIS/Annotations/480p/box/00001.png"), Path("DAVIS/ImageSets/2017/val.txt")):
        path.write_bytes(damaged(path.read_bytes(), rng))
    run("evaluate", "DAVIS", "--predictions", "DAVIS/Annotations/480p", "--out", "scores")
    run("data", "check", "DAVIS")
    whole(place / "scores")
    assert not Path("new.safetensors").exists()


OPTIONS = (
    "--short-side", "--max-side", "--memory-every", "--memory-frames", "--matched-frames", "--match-above", "--threads",
    "--reference-frames", "--backend", "--scales", "--flip", "--join", "--weights", "--feedback", "--model", "--device",
    "--alpha", "--export", "--fps", "--overwrite", "--resize-masks", "--no-overlay", "--no-json", "--preset", "--out",
    "--masks", "--project", "--post.track-loss", "--post.small-objects", "--video", "--", "--help", "-h", "-x", "---",
    "--year", "--split", "--workers", "--predictions", "--holdout", "--steps", "--start", "--sweeps", "--frames",
    "--click", "--negative", "--box", "--at", "--overlay", "--to", "--objects", "--background", "--partial",
    "--export-objects", "--export-frames", "--take", "--seconds", "--resume",
)  # fmt: skip
VALUES = (
    "0", "1", "-1", "32", "1e9", "nan", "inf", "-inf", "0.5", "", " ", "auto", "eager", "cpu", "cuda:99", "default",
    "best", "clip.mp4", "frames", "grey.png", "masks", "coco.json", "nothing", "/", ".", "..", "/dev/null", "None",
    "/proc/self/mem", "True", "\x01", "é", "\udce9", "*" * 300, "a/b/c", "rtsp://localhost:1/x", "http://localhost:1/x.mp4",
    "2016", "-", "camera:0", "all", "newest",
    "%05d.png", "old.pth", "jobs.csv", "jobs.jsonl", "DAVIS", "1,2", "[1]", "{}", "camn-mobile", "stm-r50", "-x.mp4",
    "png", "out", "coco", "over-h264", "#00ff00", "5,5", "2:9,3", "-1:5,5", "1:2,2,20,20", "m.png",
)  # fmt: skip
COMMANDS = (
    "segment", "export", "mark", "evaluate", "data check", "data split", "convert", "models", "batch", "fuse", "ablate",
    "train", "",
)  # fmt: skip
SLOW = ("auto", "best", "1e9")  # values by which a valid command works for minutes


@fuzzed(30)
def test_odd_options(rng, valid, place, run):
    made_anew(place, valid)
    command = rng.choice(COMMANDS).split()
    given = [rng.choice(VALUES) for _ in range(rng.randint(0, 3))]
    for _ in range(rng.randint(0, 4)):
        given += [rng.choice(OPTIONS), *(rng.choice(VALUES) for _ in range(rng.randint(0, 2)))]
    if command[:1] in (["segment"], ["evaluate"]) and rng.random() < 0.5:
        given = [
            "clip.mp4" if command == ["segment"] else "DAVIS",
            "--masks",
            "grey.png",
            "--out",
            "out",
            *SMALL,
            *given,
        ]
    given = [value for value in given if value not in SLOW and "\x00" not in value]
    with contextlib.suppress(KeyboardInterrupt):
        run(*command, *given)
    if Path("out").is_dir():
        whole(Path("out"))
