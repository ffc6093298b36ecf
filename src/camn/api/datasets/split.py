"""A part of YouTube-VOS train kept out of training, and recorded."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from camn.datasets.holdout import Holdout, HoldoutOptions, make_holdout, write_holdout
from camn.datasets.layouts import open_videos
from camn.errors import OutputError
from camn.media.outputs import prepare_output


def hold_out(
    root: str | Path, out: str | Path, *, split: str = "", options: HoldoutOptions | None = None, **changes: Any
) -> Holdout:
    """Split a folder of YouTube-VOS with labels by category, and write the split to the JSON file `out`.

    Some categories are held out whole (unseen), and some videos of the others (seen); `evaluate(..., holdout=out)`
    scores them, a training recipe with `holdout` leaves them out. The same seed makes the same file. changes: fields of
    `HoldoutOptions`, in place of those of `options`. Raises DataError, ConfigError, OutputError; a file that is there
    already is refused, since weights may have been trained by it.
    """
    options = dataclasses.replace(options or HoldoutOptions(), **changes)
    out = Path(out)
    if out.exists():
        raise OutputError(f"{out}: is there already, and weights may have been trained by it; choose another name")
    found = make_holdout(open_videos(root, split), options)
    prepare_output(out.parent)
    write_holdout(out, found)
    return found
