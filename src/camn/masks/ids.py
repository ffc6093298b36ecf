"""Object ids and channels, and the joining of per-object probabilities."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from camn.errors import MaskError

if TYPE_CHECKING:  # torch takes a second to import, and reading or writing masks does not need it
    import torch

MAX_ID = 255
IGNORE = 255  # in data sets and palette masks with other ids: neither background nor object, counts in no loss or score
EPSILON = 1e-7


def check_mask(mask: np.ndarray) -> np.ndarray:
    """The same mask as (H, W) uint8; MaskError when it is not a (H, W) array of whole numbers in 0..255."""
    check_array(mask)
    if mask.dtype == np.uint8:
        return mask
    if mask.min() < 0 or mask.max() > MAX_ID:
        raise MaskError(f"object ids are 1..255 (0 is background); this mask holds {mask.min()}..{mask.max()}")
    return mask.astype(np.uint8)


def check_array(mask: np.ndarray) -> None:
    """Raises MaskError for what is no (H, W) array of whole numbers or flags."""
    if not isinstance(mask, np.ndarray) or isinstance(mask, np.ma.MaskedArray) or mask.ndim != 2 or 0 in mask.shape:
        raise MaskError(f"a mask is an array (H, W) of object ids; this one is {_described(mask)}")
    if mask.dtype != np.bool_ and not np.issubdtype(mask.dtype, np.integer):
        raise MaskError(
            f"a mask holds whole numbers, this one is {mask.dtype}; convert ids with mask.astype('uint8'), the "
            "probabilities of an object with mask > 0.5"
        )


def _described(mask: object) -> str:
    """What is given in place of a mask, and how to make a mask of it."""
    shape = tuple(getattr(mask, "shape", ()))
    if not isinstance(mask, np.ndarray) or isinstance(mask, np.ma.MaskedArray):
        made = {
            "Tensor": "; give mask.cpu().numpy()",
            "Image": "; give numpy.array(mask)",
            "list": "; give numpy.array(mask)",
            "MaskedArray": "; give mask.filled(0)",
        }
        kinds = {kind.__name__ for kind in type(mask).__mro__}
        where = " (files are read by camn.masks.read_mask)" if kinds & {"str", "PurePath"} else ""
        return f"{type(mask).__name__}{next((how for kind, how in made.items() if kind in kinds), where)}"
    if len(shape) != 3 or 0 in shape:
        return f"{shape}"
    if 1 in (shape[0], shape[2]):
        return f"{shape}; give {'mask[0]' if shape[0] == 1 else 'mask[..., 0]'}"
    if shape[2] in (3, 4):
        return f"{shape}, a picture; number its colours 1, 2, ..., or save it, and read it by camn.masks.read_mask"
    return f"{shape}, a stack; number the masks 1, 2, ... and put them into one"


def ids_in(mask: np.ndarray, known: Iterable[int] = ()) -> np.ndarray:
    """A mask given as an array, (H, W) uint8 ids. One of 0 and 255 alone, or of flags, shows object 1, as it does in a
    file, unless 255 is among the `known` ids. MaskError as `check_mask`; and where others than 1 are known: it may be
    any of them then."""
    flags = isinstance(mask, np.ndarray) and mask.dtype == np.bool_
    mask, known = check_mask(mask), tuple(known)
    if not flags and (255 in known or mask.max() != 255 or ((mask > 0) & (mask < 255)).any()):
        return mask
    if mask.any() and set(known) - {1}:
        holds, shown = ("False and True", "True") if flags else ("0 and 255", "255")
        raise MaskError(
            f"the mask holds {holds} alone, and the objects are {sorted(known)}: which of them is it? Give its id in "
            f"place of {shown}; or, for an object 255, name it in `objects`, and give 255"
        )
    return (mask > 0).astype(np.uint8)


def surrounding(mask: np.ndarray) -> int:
    """The id that has all corners of a mask (H, W) and over half of its pixels, as only the background has in most
    pictures; 0 without one."""
    id = int(mask[0, 0])
    corners = (mask[[0, 0, -1, -1], [0, -1, 0, -1]] == id).all()
    return id if corners and 2 * np.count_nonzero(mask == id) > mask.size else 0


@dataclass(frozen=True)
class ObjectIds:
    """The user's object ids, in the order of their channels: object `ids[n]` is channel n + 1, background is channel 0.

    Ids are distinct and within 1..255, gaps allowed. The one class that converts between ids and channels.
    """

    ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        try:
            ids = tuple(operator.index(i) for i in self.ids)
        except TypeError as error:
            raise MaskError(f"object ids are whole numbers in 1..255, not {self.ids!r}") from error
        wrong = sorted({i for i in ids if not 1 <= i <= MAX_ID or ids.count(i) > 1})
        if wrong:
            raise MaskError(f"object ids are distinct numbers in 1..255; these are not: {wrong}")
        object.__setattr__(self, "ids", ids)  # plain ints, whatever came in (numpy's would not go into JSON)

    @classmethod
    def of(cls, mask: np.ndarray) -> ObjectIds:
        """The ids present in a mask (H, W), sorted."""
        present = np.flatnonzero(np.bincount(check_mask(mask).ravel(), minlength=MAX_ID + 1))
        return cls(tuple(present[present > 0].tolist()))

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids)

    def __contains__(self, id: object) -> bool:
        return id in self.ids

    def channel(self, id: int) -> int:
        """The channel 1..N of an object; MaskError for an id that is not here."""
        if id not in self.ids:
            raise MaskError(f"no object {id}; the objects are {list(self.ids)}")
        return self.ids.index(id) + 1

    def with_ids(self, more: Iterable[int]) -> ObjectIds:
        """These ids in their order (channels stay), then those of `more` that are new, in the order they come."""
        return ObjectIds(tuple(dict.fromkeys((*self.ids, *more))))

    def without(self, id: int) -> ObjectIds:
        """These ids less one, the rest in order; MaskError for an id that is not here."""
        channel = self.channel(id)
        return ObjectIds(self.ids[: channel - 1] + self.ids[channel:])

    def one_hot(self, mask: np.ndarray) -> torch.Tensor:
        """Mask (H, W) of ids -> (N + 1, H, W) float32, 1 in each pixel's channel.

        MaskError when the mask holds an id that is not here: dropping an object in silence would lose it for good.
        """
        import torch

        own = np.arange(len(self) + 1, dtype=np.uint8)
        return torch.from_numpy((self.channels(mask)[None] == own[:, None, None]).astype(np.float32))

    def channels(self, mask: np.ndarray) -> np.ndarray:
        """Mask (H, W) of ids -> each pixel's channel (H, W) uint8, the inverse of `ids_map`. MaskError as `one_hot`."""
        mask = check_mask(mask)
        unknown = [i for i in ObjectIds.of(mask) if i not in self.ids]
        if unknown:
            raise MaskError(f"the mask holds objects {unknown}; the objects known are {list(self.ids)}")
        table = np.zeros(MAX_ID + 1, np.uint8)
        table[[0, *self.ids]] = np.arange(len(self) + 1)
        return table[mask]

    def ids_map(self, channels: np.ndarray | torch.Tensor) -> np.ndarray:
        """Channels (H, W), whole numbers in 0..N, array or tensor on any device -> ids (H, W) uint8 array."""
        array = channels if isinstance(channels, np.ndarray) else channels.cpu().numpy()
        if array.size and (array.min() < 0 or array.max() > len(self)):
            raise MaskError(f"channels are 0..{len(self)}; these are {array.min()}..{array.max()}")
        return np.array((0, *self.ids), dtype=np.uint8)[array]


def soft_aggregate(probabilities: torch.Tensor) -> torch.Tensor:
    """Independent per-object probabilities (N, H, W) in 0..1 -> (N + 1, H, W) that sum to 1 over channels.

    Soft aggregation of STM (Oh et al., ICCV 2019, eq. 4): the background is the product of all 1 - p, and each
    channel's share is its odds p / (1 - p) over the sum of odds, which is the softmax of the logits. Probabilities are
    clamped to 1e-7 .. 1 - 1e-7. Half precision is widened to float32, where that clamp does not round away. N = 0 gives
    ones.
    """
    import torch

    wide = probabilities if probabilities.dtype == torch.float64 else probabilities.float()
    background = torch.prod(1 - wide, dim=0, keepdim=True)
    return torch.logit(torch.cat((background, wide)), eps=EPSILON).softmax(dim=0)
