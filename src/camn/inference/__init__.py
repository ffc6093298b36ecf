"""Running a network over a video."""

from camn.inference.result import Result
from camn.inference.segmenter import Segmenter, resolve_device
from camn.inference.upload import Uploaded

__all__ = ["Result", "Segmenter", "Uploaded", "resolve_device"]
