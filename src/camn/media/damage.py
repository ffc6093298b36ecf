"""What is said of frames that are damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

_MOST = 8  # runs of frames that are named


@dataclass
class Damage:
    """Frames, by index. lost: could not be decoded. marred: decoded, as far as it went. after: behind a gap."""

    lost: list[int] = field(default_factory=list)
    marred: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)

    def sentence(self) -> str | None:
        """For the user; None where all is well."""
        said = []
        if self.lost:
            said.append(
                f"{runs(self.lost)} cannot be decoded: the picture before stands in, so that all frames keep their "
                "numbers, and those up to the next key frame may be smeared"
            )
        if self.marred:
            said.append(f"{runs(self.marred)} came out damaged, and may be smeared")
        if self.after:
            said.append(f"before {runs(self.after)} others are missing, which were lost or never recorded: not counted")
        return f"{'; '.join(said)} (0 is the first frame). Copy or export it again if they matter" if said else None


def runs(frames: Sequence[int]) -> str:
    """Sorted numbers -> "frame 4", "frames 4, 7-9"; of many runs the first ones."""
    found: list[list[int]] = []
    for frame in frames:
        if found and frame == found[-1][1] + 1:
            found[-1][1] = frame
        else:
            found.append([frame, frame])
    named = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found[:_MOST])
    more = f" and others, {len(frames)} in all," if len(found) > _MOST else ""
    return f"frame{'s' if len(frames) > 1 else ''} {named}{more}"
