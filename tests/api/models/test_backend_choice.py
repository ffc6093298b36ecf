"""The backend as users choose it: the record says what ran, `auto` says what it chose, workers agree."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from camn import api, cli
from camn.masks import write_palette_png

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

SIZE = (48, 64)
QUICK = ["--short-side", "32", "--threads", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CAMN_BACKEND", raising=False)


@pytest.fixture
def clips(tmp_path):
    """Two clips of three frames with masks."""
    for name in ("one", "two"):
        for index in range(3):
            ids = np.zeros(SIZE, np.uint8)
            ids[8 + index : 32, 6:40] = 5
            for folder in ("JPEGImages", "Annotations"):
                (tmp_path / "clips" / folder / name).mkdir(parents=True, exist_ok=True)
            image = np.stack([40 * ids, 200 - 30 * ids, 90 + ids], -1)
            Image.fromarray(image).save(tmp_path / "clips" / "JPEGImages" / name / f"{index:05d}.png")
            write_palette_png(tmp_path / "clips" / "Annotations" / name / f"{index:05d}.png", ids)
    return tmp_path / "clips"


def parts(out) -> dict[str, str]:
    found = json.loads((out / "run.json").read_text())["backend"]
    return {part["part"]: part["backend"] for part in found["parts"]}


def test_segment(clips, tmp_path, capsys):
    frames, mask = clips / "JPEGImages" / "one", clips / "Annotations" / "one" / "00000.png"
    said = {}
    for backend in ("eager", "onnx", "auto"):
        given = [] if backend == "auto" else ["--backend", backend]  # what is done if nothing is said
        out = tmp_path / backend
        command = ["segment", str(frames), "--masks", str(mask), "--out", str(out), "--no-overlay", *QUICK, *given]
        assert cli.main(command) == 0
        said[backend] = capsys.readouterr().out
    assert parts(tmp_path / "eager") == {} and parts(tmp_path / "onnx") == {"encode": "onnx", "decode": "onnx"}
    assert parts(tmp_path / "auto").keys() == {"encode", "decode"}
    for part in ("encode", "decode"):
        measured = rf"^Measured once .*: for {part} of \d+x\d+ \w+ \(.*eager \d\.\d+ s"
        assert re.search(measured, said["auto"], re.MULTILINE)
        assert f"for {part} " not in said["eager"] + said["onnx"]


def test_figures_of_record_are_eager(clips, tmp_path, capsys):
    """No timing decides what is scored, unless `--backend` says so."""
    command = ["evaluate", str(clips), *QUICK]
    for given, wanted in (([], "eager"), (["--preset", "best"], "eager"), (["--backend", "onnx"], "onnx")):
        assert cli.main([*command, "--out", str(tmp_path / wanted), *given, "--report", str(tmp_path / "r.html")]) == 0
        scores = json.loads((tmp_path / wanted / "scores.json").read_text())
        assert scores["options"]["backend"] == wanted and wanted in scores["backend"]
        assert f"backend {wanted}" in (tmp_path / "r.html").read_text()
    found = api.evaluate(clips, device="cpu", short_side=32, threads=1, out=tmp_path / "api")
    assert found.speed.backend == json.loads((tmp_path / "api" / "scores.json").read_text())["backend"] == "eager"


def test_evaluate_with_workers(clips, tmp_path):
    """Both measure at most once between them, so both run the same."""
    found = api.evaluate(clips, workers=2, device="cpu", short_side=32, threads=2, out=tmp_path / "out", backend="auto")
    assert found.speed.backend.count("encode") == 1 and "decode" in found.speed.backend
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["backend"] == found.speed.backend and scores["options"]["backend"] == "auto"
    assert len(list((tmp_path / "cache").glob("*.json"))) == 2
