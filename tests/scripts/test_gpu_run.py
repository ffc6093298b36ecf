"""scripts/gpu_run.py where `av` and `tyro` are missing, as on the machines it is made for, and what it writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import gpu_parts as parts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camn import weights

ROOT = Path(__file__).resolve().parents[2]
MOST = 16 << 20  # bytes of a file that can be brought back


@pytest.fixture
def run(tmp_path):
    """The script in a process for which, as for its children, some packages are not there -> (exit code, report)."""
    for package in ("av", "tyro", "pycocotools"):
        (tmp_path / "missing" / package).mkdir(parents=True)
        (tmp_path / "missing" / package / "__init__.py").write_text("raise ImportError('not on this machine')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "missing")}

    def call(out, *options):
        command = [sys.executable, str(ROOT / "scripts/gpu_run.py"), "--out", str(out), *map(str, options)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (out / "report.json").exists(), done.stderr
        return done.returncode, json.loads((out / "report.json").read_text())

    return call


def test_it_trains_and_goes_on(run, tmp_path):
    code, report = run(tmp_path / "one", "--rehearse", "--only", "train")
    train = report["steps"]["train"]
    assert code == 0 and train["state"] == "done" and (train["first"], train["step"]) == (0, 2), report
    files = {file.name: file for file in (tmp_path / "one").iterdir()}
    assert len(files) <= 8 and all(file.stat().st_size <= MOST for file in files.values())
    assert set(train["checkpoint"]) < set(files) and len((files["log.jsonl"]).read_text().splitlines()) == 2
    assert weights.read(files["ema.safetensors"]).notes["step"] == 2
    assert weights.read(files["raw.safetensors"]).sha256 != weights.read(files["ema.safetensors"]).sha256
    code, report = run(tmp_path / "two", "--rehearse", "--only", "train", "--resume", tmp_path / "one")
    assert code == 0 and report["steps"]["resume"]["step"] == 2 and report["steps"]["train"]["first"] == 2, report
    assert report["steps"]["train"]["checkpoint"] == train["checkpoint"]


def test_each_start_has_a_run_of_its_own(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    assert len({parts.run_name(start) for start in (None, tmp_path / "a", tmp_path / "b")}) == 3
    assert parts.bring(None, None, tmp_path / "run") == {"from": None}


def test_a_step_that_fails_is_told_and_the_next_one_tried(run, tmp_path):
    options = ["--rehearse", "--only", "train", "--pack", tmp_path / "none.tar.gz", "--resume", tmp_path]
    code, report = run(tmp_path / "out", *options)
    steps = report["steps"]
    assert code == 1 and [steps[name]["state"] for name in ("unpack", "resume", "train")] == ["failed"] * 3
    assert "none.tar.gz" in steps["unpack"]["error"] and "holds no checkpoint" in steps["resume"]["error"]


@pytest.mark.slow
def test_all_of_it(run, tmp_path):
    code, report = run(tmp_path / "out", "--rehearse", "--minutes", 20)
    assert code == 0, report
    assert "5 passed" in report["steps"]["tests"]["output"]
    assert [figure["objects"] for figure in report["steps"]["measure"]["figures"]] == [2, 1]
    command = [sys.executable, "tests/cuda/checks.py", "cpu", "waiting-1"]  # without pytest
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "passed waiting-10" in done.stdout


@given(content=st.binary(max_size=60), size=st.integers(1, 20), before=st.binary(max_size=20))
@settings(max_examples=25)
def test_parts_are_the_file(tmp_path_factory, content, size, before):
    out = tmp_path_factory.mktemp("out")
    (out / "file").write_bytes(before)
    parts.split(out / "file", out, size)
    (out / "file").write_bytes(content)
    names = parts.split(out / "file", out, size)
    assert sorted(path.name for path in out.glob("last.*")) == sorted(names)
    assert all((out / name).stat().st_size <= size for name in names)
    assert parts.join(out) == content


def test_parts_that_are_missing_or_damaged_are_no_file(tmp_path):
    assert parts.join(tmp_path) is None and parts.bring(None, tmp_path, tmp_path / "run") == {"from": None}
    (tmp_path / "file").write_bytes(b"0123456789")
    names = parts.split(tmp_path / "file", tmp_path, 4)
    (tmp_path / names[1]).write_bytes(b"xxxx")
    assert parts.join(tmp_path) is None
    (tmp_path / names[1]).unlink()
    with pytest.raises(ValueError, match="missing or damaged; fetch them all"):
        parts.bring(None, tmp_path, tmp_path / "run")
