"""`camn segment --project` where the extra `web` is not installed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from forking import forgetting, run
from PIL import Image

from camn.api import SegmentOptions
from camn.errors import ConfigError
from camn.projects.frame_files import write_frame
from camn.projects.headless import segment_project
from camn.projects.maskfiles import Predicted
from camn.projects.project import Project
from camn.projects.record import Record
from camn.speed.discs import moving_discs

# The command in an interpreter that has none of what `pip install '.[web]'` brings.
LACKING = ("fastapi", "pydantic", "starlette", "uvicorn", "websockets")
WITHOUT = f"""{forgetting("camn", *LACKING)}
import sys
from importlib.abc import MetaPathFinder

class Lacking(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LACKING}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Lacking())
from camn import cli
sys.exit(cli.main(sys.argv[1:]))
"""
COUNT = 5


@pytest.fixture
def project(tmp_path) -> Project:
    """With a mask on frame 2, and its frames as images, as they were sent."""
    record = Record("shot", "2026", state="ready", kind="images", width=96, height=64, total=COUNT)
    made = Project(tmp_path / "projects" / "shot", record)
    for name in ("frames", "small", "source", "source/images"):
        (made.folder / name).mkdir()
    made.add_object("disc", None, 5)
    for index, (frame, mask) in enumerate(moving_discs(COUNT, 64, 96, 1)):
        write_frame(made, index, frame)
        Image.fromarray(frame).save(made.source / "images" / f"{index:06d}.png")
        if index == 2:
            made.masks.give(2, mask)
    return made


def camn(*arguments: object) -> subprocess.CompletedProcess[str]:
    options = ("--short-side", 64, "--backend", "eager", "--device", "cpu", "--no-overlay")
    return run([sys.executable, "-c", WITHOUT, "segment", *map(str, (*arguments, *options))])


def test_its_own_masks_are_made(project):
    done = camn("--project", project.folder)
    assert done.returncode == 0 and "4 frames, 1 object" in done.stdout, done.stderr
    again = Project(project.folder)
    assert again.record == project.record and list(again.masks.given) == [2]
    assert sorted(again.masks.predicted) == [0, 1, 3, 4]
    mask = again.shown_mask(3)
    assert mask is not None and mask.shape == (64, 96) and set(np.unique(mask)) == {0, 1}


def test_or_a_folder_of_outputs(project, tmp_path):
    done = camn("--project", project.folder, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in Path(tmp_path / "out" / "masks").iterdir())[0] == "000000.png"
    assert not Project(project.folder).masks.predicted


def test_what_is_not_on_a_frame_is_not_there(project, tmp_path):
    """As on the page: an object taken off a frame, and a frame on which nothing is left."""
    mask = project.masks.read_given(2)
    project.add_object("other", None, 5)
    two = mask.copy()
    two[:8, :8] = 2
    project.masks.give(2, two)
    project.masks.predict(3, two, Predicted({1: 0.9, 2: 0.9}))
    project.masks.predict(4, two, Predicted({1: 0.9, 2: 0.9}))
    project.masks.give(3, np.where(two == 2, 0, two).astype(np.uint8))
    project.masks.give(4, np.zeros_like(two))
    done = camn("--project", project.folder, "--out", tmp_path / "out")
    assert done.returncode == 0 and "goes on" not in done.stdout, done.stderr
    seen = [set(np.unique(np.array(Image.open(path)))) - {0} for path in sorted((tmp_path / "out/masks").iterdir())]
    assert seen == [set(), set(), {1, 2}, {1}, set()]
    with pytest.raises(ConfigError, match="masks_are_whole"):
        segment_project(project.folder, None, SegmentOptions(masks_are_whole=True))
    for options in ({"picture_range": (0, 4095)}, {"export": ("yolo",)}, {"fps": 30}, {"first_frame": 1}):
        with pytest.raises(ConfigError, match=f"^{next(iter(options))}: .*leave it out"):
            segment_project(project.folder, None, SegmentOptions(**options))
    with pytest.raises(ConfigError, match="first_frame: a project's masks know their frames"):
        segment_project(project.folder, tmp_path / "more", SegmentOptions(first_frame=1))


def test_what_there_is_no_mask_for(project):
    project.masks.clear([2], "both")
    done = camn("--project", project.folder)
    assert done.returncode == 2 and "no mask was given in this project" in done.stderr
