"""Running networks over a video."""

from camn.inference.ensemble import Ensemble, UploadedViews
from camn.inference.result import Result
from camn.inference.segmenter import Segmenter, resolve_device
from camn.inference.upload import Uploaded

AnySegmenter = Segmenter | Ensemble
AnyUploaded = Uploaded | UploadedViews

__all__ = [
    "AnySegmenter",
    "AnyUploaded",
    "Ensemble",
    "Result",
    "Segmenter",
    "Uploaded",
    "UploadedViews",
    "resolve_device",
]
