"""Whether a run may go on with one that was cut off in its folder: only with the same answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from camn.api.options import Notice
from camn.api.segment.kept import Past, read_past
from camn.api.segment.outputs import KEPT, former_run
from camn.errors import ConfigError
from camn.files import to_json
from camn.inference import AnySegmenter
from camn.media.source import FrameSource

# What of a run's record makes its answers, beside options and versions; where its inputs lie does not.
_SAME = (
    *("width", "height", "fps", "models", "device", "threads", "ids", "annotated_frames", "masks_sha256"),
    *("names", "span", "first_seconds", "marks"),
)
_FREE = ("overwrite", "threads", "device")  # of the options; what the last two come to is in the record


def refuse_stream(source: FrameSource) -> None:
    """Raises ConfigError where frames that have passed come no more."""
    if source.once:
        raise ConfigError(f"{source.place}: a stream cannot be taken up where it was cut off; leave --resume out")


def finished(folder: Path, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of the run in the folder, if it has ended, and nothing that was begun later was cut off.

    about: what is known of the run that is asked for. Raises ConfigError where the run in the folder, finished or cut
    off, is not that one."""
    kept, record = former_run(folder / KEPT), former_run(folder)
    ended = record if record and record.get("status") == "done" else None
    if kept is not None and not (ended and ended.get("started") == kept.get("started")):
        _check_same(folder, "cut off", kept, about)
        return None
    if ended is not None:
        _check_same(folder, "finished", ended, about)
    return dict(ended) if ended else None


def past_of(folder: Path, fresh: AnySegmenter, notice: Notice) -> Past | None:
    """What is to go on; `notice` is told what that is. None, where the run is to begin."""
    if (folder / KEPT).is_dir() and (past := read_past(folder / KEPT, fresh, notice)):
        notice(
            f"{folder}: goes on with the run of {past.about.get('started')}, which was cut off: {past.done} frames are "
            "done, and are written again as they were found"
        )
        return past
    notice(f"{folder}: holds no run that could be taken up; this one starts from the beginning")
    return None


def taken_up(past: Past | None) -> dict[str, Any]:
    """For the record: each time at which the run was taken up, and the frames done by then."""
    if past is None:
        return {}
    now = {"frames": past.done, "time": datetime.now(UTC).isoformat(timespec="seconds")}
    before = past.about.get("resumed")
    return {"started": past.about.get("started"), "resumed": [*(before if isinstance(before, list) else []), now]}


def _check_same(folder: Path, which: str, was: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    before, now = dict(_facts(was)), dict(_facts(json.loads(to_json(dict(about)))))
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if not changed:
        return
    said = "; ".join(_change(key, before.get(key), now.get(key)) for key in changed[:5])
    more = f"; and {len(changed) - 5} more" if len(changed) > 5 else ""
    raise ConfigError(
        f"{folder}: --resume: the run there, which was {which}, is of other inputs or settings ({said}{more}); give "
        "the same, or leave --resume out to start anew"
    )


def _facts(about: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What makes a run's answers, by name."""
    for key, value in about.items():
        if key in ("options", "versions") and isinstance(value, Mapping):
            yield from ((name, one) for name, one in value.items() if key != "options" or name not in _FREE)
        elif key in (*_SAME, "options", "versions"):  # the last two of a record that is damaged
            yield key, value


def _change(key: str, was: Any, now: Any) -> str:
    if key == "masks_sha256":
        return "other masks"
    if key == "models":
        return "other weights" if _called(was) == _called(now) else "another model"
    was, now = (json.dumps(value, ensure_ascii=False) for value in (was, now))
    return f"{key}: {was} then, {now} now" if len(was) + len(now) < 80 else f"another {key}"


def _called(models: Any) -> Any:
    try:
        return models[0]["name"]
    except (TypeError, LookupError):
        return None
