"""Draws the demo's first mask from the polygons below: `python scripts/draw_demo_mask.py`.

Object 1 is the rabbit, object 2 the three grey stones that lie together left of its burrow. The coordinates (x, y) were
read off frame 0 of the clip, 1280x720, enlarged six to eight times and brightened. The stones lie in front of the
rabbit and are drawn over it, so that the two share one boundary. A vine or blade of grass in front of a stone counts
as the stone.
With `--overlay FILE` the outlines are also drawn on the frame, to look at.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

DEMO = Path(__file__).resolve().parents[1] / "src" / "camn" / "assets" / "demo"
SIZE = (1280, 720)
PALETTE = ((0, 0, 0), (200, 60, 60), (60, 160, 220))

# fmt: off
RABBIT = [[
    # arm on the stone, shoulder
    (222, 287), (236, 287), (245, 289), (253, 294), (260, 301), (268, 306), (275, 311), (282, 317), (290, 318),
    (297, 320), (302, 325), (307, 329), (314, 331), (320, 332),
    # its right ear (left in the picture)
    (322, 329), (312, 317), (306, 309), (305, 300), (304, 288), (303, 275), (302, 262), (301, 257), (304, 256),
    (312, 259), (320, 264), (327, 269), (333, 277), (340, 287), (346, 296), (349, 303), (350, 315), (352, 328),
    (354, 340), (356, 348), (363, 350), (374, 350),
    # its left ear
    (376, 345), (379, 335), (381, 325), (382, 318), (385, 311), (391, 303), (399, 294), (408, 284), (417, 276),
    (426, 270), (431, 269), (432, 275), (430, 283), (427, 295), (424, 307), (422, 317), (416, 325), (409, 333),
    (402, 340), (395, 350), (388, 359),
    # brow, cheek, arm
    (393, 362), (399, 368), (403, 377), (404, 385), (402, 393), (400, 398), (404, 404), (409, 413), (414, 423),
    (420, 431), (423, 441), (425, 452), (427, 463), (432, 473), (439, 482), (447, 490), (456, 498), (463, 505),
    (469, 511),
    # hand on the ground, fingertips from right to left
    (480, 513), (490, 517), (500, 521), (509, 526), (516, 531), (521, 532), (524, 536), (523, 539), (517, 541),
    (512, 541), (512, 545), (508, 550), (502, 551), (496, 548), (490, 543), (486, 537), (481, 539), (484, 546),
    (482, 553), (476, 556), (470, 553), (468, 547), (466, 541), (460, 538), (452, 538), (446, 541), (443, 547),
    (442, 553), (438, 559), (432, 561), (427, 558), (425, 553), (427, 546),
    # underside: arm, the dark gap below the belly, belly
    (420, 542), (410, 538), (400, 534), (393, 528), (390, 520), (385, 513), (378, 512), (368, 518), (358, 524),
    (350, 530), (345, 532),
    # grass in front of it, back to the stones
    (338, 529), (331, 524), (322, 517), (314, 509), (303, 505), (297, 500), (292, 490), (285, 485), (281, 478),
    (278, 470), (272, 465), (258, 462), (254, 457), (240, 457), (225, 440), (225, 330),
]]
STONES = [[
    # the tall one
    (143, 246), (150, 243), (160, 243), (172, 248), (183, 254), (193, 261), (203, 270), (212, 278), (219, 286),
    (222, 290), (227, 299), (232, 308), (236, 317), (240, 327), (241, 340), (241, 360), (241, 378), (239, 392),
    (236, 404), (233, 415), (231, 426), (190, 440), (150, 420), (118, 390), (114, 380), (117, 372), (119, 362),
    (120, 350), (121, 340), (124, 330), (124, 318), (121, 308), (119, 300), (120, 285), (126, 278), (132, 270),
    (130, 267), (136, 259), (143, 253),
], [
    # the long one in front
    (76, 393), (80, 389), (88, 384), (98, 381), (112, 381), (122, 383), (135, 388), (150, 396), (163, 404),
    (172, 411), (180, 420), (190, 432), (200, 443), (210, 454), (220, 467), (225, 475), (228, 487), (229, 496),
    (226, 505), (223, 515), (218, 522), (212, 529), (206, 523), (200, 527), (190, 529), (178, 526), (165, 522),
    (152, 518), (140, 514), (128, 511), (120, 506), (105, 503), (95, 499), (88, 492), (80, 485), (73, 478),
    (71, 470), (66, 458), (63, 445), (61, 432), (63, 420), (68, 410), (71, 400),
], [
    # the small one between
    (184, 415), (195, 413), (205, 413), (215, 415), (225, 421), (232, 427), (236, 436), (239, 447), (240, 455),
    (239, 459), (232, 459), (222, 461), (215, 460), (205, 449), (195, 438), (188, 426),
]]
# fmt: on


def draw() -> np.ndarray:
    """The mask, (720, 1280) uint8: 0 background, 1 rabbit, 2 stones."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    for number, polygons in enumerate((RABBIT, STONES), start=1):
        for polygon in polygons:
            cv2.fillPoly(mask, [np.array(polygon, np.int32)], number)
    return mask


def save(mask: np.ndarray, path: Path) -> None:
    """Write a palette PNG, whole or not at all."""
    image = Image.fromarray(mask, mode="P")
    image.putpalette([value for colour in PALETTE for value in colour])
    temporary = path.with_suffix(".tmp")
    image.save(temporary, format="PNG", optimize=True)
    os.replace(temporary, path)


def overlay(mask: np.ndarray, path: Path) -> None:
    """Frame 0 with each object's outline, three times as large."""
    _, frame = cv2.VideoCapture(str(DEMO / "bigbuckbunny.mp4")).read()
    canvas = cv2.resize(frame, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    for number in (1, 2):
        area = cv2.resize((mask == number).astype(np.uint8), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(area, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outlines, -1, PALETTE[number][::-1], 1)
    cv2.imwrite(str(path), canvas)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--overlay", type=Path, help="also draw the outlines on the frame into this file")
    arguments = parser.parse_args()
    mask = draw()
    save(mask, DEMO / "first.png")
    if arguments.overlay:
        overlay(mask, arguments.overlay)


if __name__ == "__main__":
    main()
