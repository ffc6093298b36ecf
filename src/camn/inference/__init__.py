"""Running a network over a video."""

from camn.inference.result import Result
from camn.inference.segmenter import Segmenter, resolve_device

__all__ = ["Result", "Segmenter", "resolve_device"]
