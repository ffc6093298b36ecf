"""The commands of README, of the start page, of the guide to the page and of docs/reference run, page by page, on a
small clip and small data sets. Those that do not are in a table that says why."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import DOCS, ROOT, blocks, commands, lines
from PIL import Image

from camn import cli
from camn.cluster.manifest import read_jobs

from .conftest import FRAMES, SIZE

GIVEN = [ROOT / "README.md", DOCS / "index.md", DOCS / "guide" / "page.md", *sorted((DOCS / "reference").glob("*.md"))]
QUICK = ("data.md", "install.md")  # pages of which nothing else runs the like

# How lines begin that are not run -> why.
NOT_RUN = {
    "make ": "sets a checkout up; `make test` runs this test, and tests/api the demo",
    "pip |python -m pip |python3 -m venv|. .venv|python -m build": "installs; tests/install makes such environments",
    "docker ": "no Docker where tests run; tests/install/test_image.py runs the Dockerfile's steps",
    "camn serve|CAMN_TOKEN|api=|json=|curl": "a server, which does not end; tests/docs/test_script_of_the_page.py",
    "ssh ": "needs another machine",
    "camn (mark|segment) (camera|rtsp|https):": "needs a camera or the network; tests/media and tests/api have both",
    "ffmpeg ": "not on every machine; tests/api/segment/test_streaming.py pipes a video",
    "export CVAT_|cvat-cli ": "needs CVAT; tests/integrations/test_cvat.py has the agent and a server",
    "camn batch s3:": "needs a storage and a cluster; tests/cluster has both",
    "camn batch .*(--gpus-per-worker 0.5|--cpus-per-worker 4)": "needs GPUs and cores; tests/cluster/test_plan.py",
    "camn batch .*--engine ray": "needs a Ray cluster; tests/cluster/test_batch_ray.py starts one",
    "ray |head=|srun |sleep |driver=|trap |wait ": "for a cluster's own machines",
    "torchrun ": "needs GPUs and the data; tests/training/test_distributed.py starts it",
    "camn train recipes/camn-": "needs the data that the recipe names, and hours; tests/training",
    "camn convert|camn segment .*--model stm": "needs a public file; tests/checkpoints/test_stm_files.py makes one",
    "python (scripts/make_hard|bench/hard)": "takes minutes; tests/scripts/test_make_hard_clips.py",
}
# Places and frames on the pages -> such as the small clip has.
SMALLER = {
    r"420,260": "80,95",
    r"\b100,80\b": "32,75",
    r"400,300": "20,20",
    r"380,200,520,340": "40,60,110,130",
    r"10,20,200,180": "10,20,60,120",
    r"--at (40|120)": "--at 2",
    r"000120": "000002",
    r"--objects 1 3": "--objects 1 2",
    r"--frames 100 199": "--frames 0 1",
}
# What keeps a command quick, where the page does not say otherwise.
QUICKER = {
    "segment": "--short-side 128",
    "batch": "--short-side 128",
    "evaluate": "--short-side 128",
    "train": "--steps 1",
    "fuse": "--clips 2 --frames 2 --gap 1 2 --size 97 --steps 1",
}


def why_not(line: str) -> str | None:
    return next((reason for start, reason in NOT_RUN.items() if re.match(start, line)), None)


def run_lines(page: Path) -> list[str]:
    """Each once, and what makes a file first: the page shows what it is for before that."""
    found = [line for line in dict.fromkeys(lines(page)) if commands(line) and not why_not(line)]
    return sorted(found, key=lambda line: not line.startswith("camn data split"))


def smaller(line: str) -> str:
    for place, there in SMALLER.items():
        line = re.sub(place, there, line)
    return line


def quicker(given: list[str]) -> list[str]:
    more = QUICKER.get(given[0], "").split()
    return [*given, *([] if more and more[0] in given else more)]


def test_each_reason_not_to_run_a_line_is_needed():
    told = [line for page in GIVEN for line in lines(page)]
    assert not [start for start in NOT_RUN if not any(re.match(start, line) for line in told)]
    assert not [place for place in SMALLER if not any(re.search(place, line) for line in told)]


def pages() -> list:
    found = [page for page in GIVEN if run_lines(page)]
    slow = [() if page.name in QUICK else (pytest.mark.slow,) for page in found]
    return [pytest.param(page, id=page.name, marks=marks) for page, marks in zip(found, slow, strict=True)]


@pytest.mark.parametrize("page", pages())
def test_the_commands_of_a_page_run(page, belongings, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    belongings(*re.findall(r"--out (\S+)", "\n".join(run_lines(page))))
    for line in run_lines(page):
        [[name, *given]] = commands(smaller(line))
        given = [str(ROOT / word) if (ROOT / word).is_file() else word for word in given]  # a script or a recipe
        if name == "python":
            subprocess.run([sys.executable, *given], check=True, stdout=subprocess.DEVNULL)
        else:
            assert name == "camn" and cli.main(quicker(given)) == 0, (line, capsys.readouterr())
            check_outputs(given)


def check_outputs(given: list[str]) -> None:
    """What a command that ended well has written."""
    if "--out" not in given:
        return
    out = Path(given[given.index("--out") + 1])
    assert out.exists(), given
    if given[0] == "segment":
        masks = sorted((out / "masks").glob("*.png"))
        assert len(masks) == FRAMES and all(Image.open(mask).size == SIZE for mask in masks), given


def test_the_manifests_of_the_pages_are_read(tmp_path):
    """Of each example its lines, also of files that are not there."""
    examples = [(kind, block) for page in GIVEN for kind in ("csv", "json") for block in blocks(page, kind)]
    found = [(kind, block) for kind, block in examples if block.startswith(("video,", '{"video"'))]
    assert len(found) >= 5
    for kind, block in found:
        path = tmp_path / ("jobs.csv" if kind == "csv" else "jobs.jsonl")
        path.write_text(block)
        assert len(read_jobs(str(path))) == len(block.splitlines()) - (kind == "csv")
