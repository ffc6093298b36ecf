"""camn benchmark as a real command, and the guide that keeps objects where they are."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from forking import run

from camn import api
from camn.api.benchmark.point import Guide, Order, measure
from camn.api.models.assemble import segmenter_of
from camn.config import InferenceConfig
from camn.errors import CamnError, CheckpointError, ConfigError
from camn.inference import resolve_device
from camn.masks import write_palette_png
from camn.speed.clock import REST, STAGES
from camn.speed.discs import moving_discs
from camn.speed.plan import Point
from camn.weights import read

SMALL = ["--side", "64", "--frames", "4", "--threads", "1", "--device", "cpu"]
COMMAND = [sys.executable, "-m", "camn", "benchmark"]


def test_the_command_measures_each_point_and_says_so(tmp_path):
    sweeps = ["--objects", "1", "--sides", "32", "--lengths", "9", "--models", "camn-mobile", "cfbi-mobilenetv2"]
    sweeps += ["--backends", "eager"]
    done = run([*COMMAND, "--out", "out", *SMALL, *sweeps], cwd=tmp_path)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "benchmark: 6/6 points" in done.stderr and done.stdout.count("s/frame (90%") == 6
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == ["benchmark.json", "benchmark.md", "benchmark.svg"]
    document = json.loads((out / "benchmark.json").read_text())
    assert document["status"] == "done" and not document["failed"] and document["settings"]["threads"] == 1
    assert {"cpu", "cores", "memory", "torch", "camn", "date"} <= document["machine"].keys()
    points = document["points"]
    assert [(p["objects"], p["side"], p["work"], p["frames"]) for p in points] == [
        *[(2, 64, 64, 4), (1, 64, 64, 4), (2, 32, 32, 4), (2, 32, 64, 4), (2, 64, 64, 4), (2, 64, 64, 9)]
    ]
    for point in points:
        found = point["measured"]
        assert list(found["stages"]) == [*STAGES, REST]
        assert sum(found["stages"].values()) == pytest.approx(found["mean"], rel=0.02)
        assert 0 < found["seconds"] <= found["p90"] and found["seen"] == point["objects"]
        assert 0 <= found["others"] <= 1
        assert found["peak"] > 50 * 2**20 and found["peak"] == found["parts"][-1]["peak"]
    assert [p["measured"]["weights"] for p in points] == ["shipped"] * 4 + ["random", "shipped"]
    assert points[0]["measured"]["sha256"] and not points[4]["measured"]["sha256"]
    assert "cfbi-mobilenetv2 (random weights)" in (out / "benchmark.md").read_text()
    ElementTree.parse(out / "benchmark.svg")


def test_ctrl_c_keeps_what_was_measured(tmp_path):
    arguments = [*SMALL, "--sweeps", "lengths", "--lengths", "100000"]
    process = subprocess.Popen(
        [*COMMAND, "--out", "out", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in what a shell runs beside itself
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    measuring = _measuring(process.pid)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "4 frames: " in said and process.returncode == 130 and "stopped" in errors and "Traceback" not in errors
    document = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert document["status"] == "running" and [point["frames"] for point in document["points"]] == [4]
    assert "Not all points were measured." in (tmp_path / "out" / "benchmark.md").read_text()
    assert measuring
    for _ in range(600):  # just started, it ends when it finds nobody listening; and its end is noted by process 1
        if not Path(f"/proc/{measuring}").exists():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the measuring process goes on")


def _measuring(parent: int) -> int:
    """The process that measures the next point; waits for it."""
    for _ in range(200):
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.05)
    return 0


def test_a_video_of_the_users(tmp_path):
    frames = list(moving_discs(7, 64, 96, 3))
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuvj420p"
        for image, _ in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuvj420p")))
        container.mux(stream.encode(None))
    write_palette_png(tmp_path / "first.png", frames[0][1])
    where = {"video": tmp_path / "clip.mp4", "mask": tmp_path / "first.png", "device": "cpu", "threads": 1}
    done = api.benchmark(tmp_path / "out", sweeps=["sides"], sides=[32], side=64, **where)
    (base, found), (smaller, _) = done.results.measured.items()
    assert (base.objects, base.side, base.width, base.work, base.frames) == (3, 64, 96, 64, 6) and smaller.work == 32
    assert found.seen <= 3 and not done.findings and str(tmp_path / "clip.mp4") in done.files[1].read_text()


def test_what_cannot_be_measured(tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.safetensors"):
        api.benchmark(tmp_path / "out", models=["absent.safetensors"])
    with pytest.raises(ConfigError, match="abacus"):
        api.benchmark(tmp_path / "out", backends=["abacus"])
    with pytest.raises(ConfigError, match="give both"):
        api.benchmark(tmp_path / "out", video="clip.mp4")
    assert not (tmp_path / "out").exists()
    (tmp_path / "broken.safetensors").write_bytes(b"none")
    said = []
    with pytest.raises(CamnError, match="no point could be measured: .*broken"):
        broken = str(tmp_path / "broken.safetensors")
        api.benchmark(tmp_path / "out", models=[broken], sweeps=["models"], device="cpu", notice=said.append)
    assert "not measured" in said[0] and "broken" in (tmp_path / "out" / "benchmark.md").read_text()


def test_the_guide_computes_everything_and_answers_what_it_is_shown():
    segmenter = segmenter_of(read("camn-mobile"), resolve_device("cpu"), InferenceConfig(short_side=64))
    decoded, decode = [], segmenter.network.decode
    segmenter.network.decode = lambda frames: decoded.append(frames) or decode(frames)  # type: ignore[method-assign]
    guide = Guide(segmenter)
    (first, mask), *later = moving_discs(5, 64, 96, 3)
    segmenter.start(first, mask * 7)  # ids are not channels
    for image, true in later:
        guide.show(true * 7)
        ids = segmenter.step(image).ids
        assert np.mean(ids == true * 7) > 0.9  # at the logits' size, so edges may differ
        assert set(np.unique(ids)) == {0, 7, 14, 21}
    assert len(decoded) == 4


def test_a_job_goes_through_json_and_its_measurement_is_of_this_process():
    order = Order(Point(side=64, width=114, work=64, frames=3), "cpu", None)
    assert Order.from_json(order.to_json()) == order
    counted = []
    found = measure(order, counted.append)
    assert counted == [1, 2, 3] and found.seen == 2 and found.backend == "eager"
