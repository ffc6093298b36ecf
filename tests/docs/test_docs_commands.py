"""The commands of README and documentation: each is understood; those of the guide run, in order, on a small clip."""

import re
import shutil
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from documents import DOCS, PAGES, ROOT, blocks, commands, lines, spans
from PIL import Image

from camn import cli

from .conftest import FRAMES, SIZE

OTHERS = {"--gpus", "--index-url", "--org", "--part", "--slow", "--user"}  # options of docker, pip, cvat-cli and others
SHORTER = {"40": "2", "masks/000040.png": "masks/000002.png", "99": "2"}  # frames of the guide, in so short a clip


@cache  # the same command stands on several pages
def understood(*arguments: str) -> bool:
    try:
        cli.command_of(arguments)
    except SystemExit as stop:
        return stop.code == 0
    return True


def options(kind: Any) -> set[str]:
    """Of a command's class, and of the commands and options that it holds."""
    found = {"--help"}
    for name, hint in get_type_hints(kind).items():
        if held := [inner for inner in (hint, *get_args(hint)) if is_dataclass(inner)]:
            found = found.union(*map(options, held))
        else:
            word = name.replace("_", "-")
            found |= {f"--{word}", f"--no-{word}"}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_is_understood(page):
    for line in lines(page):
        for name, *arguments in commands(line):
            if name == "camn":
                assert understood(*arguments), line
            elif name == "python" and not arguments[0].startswith("-"):
                assert (ROOT / arguments[0]).is_file() or arguments[0].startswith("../"), line


def test_each_option_in_a_sentence_is_there():
    known = set.union(*map(options, cli._KINDS), OTHERS)
    for path in (*ROOT.glob("scripts/*.py"), *ROOT.glob("bench/*.py")):
        known |= set(re.findall(r'"(--[a-z-]+)"', path.read_text()))
    told = [(page, span.split()[0]) for page in PAGES for span in spans(page) if span.startswith("--")]
    assert len(told) > 200
    assert not [(str(page), option) for page, option in told if option not in known]


def test_each_command_in_a_sentence_has_the_options_that_it_is_given():
    known = {kind.__name__.lower(): options(kind) for kind in cli._KINDS}
    told = [(page, span.split()) for page in PAGES for span in spans(page) if re.match(r"camn \w", span)]
    assert len(told) > 100
    for page, [_, command, *words] in told:
        assert {word for word in words if word.startswith("--")} <= known[command], (page, command, words)


def test_the_guide_of_the_command_line_is_gone_through(clip, tmp_path, monkeypatch, capsys):
    """Every command of it but the demo, which `make demo` and its own test run."""
    monkeypatch.chdir(tmp_path)
    page = DOCS / "guide" / "command-line.md"
    for name in ("clip.mp4", "other.mp4"):
        shutil.copy(clip, name)
    [manifest] = blocks(page, "csv")
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
