"""Random colour, blur and compression for the frames of a clip; labels are untouched by all of it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np

from camn.errors import ConfigError


@dataclass(frozen=True)
class Appearance:
    """Chances and strengths. Colour is drawn once for a clip, plus a little for each frame.

    Chances are 0..1, as are the strengths of colour, tint and flicker. Raises ConfigError.
    """

    colour: float = 0.2  # the most by which brightness, contrast and saturation change
    tint: float = 0.08  # the most by which one channel's gain differs
    flicker: float = 0.03  # the most by which a frame's brightness differs from its clip's
    grey: float = 0.03
    blur: float = 0.15
    jpeg: float = 0.15
    ramp: float = 0.0  # clips whose exposure rises or falls from the first frame to the last, to 0.5..2 times
    dark: float = 0.0  # clips in low light, at 0.3..0.7 of it, with noise
    noise: float = 0.0  # other clips with noise, each frame with its own

    def __post_init__(self) -> None:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        if wrong := [f"{name} {value} must be in 0..1" for name, value in given.items() if not 0 <= value <= 1]:
            raise ConfigError(f"clip appearance: {'; '.join(wrong)}")


def colour_matrix(rng: np.random.Generator, look: Appearance) -> np.ndarray:
    """(3, 4) float32 on RGB 0..255: saturation, channel gains, contrast around mid-grey, brightness, in that order."""
    saturation = 0.0 if rng.random() < look.grey else 1 + rng.uniform(-look.colour, look.colour)
    luma = np.array([0.299, 0.587, 0.114])
    matrix = saturation * np.eye(3) + (1 - saturation) * luma
    matrix = (1 + rng.uniform(-look.tint, look.tint, 3))[:, None] * matrix
    contrast, light = 1 + rng.uniform(-look.colour, look.colour, 2)
    offset = np.full((3, 1), 127.5 * (1 - contrast) * light)
    return np.hstack([contrast * light * matrix, offset]).astype(np.float32)


def recolour(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 through a (3, 4) colour matrix, rounded and clipped."""
    return cv2.transform(image, matrix)


def motion_kernel(length: int, angle: float) -> np.ndarray:
    """(k, k) float32 of sum 1: a line of `length` pixels at `angle` radians, as motion smears a point."""
    k = 2 * (length // 2) + 3
    kernel = np.zeros((k, k), np.float32)
    end = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    a, b = (tuple(int(v) for v in np.round(k // 2 + s * end)) for s in (-1, 1))
    cv2.line(kernel, a, b, (1.0,), 1, cv2.LINE_AA)
    return kernel / kernel.sum()


def dress(rng: np.random.Generator, frames: list[np.ndarray], look: Appearance) -> list[np.ndarray]:
    """New frames (H, W, 3) uint8 with one look over the clip."""
    matrix = colour_matrix(rng, look)
    frames = [recolour(f, matrix * (1 + rng.uniform(-look.flicker, look.flicker))) for f in frames]
    if look.ramp > 0 and rng.random() < look.ramp:
        frames = _exposed(frames, np.linspace(0, rng.uniform(-1, 1), len(frames)) * np.log(2))
    if rng.random() < look.blur:
        frames = _blur(rng, frames)
    dark = look.dark > 0 and rng.random() < look.dark
    if dark:
        frames = _exposed(frames, np.full(len(frames), np.log(rng.uniform(0.3, 0.7))))
    if dark or (look.noise > 0 and rng.random() < look.noise):
        frames = _noisy(rng, frames, rng.uniform(2, 10))
    if rng.random() < look.jpeg:  # RGB taken for BGR there and back: only the weights of the channels differ
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 75))]
        encoded = [cv2.imencode(".jpg", f, quality)[1] for f in frames]
        frames = [np.asarray(cv2.imdecode(e, cv2.IMREAD_COLOR)) for e in encoded]
    return frames


def _exposed(frames: list[np.ndarray], stops: np.ndarray) -> list[np.ndarray]:
    """Each frame times exp of its entry."""
    return [cv2.convertScaleAbs(f, alpha=float(np.exp(stop))) for f, stop in zip(frames, stops, strict=True)]


def _noisy(rng: np.random.Generator, frames: list[np.ndarray], strength: float) -> list[np.ndarray]:
    """Gaussian noise of this standard deviation. One field of it, moved to another place for each frame."""
    field = strength * rng.standard_normal(frames[0].shape, dtype=np.float32)
    moves = rng.integers(0, frames[0].shape[0], (len(frames), 2))
    moved = (np.roll(field, tuple(move), axis=(0, 1)) for move in moves)
    return [cv2.add(f, noise, dtype=cv2.CV_8U) for f, noise in zip(frames, moved, strict=True)]


def _blur(rng: np.random.Generator, frames: list[np.ndarray]) -> list[np.ndarray]:
    """Out of focus, or smeared by motion; each frame to its own degree, some not at all."""
    if rng.random() < 0.5:
        return [cv2.GaussianBlur(f, (0, 0), rng.uniform(0.3, 1.6)) for f in frames]
    length, angle = int(rng.integers(3, 10)), rng.uniform(0, np.pi)
    kernel = motion_kernel(length, angle)
    return [cv2.filter2D(f, -1, kernel) if rng.random() < 0.7 else f for f in frames]
