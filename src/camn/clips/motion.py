"""Random motion, and pieces cut from pictures, for training clips; picture and labels go through the same geometry.

Points are (x, y) in pixels. All randomness comes from the generator that is passed in. Nothing edits its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

Size = tuple[int, int]


@dataclass(frozen=True)
class Motion:
    """The most that one step between frames changes a pose: how fast things drift."""

    shift: float = 0.08  # of the crop's shorter side
    angle: float = 8.0  # degrees
    zoom: float = 0.08  # in log scale
    shear: float = 0.05

    def times(self, factor: float) -> Motion:
        return Motion(self.shift * factor, self.angle * factor, self.zoom * factor, self.shear * factor)


@dataclass(frozen=True)
class Pose:
    """How a picture stands in the output: its `anchor` is shown at `at`, the rest turned and scaled around it."""

    anchor: tuple[float, float]
    at: tuple[float, float]
    zoom: float = 1.0  # output pixels per picture pixel
    angle: float = 0.0  # degrees
    shear: float = 0.0
    stretch: float = 1.0  # width over height
    flip: bool = False

    def matrix(self) -> np.ndarray:
        """(2, 3) float64: from picture points to output points."""
        angle, stretch = np.deg2rad(self.angle), np.sqrt(self.stretch)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        lean = np.array([[1.0, self.shear], [0.0, 1.0]])
        linear = self.zoom * turn @ lean @ np.diag([-stretch if self.flip else stretch, 1 / stretch])
        return np.column_stack([linear, np.array(self.at) - linear @ np.array(self.anchor)])


def drift(
    rng: np.random.Generator,
    start: Pose,
    length: int,
    side: int,
    motion: Motion,
    velocity: tuple[float, float] = (0.0, 0.0),
) -> list[Pose]:
    """`length` poses from `start`: constant random speed in every parameter plus jitter, and `velocity` pixels a frame.

    The random part swings back after three steps' worth, so that long clips keep what they show in view.
    """
    speed = rng.uniform(-1, 1, 5)
    steps = np.cumsum(speed + 0.25 * rng.standard_normal((length, 5)), axis=0)
    steps = 3 - np.abs((steps - steps[0] + 3) % 12 - 6)
    return [
        replace(
            start,
            at=(
                start.at[0] + t * velocity[0] + motion.shift * side * x,
                start.at[1] + t * velocity[1] + motion.shift * side * y,
            ),
            angle=start.angle + motion.angle * angle,
            zoom=start.zoom * float(np.exp(motion.zoom * zoom)),
            shear=start.shear + motion.shear * shear,
        )
        for t, (x, y, angle, zoom, shear) in enumerate(steps)
    ]


def zooming(rng: np.random.Generator, poses: list[Pose], least: float, most: float = 2.0) -> list[Pose]:
    """The poses with a zoom in or out over the clip, by `most` at the most, and out to `least` at the most."""
    reach = rng.uniform(0.2, 1) * np.log(most) * (1 if rng.random() < 0.5 else -1)
    share = np.arange(len(poses)) / max(1, len(poses) - 1)
    zooms = [pose.zoom * float(np.exp(reach * k)) for pose, k in zip(poses, share, strict=True)]
    return [replace(p, zoom=max(zoom, min(p.zoom, least))) for p, zoom in zip(poses, zooms, strict=True)]


def ripple(rng: np.random.Generator, length: int, size: Size, amount: float) -> list[np.ndarray]:
    """`length` smooth fields (H, W, 2) float32 of displacements in pixels, each slowly following the one before.

    A 5x5 grid of swinging nodes, enlarged; a node moves at most about 2.5 x `amount` of the shorter side.
    """
    reach = np.clip(rng.standard_normal((5, 5, 2)), -2.5, 2.5) * amount * min(size)
    phase, pace = rng.uniform(0, 2 * np.pi, (5, 5, 1)), rng.uniform(0.2, 0.7)
    nodes = [(reach * np.sin(phase + pace * t)).astype(np.float32) for t in range(length)]
    return [cv2.resize(node, size[::-1], interpolation=cv2.INTER_CUBIC) for node in nodes]


def tilting(rng: np.random.Generator, length: int, size: Size, amount: float, pace: float = 1.0) -> list[np.ndarray]:
    """`length` fields (H, W, 2) float32 of displacements in pixels: perspective views that slowly swing over.

    Each corner moves by at most `amount` of the shorter side, which below 0.25 turns nothing inside out.
    """
    h, w = size
    corners = np.array([(0, 0), (w - 1, 0), (w - 1, h - 1), (0, h - 1)], np.float32)
    reach = amount * min(size) / 2**0.5
    first, other = rng.uniform(-reach, reach, (2, 4, 2))
    speed = rng.uniform(0, 0.3) * pace
    grid = np.stack(np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)), axis=-1)
    fields = []
    for t in range(length):
        moved = corners + first * np.cos(speed * t) + other * np.sin(speed * t)
        fields.append(
            cv2.perspectiveTransform(grid, cv2.getPerspectiveTransform(corners, moved.astype(np.float32))) - grid
        )
    return fields


def shown_points(pose: Pose, size: Size, field: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32: the picture point that each output pixel shows, after displacement by `field`."""
    h, w = size
    points = np.empty((h, w, 2), np.float32)
    points[..., 0], points[..., 1] = np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)[:, None]
    return cv2.transform(points + field, cv2.invertAffineTransform(pose.matrix()))


def sample(picture: np.ndarray, points: np.ndarray, interpolation: int, border: int) -> np.ndarray:
    """The picture at `points` (H, W, 2) float32."""
    # None: x and y come in one map. An empty array, which the stubs would have, is read as a map of rubbish.
    return cv2.remap(picture, points, None, interpolation, borderMode=border)  # pyright: ignore[reportCallIssue, reportArgumentType]


def warp(
    image: np.ndarray, labels: np.ndarray, pose: Pose, size: Size, field: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Picture (h, w, 3) and labels (h, w) seen through `pose` at `size`; beyond the border it is mirrored."""
    if field is None:
        matrix, shape = pose.matrix(), size[::-1]
        return (
            cv2.warpAffine(image, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101),
            cv2.warpAffine(labels, matrix, shape, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101),
        )
    points = shown_points(pose, size, field)
    return (
        sample(image, points, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101),
        sample(labels, points, cv2.INTER_NEAREST, cv2.BORDER_REFLECT_101),
    )


@dataclass(frozen=True)
class Piece:
    """A piece of a picture: image (h, w, 3) uint8, alpha (h, w) uint8 0..255; `corner` is where it was cut, (x, y)."""

    image: np.ndarray
    alpha: np.ndarray
    corner: tuple[float, float] = (0, 0)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.alpha.shape[1] - 1) / 2, (self.alpha.shape[0] - 1) / 2

    @property
    def side(self) -> float:
        """The side in pixels of the square that has the cut-out's area."""
        return float(np.sqrt(max(1, np.count_nonzero(self.alpha))))

    def shrunk(self, factor: float) -> Piece:
        """The same at `factor` < 1 of its size, averaged: what is much reduced would otherwise flicker."""
        shape = [max(1, round(n * factor)) for n in self.alpha.shape[::-1]]
        image, alpha = (cv2.resize(a, shape, interpolation=cv2.INTER_AREA) for a in (self.image, self.alpha))
        return Piece(image, alpha)


def cut(image: np.ndarray, mask: np.ndarray) -> Piece:
    """The part of `image` under `mask` (H, W) bool, which must not be empty, cropped to its box."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    box = np.s_[y : y + h, x : x + w]
    return Piece(image[box], mask[box].astype(np.uint8) * 255, (x, y))


def soft(alpha: np.ndarray) -> np.ndarray:
    """uint8 0..255 as float32 0..1 with edges of three pixels."""
    return cv2.GaussianBlur(alpha, (3, 3), 0, borderType=cv2.BORDER_REPLICATE).astype(np.float32) / 255


def paste(
    image: np.ndarray,
    labels: np.ndarray,
    piece: Piece,
    pose: Pose,
    value: int,
    field: np.ndarray | None = None,
    shield: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Copies of `image` (H, W, 3) and `labels` (H, W) with `piece` laid over them and `value` where it covers half.

    shield: (H, W) bool, what lies in front of the piece.
    """
    matrix, (h, w) = pose.matrix(), labels.shape
    ph, pw = piece.alpha.shape
    corners = matrix @ np.array([[-1, pw, -1, pw], [-1, -1, ph, ph], [1, 1, 1, 1]])
    slack = 2 + (0 if field is None else int(np.abs(field).max()))
    x0, y0 = np.maximum(np.floor(corners.min(axis=1)).astype(int) - slack, 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=1)).astype(int) + 1 + slack, (w, h))
    if x0 >= x1 or y0 >= y1:
        return image.copy(), labels.copy()
    local = replace(pose, at=(pose.at[0] - x0, pose.at[1] - y0))
    box = np.s_[y0:y1, x0:x1]
    still = np.zeros((y1 - y0, x1 - x0, 2), np.float32) if field is None else field[box]
    points = shown_points(local, (y1 - y0, x1 - x0), still)
    colour = sample(piece.image, points, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    alpha = sample(piece.alpha, points, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    weight = soft(alpha)
    if shield is not None:  # its outermost pixels let a little through; beyond them nothing of what was there is left
        front = shield[box]
        weight *= 1 - front * np.maximum(soft(front.astype(np.uint8) * 255), 0.75)
    image, labels = image.copy(), labels.copy()
    image[box] = cv2.blendLinear(colour, np.ascontiguousarray(image[box]), weight, 1 - weight)
    labels[box][weight >= 0.5] = value
    return image, labels


def fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`image` with the pixels under `mask` (H, W) bool taken from a wide blur of the others: a ground to uncover."""
    outside = (~cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)).astype(np.float32)
    small = tuple(max(1, n // 8) for n in mask.shape[::-1])
    shown = cv2.resize(image * outside[..., None], small, interpolation=cv2.INTER_AREA)
    share = cv2.resize(outside, small, interpolation=cv2.INTER_AREA)
    mean = shown.sum(axis=(0, 1)) / max(share.sum(), 1e-3)
    # three blurs, narrow to wide: each fills only what the narrower ones left without any colour
    colour = np.broadcast_to(mean, shown.shape).astype(np.float32)
    for sigma in (12.0, 4.0, 1.0):
        weight = cv2.GaussianBlur(share, (0, 0), sigma)[..., None]
        blurred = cv2.GaussianBlur(shown, (0, 0), sigma)
        trust = np.minimum(1, weight * 4)
        colour = colour * (1 - trust) + trust * blurred / np.maximum(weight, 1e-6)
    wide = cv2.resize(colour, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(outside[..., None] > 0, image, np.clip(wide, 0, 255).astype(np.uint8))
