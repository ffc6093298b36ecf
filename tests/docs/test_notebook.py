"""docs/guide/notebook.ipynb, run from its first cell to its last in a kernel of its own."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "guide" / "notebook.ipynb"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(the notebook with its outputs, the folder it ran in): of two frames, at a small size."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, 4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # none are stored
    sizes = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "FRAMES = 24" in sizes.source and "SHORT_SIDE = 360" in sizes.source
    sizes.source = "FRAMES, SHORT_SIDE = 2, 64"
    manager = nbclient.client.KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = sys.executable
    client = nbclient.NotebookClient(
        notebook, km=manager, timeout=300, startup_timeout=300, resources={"metadata": {"path": folder}}
    )
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    return notebook, folder


def outputs(notebook, kind: str) -> list[str]:
    found = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())]
    return [data[kind] for data in found if kind in data]


def test_the_notebook_shows_frames_and_writes_files(done):
    notebook, folder = done
    assert len(outputs(notebook, "image/png")) == 6
    masks = [np.array(Image.open(path)) for path in sorted((folder / "out" / "masks").iterdir())]
    assert len(masks) == 2 and set(np.unique(masks[-1])) == {0, 1}
    assert (folder / "out" / "overlay.mp4").exists()


def test_a_notebook_shows_bars(done):
    bars = [html for html in outputs(done[0], "text/html") if "<progress" in html]
    assert len(bars) == 2
    for bar in bars:
        assert '<progress value="2" max=' in bar and "2/" in bar and "frames/s" in bar
