"""Placeholder."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PostProcess:
    track_loss: bool = False
    small_objects: bool = False
