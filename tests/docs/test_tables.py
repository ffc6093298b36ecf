"""Tables of options, keys and files in docs/reference say what the code has."""

import dataclasses
import re
import tomllib

import pytest
from documents import DOCS, ROOT, rows

from camn.api import SegmentOptions
from camn.clips.dataset import ClipOptions
from camn.clips.options import CHANCES
from camn.config import PostProcess
from camn.training.clicking import ClickPlan
from camn.training.recipe import Recipe

REFERENCE = DOCS / "reference"


def defaults(kind: type) -> dict[str, object]:
    return {field.name: field.default for field in dataclasses.fields(kind)}


def names(cell: str) -> list[str]:
    """`a`, `b` -> a, b."""
    return [name.removeprefix("--").replace("-", "_") for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize(
    "page, kind, count", [("postprocessing.md", PostProcess, 21), ("network.md", SegmentOptions, 5)]
)
def test_defaults_of_options(page, kind, count):
    known = defaults(kind)
    found = rows(REFERENCE / page, "option", "default")
    assert len(found) == count
    for option, default, *_ in found:
        [name] = names(option)
        if known[name] is not None:  # else the network's own number
            assert float(default) == known[name], name


def test_keys_of_recipes():
    """Their defaults, too, where those are one number each."""
    known = {**defaults(Recipe), **defaults(ClickPlan)}
    told: set[str] = set()
    for keys, default, *_ in rows(REFERENCE / "training.md", "key", "default"):
        told |= set(names(keys))
        values = default.split(", ")
        if all(re.fullmatch(r"[\d.e-]+", value) for value in values):
            for key, value in zip(names(keys), values, strict=True):
                assert float(value) == known[key], key
    assert told >= known.keys() - {"name", "stage", "clips", "clicks"}
    assert not {key for key in told if not key.startswith("[")} - known.keys()


def test_options_of_clips():
    found = {name for option, *_ in rows(REFERENCE / "data.md", "option", "what it does") for name in names(option)}
    told_elsewhere = {"frames", "gap", "video_share"}
    assert found == defaults(ClipOptions).keys() - told_elsewhere
    text = (REFERENCE / "data.md").read_text()
    assert all(f"`{name}`" in text for name in (*told_elsewhere - {"video_share"}, *CHANCES))


def test_extras_and_recipes_are_those_that_there_are():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for extra, *_ in rows(REFERENCE / "install.md", "extra") for name in names(extra)]
    assert set(extras) == project["optional-dependencies"].keys() - {"dev", "docs"}
    told = " ".join(file for file, *_ in rows(REFERENCE / "training.md", "file", "what for"))
    files = re.findall(r"`(\w[\w.-]*\.toml)`", told)
    assert len(files) >= 10 and all((ROOT / "recipes" / name).is_file() for name in files)
