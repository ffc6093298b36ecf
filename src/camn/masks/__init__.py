"""Masks: ids and channels, soft aggregation, palette PNG, every accepted mask format, and `segments.json`."""

from camn.masks.ids import IGNORE, ObjectIds, check_mask, ids_in, soft_aggregate
from camn.masks.marks import Marks
from camn.masks.mask_set import MaskSet, read_mask, read_masks
from camn.masks.palette import PALETTE, encode_palette_png, write_palette_png
from camn.masks.segments import SegmentsWriter

__all__ = [
    "IGNORE",
    "PALETTE",
    "MaskSet",
    "Marks",
    "ObjectIds",
    "SegmentsWriter",
    "check_mask",
    "encode_palette_png",
    "ids_in",
    "read_mask",
    "read_masks",
    "soft_aggregate",
    "write_palette_png",
]
