"""What is written so that damage to it is seen when it is read."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from torch import Tensor

from camn.files import encoded


def checked(text: str) -> bytes:
    """One line."""
    body = encoded(text)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def body_of(line: bytes) -> bytes:
    """Of a line of `checked` the text. Raises ValueError where it is not as it was written."""
    total, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or total != b"%08x" % zlib.crc32(body):
        raise ValueError("a line is not as it was written")
    return body


def sum_of(tensors: Mapping[str, Tensor]) -> int:
    """Of all bytes of tensors on the CPU."""
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(memoryview(tensors[name].numpy()), total)  # type: ignore[arg-type], of NumPy's stubs
    return total
