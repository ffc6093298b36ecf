"""The code of docs/guide/python.md, block after block as it stands there, on a few frames at a small size."""

from pathlib import Path

import numpy as np
from documents import DOCS, blocks

from .conftest import there

PAGE = DOCS / "guide" / "python.md"
BLOCKS = blocks(PAGE, "python")


def test_all_code_of_the_page_runs(small, capsys):
    names: dict = {}
    for block in filter(there, BLOCKS):
        exec(compile(block, str(PAGE), "exec"), names)
        if "for result in following" in block:
            assert list(names["following"].segmenter.objects) == [1]  # the other was removed on frame 1
    assert len(BLOCKS) >= 7 and capsys.readouterr().out.startswith("0 {1: 0.9")
    assert names["summary"].frames == 2 and Path("out", "masks", "000001.png").exists()
    assert set(np.unique(names["ids"])) == {0, 1, 2}
