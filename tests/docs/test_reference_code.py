"""The Python of README and of docs/reference: blocks run as they stand there, and all calls name what there is."""

import ast
import importlib
import inspect
import shutil
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from documents import DOCS, PAGES, ROOT, blocks, spans

import camn
from camn import api
from camn.api.own_process import keep_freed_memory
from camn.config import InferenceConfig, PostProcess
from camn.inference import Segmenter

from .belongings import WEIGHTS
from .conftest import there

REFERENCE = [ROOT / "README.md", *sorted((DOCS / "reference").glob("*.md"))]


@pytest.fixture
def names(small) -> dict[str, Any]:
    """What the pages speak of by these names."""
    results = list(following := camn.follow(*api.demo_files()))
    segmenter, result = following.segmenter, results[-1]
    found = {name: value for name, value in locals().items() if name != "small"}
    more = (camn, camn.segment_video, keep_freed_memory, InferenceConfig, PostProcess, Segmenter, segmenter.start)
    found |= {"frame": result.frame, "marker": camn.load_marker(segmenter=segmenter)}
    return found | {value.__name__: value for value in more}


@pytest.mark.slow
def test_all_code_of_the_pages_runs(names, capsys):
    shutil.copy(WEIGHTS, "mine.safetensors")
    found = [block for page in REFERENCE for block in blocks(page, "python")]
    for block in filter(there, found):
        exec(compile(block.replace("at=40", "at=1"), "a page", "exec"), names)
    assert len(found) >= 7 and Path("mask-overlay.png").exists()
    assert capsys.readouterr().out.splitlines()[1].startswith("1 (720, 1280) {1: 0.9")
    assert [entry["image_id"] for entry in names["entries"]] == [0, 0, 1, 1]


def test_all_that_the_pages_name_is_there(names):
    """Attributes and arguments, in sentences and in blocks, also of packages that are not installed here."""
    checked = 0
    for page in PAGES:
        for code in (*blocks(page, "python"), *spans(page)):
            try:
                tree = ast.parse(code)
            except SyntaxError:  # most of the spans are none of Python
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute | ast.Call) and (thing := resolved(node, names)) is not None:
                    checked += 1
                    if isinstance(node, ast.Call):
                        given = {keyword.arg for keyword in node.keywords}
                        assert given <= arguments(thing), (page, code)
    assert checked > 100


def resolved(node: ast.AST, names: dict[str, Any]) -> Any:
    """What a name, an attribute or the function of a call stands for; None where that is not ours."""
    match node:
        case ast.Name(id=name):
            return names.get(name)
        case ast.Call(func=function):
            return resolved(function, names)
        case ast.Attribute(value=value, attr=name) if not isinstance(value, ast.Call):
            owner = resolved(value, names)
            return None if owner is None else member(owner, name)
    return None


def member(owner: Any, name: str) -> Any:
    if isinstance(owner, ModuleType) and not hasattr(owner, name):
        return importlib.import_module(f"{owner.__name__}.{name}")
    if isinstance(inspect.getattr_static(type(owner), name, None), property):
        return None  # what it gives may not be there yet
    return getattr(owner, name)


def arguments(function: Any) -> set[str | None]:
    """Names that may be given, also where they are handed on as `**options`."""
    taken = inspect.signature(function).parameters.values()
    found: set[str | None] = {each.name for each in taken}
    if any(each.kind is each.VAR_KEYWORD for each in taken):
        found |= {field.name for field in fields(api.SegmentOptions)}
    return found
