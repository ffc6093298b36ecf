"""The code of docs/guide/python.md, block after block as it stands there, on a few frames at a small size."""

import ast
import importlib.util
import re
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from camn import api
from camn.config import InferenceConfig

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def there(block: str) -> bool:
    """Whether the packages that a block imports are installed: some are those of other programs."""
    nodes = ast.walk(ast.parse(block))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return all(importlib.util.find_spec(name.partition(".")[0]) for name in names)


def shortened(clip: Path, path: Path, frames: int) -> Path:
    """The first frames of a clip, at their own size: the clicks of the page are for it."""
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mpeg4", rate=25)
        stream.height, stream.width = api.open_source(clip).size
        for frame in islice(api.open_source(clip), frames):
            made.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, "rgb24")))
        made.mux(stream.encode(None))
    return path


@pytest.fixture
def small(tmp_path, monkeypatch) -> None:
    """The shipped clip is two frames long, and the network works at a small size where nothing else is said."""
    clip, first = api.demo_files()
    short = shortened(clip, tmp_path / "clip.mp4", 2)
    monkeypatch.setattr(api, "demo_files", lambda: (short, first))
    for kind in (InferenceConfig, api.InferenceOptions, api.SegmentOptions):
        fields = kind.__dataclass_fields__.values()
        defaults = [64 if field.name == "short_side" else field.default for field in fields]
        assert kind.__init__.__defaults__ is not None and len(defaults) == len(kind.__init__.__defaults__)
        monkeypatch.setattr(kind.__init__, "__defaults__", tuple(defaults))
    monkeypatch.chdir(tmp_path)


def test_all_code_of_the_page_runs(small, capsys):
    names: dict = {}
    for block in filter(there, BLOCKS):
        exec(compile(block, str(PAGE), "exec"), names)
        if "for result in following" in block:
            assert list(names["following"].segmenter.objects) == [1]  # the other was removed on frame 1
    assert len(BLOCKS) >= 7 and capsys.readouterr().out.startswith("0 {1: 0.9")
    assert names["summary"].frames == 2 and Path("out", "masks", "000001.png").exists()
    assert set(np.unique(names["ids"])) == {0, 1, 2}
