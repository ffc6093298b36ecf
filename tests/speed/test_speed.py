"""A benchmark's plan, figures, targets, tables and plot, on made measurements."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camn.errors import ConfigError
from camn.speed.clock import REST, STAGES, StageClock
from camn.speed.discs import moving_discs
from camn.speed.measurement import Measurement
from camn.speed.plan import SWEEPS, Plan, Point, width_of
from camn.speed.plot import draw
from camn.speed.process import cpu_of_others
from camn.speed.results import Results
from camn.speed.tables import report
from camn.speed.targets import findings

ABOUT = {"seen": 2, "work": (481, 849), "weights": "shipped", "sha256": "", "backend": "eager"}
MACHINE = {"cpu": "a <CPU>", "cores": 2, "memory": 8e9, "system": "x", "torch": "2", "python": "3", "camn": "0"}


def stages(whole: float) -> dict[str, float]:
    """Half of it to matching, the rest to no stage."""
    return dict.fromkeys(STAGES, 0.0) | {"match": whole / 2, REST: whole / 2}


def measured(seconds, peaks=None, fills=0, **about) -> Measurement:
    peaks = peaks or [10**9] * len(seconds)
    return Measurement.of(seconds, [stages(s) for s in seconds], peaks, fills, **(ABOUT | about))


def results(plan: Plan, found: dict[Point, Measurement], **more) -> Results:
    machine = MACHINE | {"date": "today"}
    return Results(plan, machine, {"device": "cpu", "threads": 2}, "Made.", found, **more)


# --- the plan --------------------------------------------------------------------------------------------------------


def test_each_point_differs_from_the_base_in_one_thing():
    base = Point(frames=40)
    plan = Plan(base, (1, 2, 10), (240, 480, 1080), (100, 40), ("camn-mobile", "stm-r50"), ("eager", "onnx"))
    points = plan.points()
    assert points[0] == base and len(set(points)) == len(points) == 1 + 2 + 2 + 1 + 1 + 1 + 1
    assert [p.objects for p in plan.along("objects", points)] == [1, 2, 10]
    sides = [(p.side, p.width, p.work) for p in plan.along("sides", points)]
    assert sides == [(240, 427, 240), (480, 854, 480), (1080, 1920, 480), (1080, 1920, 1080)]
    assert [p.frames for p in plan.along("lengths", points)] == [40, 100]
    assert [p.model for p in plan.along("models", points)] == ["camn-mobile", "stm-r50"]
    assert [p.backend for p in plan.along("backends", points)] == ["eager", "onnx"]
    assert sum(len(plan.along(sweep, points)) - 1 for sweep in SWEEPS) == len(points) - 1


def test_a_video_is_worked_on_at_sizes():
    base = Point(side=720, width=1280)
    points = Plan(base, sides=(240, 720), made=False).points()
    assert [(p.side, p.width, p.work) for p in points] == [(720, 1280, 480), (720, 1280, 240), (720, 1280, 720)]


@pytest.mark.parametrize("wrong", [{"objects": 0}, {"objects": 256}, {"side": 31}, {"work": 0}, {"frames": 0}])
def test_points_that_cannot_be(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Point(**wrong)


@given(st.sampled_from([1, 2, 5, 10, 20]), st.sampled_from([64, 240, 480]), st.integers(1, 40))
def test_every_disc_can_be_seen_on_every_frame(objects, side, count):
    *_, (frame, mask) = moving_discs(count, side, width_of(side), objects)
    assert frame.shape == (side, width_of(side), 3) and frame.dtype == np.uint8
    assert set(np.unique(mask)) == set(range(objects + 1))


# --- figures ---------------------------------------------------------------------------------------------------------


def test_the_clock_gives_each_stage_its_time_and_the_rest_to_none():
    waits = []
    clock = StageClock(lambda: waits.append(1))
    with clock("match"):
        pass
    with clock("match"):
        pass
    taken = clock.take(1.0)
    assert list(taken) == [*STAGES, REST] and len(waits) == 4
    assert taken["match"] > 0 and sum(taken.values()) == pytest.approx(1.0)
    assert clock.take(0.0) == dict.fromkeys((*STAGES, REST), 0.0)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=200), st.integers(0, 300))
def test_figures_are_of_the_frames_after_the_memory_is_full(seconds, fills):
    found = measured(seconds, list(range(1, len(seconds) + 1)), fills)
    counted = seconds[min(fills, len(seconds) // 2) :]
    assert found.settled == len(seconds) - len(counted) and found.peak == len(seconds)
    assert found.seconds == np.median(counted) and found.frames_per_second == pytest.approx(1 / np.median(counted))
    assert sum(found.stages.values()) == pytest.approx(found.mean) and found.mean == pytest.approx(np.mean(counted))
    assert found.parts[0].first == found.settled and found.parts[-1].last == len(seconds) - 1
    for part, following in zip(found.parts, found.parts[1:]):
        assert following.first == part.last + 1
    for part in found.parts:
        assert part.seconds == np.median(seconds[part.first : part.last + 1]) and part.peak == part.last + 1
    assert Measurement.from_dict(json.loads(json.dumps(found.to_dict()))) == found


# --- targets ---------------------------------------------------------------------------------------------------------


def verdicts(found: Results) -> dict[str, bool]:
    return {finding.what: finding.met for finding in findings(found)}


@pytest.mark.parametrize(
    "seconds, peaks, flat",
    [
        ([0.3] * 200, [10**9] * 200, (True, True)),
        (list(np.linspace(0.3, 0.5, 200)), [10**9] * 200, (False, True)),
        ([0.3] * 200, [10**9 + 10**6 * k for k in range(200)], (True, False)),
    ],
)
def test_a_run_that_grows_with_its_length_is_found_out(seconds, peaks, flat):
    base = Point()
    found = verdicts(results(Plan(base, lengths=(200,)), {replace(base, frames=200): measured(seconds, peaks, 20)}))
    assert [met for what, met in found.items() if "last part" in what] == list(flat)
    short = results(Plan(base), {base: measured(seconds[:20], peaks[:20])})
    assert not [what for what in verdicts(short) if "last part" in what]  # too few frames to tell


def test_targets():
    base = Point()
    plan = Plan(base, (1, 10), (1080,), backends=("onnx",), models=("cfbi-plus-r101",))
    seconds = {base: 0.36, replace(base, objects=1): 0.2, replace(base, objects=10): 0.61}
    found = {point: measured([value] * 4) for point, value in seconds.items()}
    found[replace(base, backend="onnx")] = measured([0.2] * 4, backend="onnx")
    found[replace(base, side=1080, width=1920, work=1080)] = measured([1.0] * 4, [4 * 10**9] * 4)
    found[replace(base, side=1080, width=1920)] = measured([1.0] * 4, [10**9] * 4)
    found[replace(base, model="cfbi-plus-r101")] = measured([2.0] * 4, [2 * 10**9] * 4)
    made = results(plan, found, done=True)
    assert list(verdicts(made).values()) == [False, True, False, False, True, True, False]
    assert "10 objects by that of 1: 3.05 x, target at most 3 x: missed" in str(findings(made)[2])
    assert not findings(replace(made, settings={"device": "cuda", "threads": 2}))
    assert not findings(replace(made, plan=replace(plan, made=False)))


# --- tables and plot -------------------------------------------------------------------------------------------------


def test_the_report_and_the_plot_hold_every_figure():
    base = Point()
    plan = Plan(base, (1, 10), (240, 1080), (50,), ("a<b>.safetensors",), ("onnx",))
    found = {point: measured(list(0.1 + 0.01 * k + np.zeros(point.frames))) for k, point in enumerate(plan.points())}
    failed = found.popitem()[0]
    made = results(plan, found, failed={failed: "no room"}, done=True)
    text = report(made)
    for sweep in ("objects", "frame size", "model", "backend"):
        assert f"## By {sweep}" in text
    for point, value in found.items():
        assert f"{value.seconds:.3f}" in text, point
    assert "Measure again" not in text and "had of its cores, at " + str(Point()) + ": 30%" in report(
        replace(made, measured={Point(): replace(found[Point()], others=0.3)})
    )
    assert "no room" in text and "a<b>.safetensors" in text
    root = ElementTree.fromstring(draw(made))
    space = {"svg": "http://www.w3.org/2000/svg"}
    assert len(root.findall(".//svg:polyline", space)) == 2 + 4 + 2  # sides twice: at 480, too
    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title == "10: 0.120" for title in titles) and sum(t.startswith("match") for t in titles) == len(found)
    document = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert document["status"] == "done" and len(document["points"]) == len(found)


def test_nothing_measured_yet_can_be_shown():
    made = results(Plan(Point()), {})
    ElementTree.fromstring(draw(made))
    assert re.search("Not all points", report(made)) and made.to_dict()["status"] == "running"


@pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="what others use is read from /proc/stat")
def test_what_other_programs_use_is_seen():
    before = cpu_of_others()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    assert cpu_of_others() - before > 0.3
