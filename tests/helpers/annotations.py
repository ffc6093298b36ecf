"""Files of annotations as other programs write them, of a frame of 48x32: a valid one of each kind, by its name."""

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from corpus import SIZE, ids
from PIL import Image

POINTS = [[10, 8], [30, 8], [30, 24], [10, 24]]
FLAT = [x for point in POINTS for x in point]
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><original_size><width>48</width><height>32</height></original_size></task></meta>
<track id="0" label="box"><polygon frame="0" keyframe="1" outside="0" z_order="0" points="10,8;30,8;30,24;10,24"/>
<polygon frame="2" keyframe="1" outside="1" points="10,8;30,8;30,24"/></track>
<track id="1" label="line"><mask frame="1" keyframe="1" outside="0" rle="0, 6, 2, 4" left="3" top="4" width="4"
height="3"/>
<ellipse frame="0" cx="20" cy="9" rx="5" ry="4" rotation="30"/></track></annotations>"""
YOLO = "0 " + " ".join(f"{x / 48:.5f} {y / 32:.5f}" for x, y in POINTS) + "\n1 0.1 0.1 0.2 0.1 0.2 0.2\n"


def youtube_vis() -> dict[str, Any]:
    rle = {"size": list(SIZE), "counts": [0, 40, SIZE[0] * SIZE[1] - 40]}
    video = {"id": 1, "file_names": [f"a/{n:05d}.jpg" for n in range(3)], "height": 32, "width": 48, "length": 3}
    shown = [{"id": 1, "video_id": 1, "category_id": 1, "segmentations": [[FLAT], None, rle]}]
    return {"videos": [video], "annotations": shown, "categories": [{"id": 1, "name": "box"}]}


def labelme() -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.fromarray(ids(0)[2:7, 2:9] == 2).save(buffer, "PNG")
    part = base64.b64encode(buffer.getvalue()).decode()
    shapes = [
        {"label": "box", "points": POINTS, "group_id": 3, "shape_type": "polygon"},
        {"label": "line", "points": [[2, 2], [8, 6]], "group_id": None, "shape_type": "mask", "mask": part},
        {"label": "dot", "points": [[2, 2], [2, 5]], "group_id": None, "shape_type": "circle"},
    ]
    return {"version": "5.5.0", "shapes": shapes, "imagePath": "00001.png", "imageHeight": 32, "imageWidth": 48}


def label_studio() -> list[Any]:
    percent = [[100 * x / 48, 100 * y / 32] for x, y in POINTS]
    whole = [*(4 * 32 * 48).to_bytes(4, "big"), 0b00111_001, 0b0_0011_011, 0b1_1111_1_11, 0b00010111, 0b11111111, 0xFF]
    sized = {"original_height": 32, "original_width": 48}
    results = [
        {"type": "polygonlabels", "value": {"points": percent, "polygonlabels": ["box"]}, "id": "a", **sized},
        {"type": "brushlabels", "value": {"rle": whole, "brushlabels": ["line"]}, "id": "b", **sized},
    ]
    return [{"id": 7, "annotations": [{"result": results}], "data": {"image": "/upload/00001.png"}}]


DOCUMENTS: Mapping[str, Any] = {"vis": youtube_vis, "labelme": labelme, "studio": label_studio}


def made() -> dict[str, bytes]:
    """The bytes of a file of each kind, by its name."""
    arrays, zipped = io.BytesIO(), io.BytesIO()
    np.savez_compressed(arrays, **{"00000": ids(0), "00002": ids(1)})
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("annotations.xml", CVAT)
    single = io.BytesIO()
    np.save(single, ids(0))
    texts = {f"{name}.json": json.dumps(document()).encode() for name, document in DOCUMENTS.items()}
    files = {"cvat.xml": CVAT.encode(), "cvat.zip": zipped.getvalue(), "yolo.txt": YOLO.encode()}
    return texts | files | {"one.npy": single.getvalue(), "some.npz": arrays.getvalue()}
