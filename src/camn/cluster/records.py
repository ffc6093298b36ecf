"""The small JSON beside each video's outputs: what they were made of and how it went. By it a later run knows what is
left to do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import camn
from camn.api import SegmentOptions
from camn.cluster.folders import OutputFolder
from camn.cluster.tasks import Outcome, Task
from camn.files import to_json

# What an option says of how and where to work, but not of what comes out.
_WITHOUT_EFFECT = ("threads", "device", "overwrite", "model")


def make_key(
    options: SegmentOptions, sha256: str, inputs: Mapping[str, str | None], span: tuple[int, int | None] | None = None
) -> dict[str, Any]:
    """All that a video's outputs depend on. inputs: the video and its masks, each with its `stamp`."""
    chosen = {key: value for key, value in dataclasses.asdict(options).items() if key not in _WITHOUT_EFFECT}
    key: dict[str, Any] = {"model": sha256, "version": camn.__version__, "options": chosen, "inputs": dict(inputs)}
    return key | ({} if span is None else {"span": list(span)})


def write_record(folder: OutputFolder, task: Task, outcome: Outcome, attempts: int, limit: int | None) -> None:
    """NAME.json. limit: of memory, in bytes. Raises OutputError."""
    content = {
        "program": "camn",
        "status": outcome.status,
        "error": outcome.error or None,
        "final": outcome.final,
        "video": task.video,
        "masks": list(task.masks),
        **task.key,
        "frames": outcome.frames,
        "seconds": round(outcome.seconds, 3),
        "attempts": attempts,
        "memory_limit": limit,
        "worker": outcome.worker,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if outcome.status == "failed" and outcome.log:
        content["log"] = outcome.log[-4000:]
    folder.write(f"{task.name}.json", to_json(content))


def read_record(folder: OutputFolder, name: str) -> dict[str, Any] | None:
    """None where there is none that can be read."""
    try:
        record = json.loads(folder.read(f"{name}.json") or b"null")
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("program") == "camn" else None


def what_changed(record: Mapping[str, Any], key: Mapping[str, Any]) -> list[str]:
    """The names in a key whose values are no longer those of the record. An input that is gone, or cannot be looked at
    now, counts as it was: nothing else could be made of it."""
    now, seen = json.loads(json.dumps(key)), record.get("inputs")
    if isinstance(seen, dict) and "inputs" in now:
        now["inputs"] = {path: mark or seen.get(path) for path, mark in now["inputs"].items()}
    return [name for name in now if record.get(name) != now[name]]
