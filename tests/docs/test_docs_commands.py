"""The commands of README and documentation: each is understood; those of the guide run, in order, on a small clip."""

import re
import shlex
import shutil
from itertools import islice
from pathlib import Path

import av
import pytest
from PIL import Image

from camn import api, cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SIZE, FIRST, FRAMES = (160, 136), 48, 3  # of a clip in which the rabbit of the demo stands
SHORTER = {"40": "2", "masks/000040.png": "masks/000002.png", "99": "2"}  # frames of the guide, in so short a clip


def lines(page: Path) -> list[str]:
    """Of all blocks of shell commands, continued ones joined."""
    found = re.findall(r"^ *```(?:sh|bash|shell)\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S)
    return [line for block in found for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def commands(line: str) -> list[list[str]]:
    """What a line starts: each part of a pipe, without comments, redirections and settings of the environment."""
    parts: list[list[str]] = [[]]
    for word in shlex.split(line, comments=True):
        parts.append([]) if word in ("|", "&&", "&", ";") else parts[-1].append(word)
    told = [[word for word in part if not re.match(r"[A-Z_]+=", word)] for part in parts]
    return [part[: part.index(">")] if ">" in part else part for part in told if part]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_is_understood(page):
    for line in lines(page):
        for name, *arguments in commands(line):
            if name == "camn":
                try:
                    cli.command_of(arguments)
                except SystemExit as stop:
                    assert stop.code == 0, line
            elif name == "python" and not arguments[0].startswith("-"):
                assert (ROOT / arguments[0]).is_file() or arguments[0].startswith("../"), line


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(api.demo_files()[0])) as source, av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for frame in islice(source.decode(video=0), FIRST, FIRST + FRAMES):
            picture = frame.reformat(240, 136).to_ndarray(format="rgb24")[:, : SIZE[0]]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def test_the_guide_of_the_command_line_is_gone_through(clip, tmp_path, monkeypatch, capsys):
    """Every command of it but the demo, which `make demo` and its own test run."""
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "guide" / "command-line.md"
    for name in ("clip.mp4", "other.mp4"):
        shutil.copy(clip, name)
    [manifest] = re.findall(r"```csv\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    Path("jobs.csv").write_text(manifest)
    for line in lines(page):
        [[name, *given]] = commands(line)
        arguments = [SHORTER.get(word, word) for word in given]
        if given[0] in ("segment", "batch") and "--short-side" not in given:
            arguments += ["--short-side", "128"]  # quick, and else as it stands there
        if name == "mkdir":
            Path(arguments[0]).mkdir()
        elif arguments != ["demo"]:
            assert name == "camn" and cli.main(arguments) == 0, (line, capsys.readouterr())
        if Path("first.png").exists() and not Path("other.png").exists():
            shutil.copy("first.png", "other.png")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert {"first-overlay.png", "out/matte.mp4", "out2/overlay.mp4", "out3/run.json"} <= found, sorted(found)
    for run in ("out", "out2", "out3", "quick", "best", "results/clip", "results/other"):
        masks = sorted((tmp_path / run / "masks").glob("*.png"))
        assert len(masks) == FRAMES and all(Image.open(mask).size == SIZE for mask in masks), run
