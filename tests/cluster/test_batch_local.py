"""A batch by processes of this machine: through Python and the command, with splits, URLs, signals and kills."""

import csv
import dataclasses
import io
import json
import os
import shutil
import signal
import sys

import av
import numpy as np
import pytest
from forking import Forked, run
from PIL import Image

from camn import api, cli
from camn.cluster.batch import Tally, run_batch
from camn.cluster.display import _table, describe
from camn.cluster.options import BatchOptions
from camn.errors import CamnError, CheckpointError, ConfigError, OutputError
from camn.masks import SegmentsWriter, write_palette_png

LOCAL = BatchOptions(workers=2, cpus_per_worker=1)
ONE = dataclasses.replace(LOCAL, workers=1)  # where two would show no more: each loads torch
QUICK = ["--cpus-per-worker", "1", "--device", "cpu", "--short-side", "32", "--backend", "eager", "--no-overlay"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def pictures(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def test_a_split_video_is_its_parts_joined(tmp_path, data, make_clip, make_mask, manifest, options):
    make_clip("v", 9)
    (data / "masks").mkdir()
    for index, ids in ((0, 5), (4, 5), (7, 9)):
        write_palette_png(data / "masks" / f"{index:05d}.png", make_mask(index, ids))
    row = {"video": "v", "masks": "masks", "keyframes": [0, 4, 7], "overlay": True, "alpha": ["png"]}
    lacking = {"name": "lacking", "video": "v", "masks": "masks", "keyframes": [5]}
    out = tmp_path / "out"
    done = run_batch(manifest([row, lacking]), out, options, LOCAL)
    assert (done.done, done.frames, set(done.failed)) == (1, 9 + 5, {"lacking"})  # 5: its part before that frame
    assert not list(out.glob(".v*"))
    said = done.failed["lacking"]
    assert "the part from frame 5: " in said and "that frame has no mask" in said
    table = [["frame", "name", "id"]]
    for start, stop in ((0, 4), (4, 7), (7, 9)):
        part = tmp_path / "parts" / str(start)
        part.mkdir(parents=True)
        for index in range(start, stop):
            shutil.copy(data / "v" / f"{index:05d}.png", part)
        api.segment_video(part, data / "masks" / f"{start:05d}.png", tmp_path / "alone" / str(start), options)
        alone = pictures(tmp_path / "alone" / str(start) / "masks")
        assert {name: (out / "v" / "masks" / name).read_bytes() for name in alone} == alone
        with (tmp_path / "alone" / str(start) / "objects.csv").open() as file:
            table += [[str(int(row[0]) + start), *row[1:3]] for row in list(csv.reader(file))[1:]]
    with (out / "v" / "objects.csv").open() as file:
        assert [row[:3] for row in csv.reader(file)] == table
    with SegmentsWriter(tmp_path / "segments.json") as segments:
        for index in range(9):
            segments.add(index, f"{index:05d}", np.array(Image.open(out / "v" / "masks" / f"{index:05d}.png")))
    assert (out / "v" / "segments.json").read_bytes() == (tmp_path / "segments.json").read_bytes()
    with av.open(str(out / "v" / "overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 9
    assert len(pictures(out / "v" / "alpha" / "5")) == 7 and len(pictures(out / "v" / "alpha" / "9")) == 2
    record = json.loads((out / "v" / "run.json").read_text())
    assert (record["ids"], record["frames"], record["keyframes"]) == ([5, 9], 9, [0, 4, 7]) and "span" not in record
    with pytest.raises(ConfigError, match="v: alpha prores: cannot be made of a video that is split"):
        run_batch(manifest([row | {"alpha": ["prores"]}]), out, options, LOCAL)


def test_urls_and_a_first_mask_alone(tmp_path, ftp, data, make_clip, make_mask, manifest, options, monkeypatch):
    """Manifest, inputs and outputs behind ftp://, a process of its own; nothing stays in TMPDIR, nor of parts there."""
    make_clip("v")
    (data / "m").mkdir()
    for index in (0, 3):
        write_palette_png(data / "m" / f"{index:05d}.png", make_mask(index, 5))
    split = {"name": "split", "video": "v", "masks": "m", "keyframes": [3]}
    gone = {"video": f"{ftp.url}/set/none.mp4", "masks": "v.png"}
    manifest([{"video": "v", "masks": "v.png"}, split, gone])
    shutil.copytree(data, ftp.folder / "set")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    for wanted in ((2, 0), (0, 2)):
        done = run_batch(f"{ftp.url}/set/jobs.jsonl", f"{ftp.url}/far", options, ONE)
        assert (done.done, done.skipped, set(done.failed)) == (*wanted, {"none"})
        assert "none.mp4: no such file or folder; check the URL" in done.failed["none"]
    (tmp_path / "set" / "v" / "masks").mkdir(parents=True)
    shutil.copytree(data / "v", tmp_path / "set" / "v" / "frames")
    for index in (0, 3):
        write_palette_png(tmp_path / "set" / "v" / "masks" / f"{index:05d}.png", make_mask(index, 5))
    assert run_batch(tmp_path / "set", tmp_path / "near", options, ONE).done == 1
    api.segment_video(data / "v", data / "v.png", tmp_path / "alone", options)
    for folder in (ftp.folder / "far", tmp_path / "near"):  # the mask of frame 3 is not given: it is to measure by
        assert pictures(folder / "v" / "masks") == pictures(tmp_path / "alone" / "masks")
    assert len(pictures(ftp.folder / "far" / "split" / "masks")) == 6
    assert not list((tmp_path / "tmp").iterdir()) and not list((ftp.folder / "far").glob(".*"))
    (log,) = (ftp.folder / "far" / "_batch").glob("log-*.txt")
    assert "split: done" in log.read_text()


def test_what_changed_is_done_again_and_nothing_else(tmp_path, data, make_clip, manifest, options, files):
    jobs, out = manifest([make_clip("a"), make_clip("b") | {"memory_every": 2}, make_clip("c")]), tmp_path / "out"

    def changed(by, batch=ONE):
        before = files(out)
        done = run_batch(jobs, out, by, batch)
        names = {name.split("/")[0].split(".")[0] for name, found in files(out).items() if found != before.get(name)}
        assert done.done == len(names) and done.skipped == 3 - len(names) and not done.failed
        return names

    assert changed(options) == {"a", "b", "c"}
    assert changed(dataclasses.replace(options, threads=2), dataclasses.replace(ONE, memory_limit=9)) == set()
    assert changed(dataclasses.replace(options, memory_every=3)) == {"a", "c"}  # b has its own
    later = dataclasses.replace(options, memory_every=3)
    os.utime(data / "b" / "00003.png", ns=(10**18, 10**18))
    (out / "a.json").write_text("torn")
    assert changed(later) == {"a", "b"}


def test_the_command_reports_what_failed_and_that_stands_until_its_cause_is_gone(
    tmp_path, data, make_clip, manifest, options, capsys
):
    jobs, out = manifest([make_clip("a"), {"video": "late.mp4", "masks": "a.png"}]), tmp_path / "out"
    assert cli.main(["batch", str(jobs), "--out", str(out), "--workers", "1", *QUICK]) == 2
    said, error = capsys.readouterr()
    assert "2 videos, 2 to do" in said and "1 videos done, 0 done before, 1 failed" in said
    assert "failed: late: " in error and "late.mp4: no such file" in error and "camn: 1 video failed" in error
    assert json.loads((out / "_batch" / "summary.json").read_text())["done"] == 1
    record = json.loads((out / "late.json").read_text())
    assert (record["status"], record["attempts"], record["final"]) == ("failed", 1, True)
    tried = []
    again = run_batch(jobs, out, options, ONE, show=lambda tally: tried.append(tally))
    assert not tried and set(again.failed) == {"late"}
    shutil.copytree(data / "a", data / "late.mp4")  # a folder may be called so
    assert run_batch(jobs, out, options, ONE).failed == {}


def test_what_concerns_all_videos_is_told_at_once(tmp_path, make_clip, manifest, options):
    jobs, out = manifest([make_clip("a")]), tmp_path / "out"
    with pytest.raises(CheckpointError, match="unknown model 'camn-giant'"):
        run_batch(jobs, out, dataclasses.replace(options, model="camn-giant"), LOCAL)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a file stands where a folder should"):
        run_batch(jobs, tmp_path / "file", options, LOCAL)
    nested = []
    with pytest.raises(OutputError, match="another batch is writing here"):
        run_batch(jobs, out, options, LOCAL, show=lambda tally: nested.append(run_batch(jobs, out, options, LOCAL)))
    for wrong in ({"workers": 0}, {"cpus_per_worker": 0}, {"gpus_per_worker": 2}, {"retries": -1}, {"memory_limit": 0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            BatchOptions(**wrong)
    with pytest.raises(ConfigError, match="engine ray"):
        BatchOptions(address="auto")
    with pytest.raises(CamnError, match="Ray cluster 127.0.0.1:9: nothing answers there .Connection refused"):
        run_batch(jobs, out, options, BatchOptions(engine="ray", address="127.0.0.1:9"))


@linux
def test_a_killed_driver_and_a_stopped_one(tmp_path, make_clip, manifest, files, workers_of, wait_until):
    """As a user does it: the command is killed, started again, stopped by SIGTERM, and started again."""
    rows = [make_clip("a"), make_clip("b"), make_clip("long", 150), make_clip("c")]
    out, jobs = tmp_path / "out", manifest(rows)
    command = [sys.executable, "-m", "camn", "batch", str(jobs), "--out", str(out), "--workers", "1", *QUICK]

    (tmp_path / "tmp").mkdir()
    process = Forked(command, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")})
    wait_until(lambda: len(list(out.glob("*.json"))) == 2)
    workers = workers_of(process.pid, "camn.cluster.worker")
    process.kill()
    process.communicate()
    assert workers
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))
    before = files(out)
    assert not list((tmp_path / "tmp").glob("camn-worker-*"))

    # What the killed driver left of "long" is no sign that the new one is at work: it goes when that begins.
    left = set(out.glob(".long.part/*/masks"))
    process = Forked(command)
    wait_until(lambda: any(len(list(p.glob("*.png"))) > 3 for p in set(out.glob(".long.part/*/masks")) - left))
    process.send_signal(signal.SIGTERM)
    said, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "2 done before" in said and "stopped" in error and "Traceback" not in error
    finished = {name: found for name, found in before.items() if not name.startswith((".", "long"))}
    assert files(out) == finished  # no more, no less

    done = run(command)
    assert done.returncode == 0 and "2 videos done, 2 done before, 0 failed" in done.stdout, done.stderr
    assert len(pictures(out / "long" / "masks")) == 150


def test_the_table():
    from rich.console import Console

    tally = Tally(total=300, skipped=3, done=11, frames=600, ended=12, running={1: ("[v]", 30), 0: ("w", 6)})
    tally.started -= 120
    tally.failed["x"] = "worker died"
    said = describe(tally)
    assert said.startswith("11 of 300 done, 2 running, 1 failed, 0.10 videos/s, 5.30 frames/s, 0:48:00 left")
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(_table(tally))
    shown = console.export_text()
    assert "[v]" in shown and "x: worker died" in shown and shown.index(" w ") < shown.index("[v]")
