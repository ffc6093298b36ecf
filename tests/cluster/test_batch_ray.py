"""A batch on a real Ray cluster of two workers: what is killed, broken or too large costs no more than itself."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import pytest

from camn import api
from camn.cluster.batch import run_batch
from camn.cluster.options import BatchOptions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
RAY = BatchOptions(engine="ray", workers=2, cpus_per_worker=1, memory_limit=1.0)


def outputs(folder):
    """What must be the same wherever a video was done."""
    names = [*sorted(folder.glob("masks/*")), folder / "objects.csv", folder / "segments.json"]
    return {path.name: path.read_bytes() for path in names}


def test_twelve_clips(ray_cluster, tmp_path, data, make_clip, manifest, options, files, workers_of):
    rows = [make_clip("long", 150)] + [make_clip(f"v{k}", 6, 1 + k, 20 + 3 * k) for k in range(9)]
    good = [row["video"] for row in rows]
    (data / "broken.mp4").write_bytes(b"no video" * 99)
    rows.insert(3, {"video": "broken.mp4", "masks": "v1.png"})
    rows.insert(5, make_clip("huge", 6) | {"short_side": 1500, "max_side": 2250})
    jobs, out = manifest(rows), tmp_path / "out"
    kill = ["ray::WorkerProcess", "camn.cluster.worker"]  # first the actors, then the worker processes
    begun = True  # whether the attempt at the long clip is a new one

    def show(tally):
        # Which of the two workers has the long clip is not known here: both go, so a bystander is done again, too.
        nonlocal begun
        frames = dict(tally.running.values()).get("long", 0)
        if kill and frames and begun:
            for pid in workers_of(os.getpid(), kill.pop(0)):
                os.kill(pid, signal.SIGKILL)
            begun = False
        begun |= not frames

    done = run_batch(jobs, out, options, dataclasses.replace(RAY, retries=4), show=show)
    assert not kill and (done.done, done.skipped, done.stopped) == (10, 0, False)
    assert set(done.failed) == {"broken", "huge"}
    assert "broken.mp4" in done.failed["broken"] and "the limit is 1.00 GiB" in done.failed["huge"]
    for name in good:
        api.segment_video(data / name, data / f"{name}.png", tmp_path / "alone" / name, options)
        assert outputs(out / name) == outputs(tmp_path / "alone" / name)
    assert json.loads((out / "long.json").read_text())["attempts"] == 3
    assert not [path for path in out.rglob("*") if path.name.endswith(".part")]
    log = (out / "_batch" / "log.txt").read_text()
    assert "was lost" in log and "SIGKILL" in log and log.count("will be tried again") >= 2

    before = files(out)
    again = run_batch(jobs, out, options, RAY, show=lambda tally: pytest.fail("nothing was to do"))
    assert (again.done, again.skipped, set(again.failed)) == (0, 10, {"broken", "huge"}) and files(out) == before


@pytest.mark.slow  # half a minute; the same without Ray, and a lost machine with it, are tried each time
def test_a_driver_that_is_killed_loses_no_video(
    ray_cluster, tmp_path, make_clip, manifest, options, files, workers_of, wait_until
):
    rows = [make_clip("a"), make_clip("b"), make_clip("long", 150), make_clip("c")]
    out = tmp_path / "out"
    command = [sys.executable, "-m", "camn", "batch", str(manifest(rows)), "--out", str(out), "--engine", "ray"]
    command += ["--address", ray_cluster.address, "--workers", "2", "--cpus-per-worker", "1", "--no-overlay"]
    command += ["--device", "cpu", "--short-side", "32", "--threads", "1", "--backend", "eager"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: list(out.glob("*.json")))  # of a or b; the long one is not done as soon
    process.kill()
    process.wait()
    wait_until(lambda: not workers_of(os.getpid(), "camn.cluster.worker"))  # they end with who wanted them
    before = files(out)
    finished = {name.removesuffix(".json") for name in before if "/" not in name and name.endswith(".json")}
    assert finished < {"a", "b", "c", "long"} and "long" not in finished
    done = run_batch(manifest(rows), out, options, RAY)
    assert (done.done, done.skipped, done.failed) == (4 - len(finished), len(finished), {})
    after = files(out)
    assert all(after[name] == before[name] for name in before if name.split("/")[0].split(".")[0] in finished)
    assert not [name for name in after if ".part" in name] and len(list(out.glob("long/masks/*"))) == 150


def test_a_machine_that_is_lost(ray_cluster, tmp_path, make_clip, manifest, options):
    """Both work on a clip so long that the slower one begins before the other has ended; what one had is done by the
    other, or by the machine that takes its place."""
    rows, out, lost = [make_clip("one", 300), make_clip("two", 300)], tmp_path / "out", []

    def show(tally):
        if not lost and len(tally.running) == 2 and all(frames for _, frames in tally.running.values()):
            lost.append(next(iter(ray_cluster.worker_nodes)))
            ray_cluster.remove_node(lost[0], allow_graceful=False)
            ray_cluster.add_node(num_cpus=1, object_store_memory=75 << 20)

    done = run_batch(manifest(rows), out, options, RAY, show=show)
    assert lost and (done.done, done.failed) == (2, {})
    attempts = [json.loads((out / f"{name}.json").read_text())["attempts"] for name in ("one", "two")]
    assert sorted(attempts) == [1, 2] and "the machine it was on, was lost" in (out / "_batch/log.txt").read_text()
    assert all(len(list((out / name / "masks").iterdir())) == 300 for name in ("one", "two"))
