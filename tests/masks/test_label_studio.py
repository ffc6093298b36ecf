"""Label Studio's JSON as masks to begin from: brushes, polygons, names of images; and what is none."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.errors import MaskError
from camn.masks import read_masks
from camn.masks.rle import decode_label_studio

SIZE = (24, 32)
NAMES = [f"{index:06d}" for index in range(3)]


def box(left, right, top=6, bottom=18):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def packed(mask, lengths=(3, 4, 8, 16), literal=0):
    """As Label Studio packs it. literal: of so many words at a time each is written out, 0: runs alone."""
    words = np.repeat(mask.ravel() * 255, 4).tolist()
    bits = f"{len(words):032b}{7:05b}" + "".join(f"{length - 1:04b}" for length in lengths)
    at = 0
    while at < len(words):
        end = at + 1
        while end < len(words) and words[end] == words[at] and end - at < 2 ** lengths[3]:
            end += 1
        repeated = not literal or end - at > literal
        end = end if repeated else min(len(words), at + literal)
        kind = next(n for n, length in enumerate(lengths) if end - at <= 2**length)
        bits += f"{repeated:b}{kind:02b}{end - at - 1:0{lengths[kind]}b}"
        bits += "".join(f"{word:08b}" for word in (words[at : at + 1] if repeated else words[at:end]))
        at = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[n : n + 8], 2) for n in range(0, len(bits), 8)]


def brush(mask, label="cup", **more):
    value = {"format": "rle", "rle": packed(mask), "brushlabels": [label]}
    return region("brushlabels", value, **more)


def region(kind, value, **more):
    return {"original_height": SIZE[0], "original_width": SIZE[1], "type": kind, "value": value, "id": "x", **more}


def task(*results, image="/data/upload/3/1a2b3c4d-000002.png", **more):
    return {"id": 812, "annotations": [{"id": 5, "result": list(results)}], "data": {"image": image}, **more}


def read(tmp_path, content, **options):
    (tmp_path / "l.json").write_text(json.dumps(content))
    return read_masks(tmp_path / "l.json", NAMES, SIZE, **options)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 3, 40]), st.integers(1, 7), st.integers(1, 9))
def test_the_packing(seed, literal, height, width):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    data = bytes(packed(mask, literal=literal))
    assert (decode_label_studio(data, height, width) == mask).all()
    with pytest.raises(MaskError, match="cut short|does not fill"):
        decode_label_studio(data[:-1], height, width)
    with pytest.raises(MaskError, match="not of"):
        decode_label_studio(data, height + 1, width)


def test_regions(tmp_path):
    percent = [[62.5, 25], [93.75, 25], [93.75, 75], [62.5, 75]]
    regions = [
        brush(box(4, 12)),
        region("polygonlabels", {"points": percent, "polygonlabels": ["cup"], "closed": True}),
    ]
    found = read(tmp_path, [task(*regions, region("choices", {"choices": ["good"]}))])
    assert list(found.masks) == [2] and found.names == {1: "cup", 2: "cup"}
    assert (found.masks[2] == box(4, 12) + 2 * box(20, 30)).all()
    apart = [brush(box(4, 12), type="brush", id="a"), region("labels", {"labels": ["box"]}, id="a")]
    del apart[0]["value"]["brushlabels"]
    found = read(tmp_path, task(*apart, image="/data/local-files/?d=clip/000001.jpg"))
    assert list(found.masks) == [1] and found.names == {1: "box"}
    oval = region(
        "ellipselabels", {"x": 50, "y": 50, "radiusX": 25, "radiusY": 25, "rotation": 0, "ellipselabels": ["o"]}
    )
    assert abs(int((read(tmp_path, [task(oval)]).masks[2] == 1).sum()) - np.pi * 8 * 6) < 8
    each = [task(brush(box(4, 12)), brush(box(20, 28), "box"), image=f"s3://x/00000{n}.png") for n in (0, 2)]
    found = read(tmp_path, each)
    assert list(found.masks) == [0, 2] and found.names == {1: "cup", 2: "box"}
    two = task(brush(box(4, 12)))
    two["annotations"].append({"result": [brush(box(20, 28))], "ground_truth": True})
    assert (read(tmp_path, [two]).masks[2] == box(20, 28)).all()


def test_what_is_no_mask_is_told(tmp_path):
    rectangle = region("rectanglelabels", {"x": 1, "y": 1, "width": 9, "height": 9, "rectanglelabels": ["cup"]})
    moving = region("videorectangle", {"sequence": [{"frame": 1, "x": 1}], "labels": ["cup"]})
    predicted = {"data": {"image": "000001.png"}, "annotations": [], "predictions": [{"result": [brush(box(4, 12))]}]}
    for content, said in (
        ([task(rectangle, moving)], "holds no masks or polygons, but 1 x rectangle, 1 x videorectangle; a box"),
        ([predicted], "holds no masks or polygons"),
        ([{"annotation_id": 3, "image": "a.png", "tag": []}], "JSON-MIN .* export as 'JSON'"),
        ([task(brush(box(4, 12), image_rotation=90))], "turned in Label Studio"),
        ([task(brush(box(4, 12), original_width=33))], r"000002\.png, region 1 \(brush\): its 'rle' is not of 33x24"),
        ([task(region("brushlabels", {"rle": [0, 900]}))], "no list of bytes"),
        ([task(region("polygonlabels", {"points": [[1, 2], [3, 4]]}))], "at least three points"),
        ([task(region("polygonlabels", {"points": [[1, "2"]]}))], "'2' is no number"),
        ([task(region("polygonlabels", {"points": 4}))], "its 'points' are 4"),
        ([task(), {"data": {}, "annotations": 4}], "task 2: 'annotations' must be a list"),
        ([{"data": {}, "annotations": [{"result": 4}]}], "task 1: 'result' must be a list"),
    ):
        with pytest.raises(MaskError, match=rf"l\.json: .*{said}"):
            read(tmp_path, content)
