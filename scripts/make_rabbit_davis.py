"""A folder in DAVIS' layout from the demo clip and its masks: pictures for the docs without other people's data.

    camn demo --out demo-out && python scripts/make_rabbit_davis.py demo-out rabbit
    python bench/postprocess.py rabbit --short-side 240 --pixels 24 --frames 8 --sequences rabbit --pictures docs/images

Two sequences: the rabbit (object 1 of the demo's own masks) from frame 60 on; the stones, whose first frame is ground.
"""

import sys
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from camn import api
from camn.masks import write_palette_png

BEGIN, COUNT = 60, 10
CLIP = Path(api.__file__).parents[1] / "assets" / "demo" / "bigbuckbunny.mp4"


def main(demo: Path, out: Path) -> None:
    (out / "ImageSets" / "2016").mkdir(parents=True, exist_ok=True)
    (out / "ImageSets" / "2016" / "val.txt").write_text("rabbit\nstones\n")
    for name, first, id in (("rabbit", BEGIN, 1), ("stones", 0, 2)):
        folders = [out / kind / "480p" / name for kind in ("JPEGImages", "Annotations")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for index, frame in enumerate(islice(api.open_source(CLIP), first, first + COUNT)):
            mask = np.asarray(Image.open(demo / "masks" / f"{frame.name}.png"))
            Image.fromarray(frame.image).save(folders[0] / f"{index:05d}.jpg", quality=95)
            write_palette_png(folders[1] / f"{index:05d}.png", (mask == id).astype(np.uint8))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
