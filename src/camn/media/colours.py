"""What is to be said of a video's colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

_HDR = {16: "PQ (HDR10, Dolby Vision)", 18: "HLG"}  # of AVColorTransferCharacteristic


def remark(frame: av.VideoFrame) -> str | None:
    """For pictures that are not made for the screens that all else here is made for."""
    if (kind := _HDR.get(int(frame.color_trc))) is None:
        return None
    return (
        f"is HDR, {kind}: its brightness is taken as it is stored, without tone mapping, so that pictures and outputs "
        "look pale; convert it to SDR (BT.709) first if that matters"
    )
