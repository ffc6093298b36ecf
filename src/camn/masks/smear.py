"""Telling masks from pictures that were masks: antialiased, blurred, saved as JPEG."""

from __future__ import annotations

import numpy as np

FEW = 32  # up to so many values a picture is judged by its thin ones alone


def smear_reason(picture: np.ndarray, lenient: bool = False) -> str | None:
    """Why a picture (H, W) or (H, W, 3) uint8, 0 = background, is no mask of separate objects; None when it is one.

    Objects are flat; smearing adds values that lie between those of their neighbours and are nowhere flat. A value is
    *flat* where it fills a 2x2 block, and *in between* when it is nowhere flat and most of its pixels lie strictly
    between the least and the greatest value around them. More values in between than flat ones: smeared. Wide soft
    edges do have flat blocks; they, and photographs, show in many values that lie in many pieces and change often, or
    that change by small steps.
    lenient: of a few values not the colours count but the numbers behind them, so one thin object proves nothing.
    """
    layers = picture[..., None] if picture.ndim == 2 else picture
    codes = _codes(layers)
    values, labels = np.unique(codes, return_inverse=True)
    labels = labels.reshape(codes.shape)
    objects = values != 0
    found = int(objects.sum())
    if found > 255:
        return f"it holds {found} values beside the background{_some(values[objects], layers.shape[2])}"
    between = _between(layers, labels, len(values)) & objects
    solid = _flat(labels, len(values)) & objects
    thin, flat = int(between.sum()), int(solid.sum())
    if (thin >= 2 and thin > flat) or (thin >= 1 and thin >= flat and values.max() > FEW and not lenient):
        which = _some(values[between], layers.shape[2])
        return f"it holds {found} values beside the background, {thin} of them only along edges{which}"
    if layers.shape[2] == 1 and _dusty(np.bincount(codes.ravel(), minlength=256)):
        return f"it holds {found} values beside the background, nearly black or nearly white{_some(values[objects], 1)}"
    if found > FEW and _restless(layers, labels, objects):
        return f"it holds {found} values beside the background, which change like a photograph's or a soft edge's"
    return None


def _codes(layers: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) uint8 -> (H, W): the value, or the colour as 0xRRGGBB."""
    codes = np.zeros(layers.shape[:2], dtype=np.int32)
    for layer in range(layers.shape[2]):
        codes = (codes << 8) | layers[..., layer]
    return codes


def _some(values: np.ndarray, layers: int) -> str:
    """The first few values, in words."""
    if not len(values):
        return ""
    words = [f"#{value:06x}" if layers == 3 else str(value) for value in values[:6]]
    return f" ({', '.join(words)}{', ...' if len(values) > 6 else ''})"


def _flat(labels: np.ndarray, count: int) -> np.ndarray:
    """(count,) bool: which labels of (H, W) fill a 2x2 block somewhere."""
    corner = labels[:-1, :-1]
    block = (corner == labels[1:, :-1]) & (corner == labels[:-1, 1:]) & (corner == labels[1:, 1:])
    return np.bincount(corner[block], minlength=count) > 0


def _between(layers: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """(count,) bool: which labels are nowhere flat and lie, at most of their pixels, between their 3x3 neighbours."""
    thin = ~_flat(labels, count)
    if not thin.any():
        return thin
    height, width = labels.shape
    padded = np.pad(layers, ((1, 1), (1, 1), (0, 0)), mode="edge")
    low, high = layers, layers
    for row in range(3):
        for column in range(3):
            shifted = padded[row : row + height, column : column + width]
            low, high = np.minimum(low, shifted), np.maximum(high, shifted)
    inside = ((low < layers) & (layers < high)).any(axis=2)
    pixels = np.bincount(labels.ravel(), minlength=count)
    return thin & (2 * np.bincount(labels[inside], minlength=count) > pixels)


def _dusty(pixels: np.ndarray) -> bool:
    """Whether one great grey value has rare neighbours, as the best JPEGs have (254 beside 255); pixels per value."""
    values = np.flatnonzero(pixels[1:]) + 1
    if len(values) < 2 or values[-1] < 200:
        return False
    main = values[np.argmax(pixels[values])]
    others = values[values != main]
    near = np.abs(others - main) <= 16
    return bool(near.any() and (near | (others <= 16)).all() and (20 * pixels[others] < pixels[main]).all())


def _restless(layers: np.ndarray, labels: np.ndarray, objects: np.ndarray) -> bool:
    """Whether over nine tenths of neighbouring pixels that differ do so by 3 or less; or over a quarter of all differ,
    though not because there are many small objects, each in a piece or two."""
    grey = layers.astype(np.int16)
    steps = np.concatenate([np.abs(np.diff(grey, axis=axis)).max(axis=2).ravel() for axis in (0, 1)])
    changes = steps[steps > 0]
    if 10 * np.count_nonzero(changes <= 3) > 9 * len(changes):
        return True
    return 4 * len(changes) > len(steps) and _pieces(labels, objects) > 2 * int(objects.sum())


def _pieces(labels: np.ndarray, objects: np.ndarray) -> int:
    """How many connected pieces of one label (H, W) there are, of those that `objects` says."""
    import cv2  # which takes longer than all else here, and few masks need it

    height, width = labels.shape
    shown = objects[labels]
    grid = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)  # pixels, and between two of them whether they belong
    grid[::2, ::2] = shown
    grid[1::2, ::2] = shown[1:] & (labels[1:] == labels[:-1])
    grid[::2, 1::2] = shown[:, 1:] & (labels[:, 1:] == labels[:, :-1])
    return cv2.connectedComponents(grid, connectivity=4)[0] - 1
