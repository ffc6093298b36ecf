"""The log of a run: a JSON line for each step."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from camn.files import replacing, writing


class Journal:
    """Raises OutputError where `path` cannot be written."""

    def __init__(self, path: Path):
        self.path = path

    def trim(self, step: int) -> None:
        """Drop lines beyond a step: a run killed after its last checkpoint left them, the last perhaps cut short."""
        with replacing(self.path) as part:
            lines = self.path.read_text().splitlines() if self.path.exists() else []
            part.write_text("".join(f"{line}\n" for line in lines if _step(line) <= step))

    def add(self, line: dict[str, Any]) -> None:
        with writing(self.path), self.path.open("a") as log:
            log.write(json.dumps(line) + "\n")


def _step(line: str) -> float:
    """The step of a log line, beyond all steps if the line is cut short."""
    try:
        return json.loads(line)["step"]
    except ValueError:
        return math.inf
