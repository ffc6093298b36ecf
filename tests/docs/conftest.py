"""Small clips, and what the commands of the pages take to be there."""

import ast
import importlib.util
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import av
import pytest

from camn import api
from camn.config import InferenceConfig

from .belongings import fill

SIZE, FIRST, FRAMES = (160, 136), 48, 3  # of a clip in which the rabbit of the demo stands


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def belongings(clip, tmp_path_factory) -> Callable[..., None]:
    """Puts what a user has into the folder that one is in: all of it, but for what is named."""
    store = tmp_path_factory.mktemp("store")
    fill(store, clip)

    def put(*but: str) -> None:
        shutil.copytree(store, ".", ignore=lambda folder, names: but, dirs_exist_ok=True)

    return put


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
