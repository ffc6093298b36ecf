"""How much the server takes: each bound has one place and one sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """file_bytes: of all uploads to one project, and of what a zip unpacks to. frame_pixels: of one frame. frames: of
    one video. member_bytes: of one image in a zip. mask_bytes: of a mask file. mask_pixels: of all masks in one, which
    are in memory together. json_bytes: of a JSON body, a mask in it apart. zip_members: entries of a zip. zip_list:
    bytes of the list of them, which is read at once. free_bytes: room that is left on the disk. objects: at once, in
    one project. jobs: not ended."""

    file_bytes: int = 8 << 30
    frame_pixels: int = 8192 * 4320
    frames: int = 30_000
    member_bytes: int = 128 << 20
    mask_bytes: int = 64 << 20
    mask_pixels: int = 1 << 30
    json_bytes: int = 1 << 20
    zip_members: int = 40_000
    zip_list: int = 16 << 20
    free_bytes: int = 512 << 20
    objects: int = 50
    name_length: int = 120
    projects: int = 1000
    jobs: int = 100
    exports: int = 5  # files kept of each project


def size(count: int) -> str:
    """Bytes as people say them: 8 GiB."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << power:
            return f"{count / (1 << power):.3g} {unit}"
    return f"{count} bytes"
