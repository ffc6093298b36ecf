"""Running a network over a video."""

from camn.inference.segmenter import Result, Segmenter, resolve_device

__all__ = ["Result", "Segmenter", "resolve_device"]
