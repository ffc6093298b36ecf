"""CVAT's XML as masks to begin from: tracks, images, what is no mask, and files that are not as they should be."""

import zipfile

import numpy as np
import pytest

from camn.errors import MaskError
from camn.masks import read_masks

SIZE = (24, 32)


def read(tmp_path, body, name="annotations.xml", meta=True, **options):
    size = f"<original_size><width>{SIZE[1]}</width><height>{SIZE[0]}</height></original_size>" if meta else ""
    text = f"<annotations><version>1.1</version><meta><task>{size}</task></meta>{body}</annotations>"
    (tmp_path / name).write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{text}')
    return read_masks(tmp_path / name, None, SIZE, **{"count": 6, **options})


def attributes(said):
    return " ".join(f'{key}="{value}"' for key, value in said.items())


def rle(mask, **more):
    """A mask as CVAT writes it: run lengths along the rows of the box around it, the first one of background."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    runs, last, count = [], False, 0
    for value in part.ravel():
        if value != last:
            runs, last, count = [*runs, count], value, 0
        count += 1
    said = {"rle": ", ".join(map(str, [*runs, count])), "left": columns[0], "top": rows[0], "z_order": 0} | more
    said |= {"width": part.shape[1], "height": part.shape[0]}
    return f"<mask {attributes(said)}></mask>"


def disc(x, y=12, radius=6):
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def polygon(points="2,4;12,4;12,14;2,14", **more):
    return f'<polygon points="{points}" {attributes(more)}/>'


def test_tracks_of_masks_and_polygons(tmp_path):
    shown = rle(disc(10), frame=1, keyframe=1, outside=0) + rle(disc(14), frame=4, keyframe=1, outside=0)
    other = polygon("20,2;30,2;30,10;20,10", frame=1, keyframe=1, outside=0)
    between = polygon("21,2;31,2;31,10;21,10", frame=2, keyframe=0, outside=0)
    gone = polygon("20,2;30,2;30,10;20,10", frame=3, keyframe=1, outside=1)
    body = f'<track id="0" label="cup">{shown}</track><track id="1" label="cup">{other}{between}{gone}</track>'
    found = read(tmp_path, body)
    assert list(found.masks) == [1, 4] and found.ids.ids == (1, 2) and found.names == {1: "cup", 2: "cup"}
    box = np.zeros(SIZE, np.uint8)
    box[2:10, 20:30] = 2
    assert (found.masks[1] == np.where(disc(10), 1, box)).all() and (found.masks[4] == disc(14)).all()
    assert any("guess: left out (1 of them)" in note for note in found.notes)
    assert any("frame 3 (0 is the first) states no object; objects 1, 2 go on" in note for note in found.notes)
    assert list(read(tmp_path, body, whole=True).masks) == [1, 3, 4]
    own = f'<track id="7" label="cup">{shown}</track>'
    assert read(tmp_path, own, meta=False).ids.ids == (7,)
    assert list(read(tmp_path, own, first_frame=1).masks) == [0, 3]


def test_images(tmp_path):
    def image(n, inner, name="clip/frame_%06d.PNG"):
        return f'<image id="{n}" name="{name % n}" width="{SIZE[1]}" height="{SIZE[0]}">{inner}</image>'

    two = rle(disc(10), label="cup") + polygon("20,2;30,2;30,10;20,10", label="cup", z_order=-1)
    first = read(tmp_path, image(0, "") + image(2, two))
    assert list(first.masks) == [2] and first.ids.ids == (1, 2) and first.names == {1: "cup", 2: "cup"}
    over = read(tmp_path, image(0, polygon(label="a", z_order=5) + polygon("2,4;30,4;30,14;2,14", label="b")))
    assert over.names == {1: "a", 2: "b"} and (over.masks[0] == 1).sum() == 100 and (over.masks[0] == 2).sum() == 180
    parts = polygon(label="cup", group_id=3) + polygon("20,2;30,2;30,10;20,10", label="cup", group_id=3)
    assert (read(tmp_path, image(2, parts)).masks[2] == 1).sum() == 180
    round_ = '<ellipse label="x" cx="16" cy="12" rx="9" ry="4.5" rotation="0.0"/>'
    area = int((read(tmp_path, image(1, round_)).masks[1] == 1).sum())
    assert abs(area - np.pi * 9 * 4.5) < 8
    each = image(0, polygon(label="cup") + rle(disc(25), label="box")) + image(3, polygon(label="cup"))
    assert read(tmp_path, each).names == {1: "cup", 2: "box"}
    with pytest.raises(MaskError, match=r"annotations\.xml: several images, .*CVAT for video 1\.1"):
        read(tmp_path, image(0, two) + image(1, two))
    said = '<polygon label="cup" points="2,4;12,4;12,14;2,14"><attribute name="track_id">%d</attribute></polygon>'
    assert read(tmp_path, image(0, said % 4) + image(1, said % 4)).ids.ids == (4,)


def test_what_is_no_mask_is_told(tmp_path):
    box = '<box label="cup" xtl="2" ytl="2" xbr="9" ybr="9"/>'
    with pytest.raises(MaskError, match=r"holds no masks or polygons, but 2 x box, 1 x points; a box, .*--box"):
        read(tmp_path, f'<image id="0" name="a.png">{box}{box}<points points="1,1" label="p"/></image>')
    found = read(tmp_path, f'<image id="0" name="a.png">{box}{polygon(label="cup")}</image>')
    assert any("left out: 1 x box" in note for note in found.notes) and found.ids.ids == (1,)


def test_the_zip_as_it_is_downloaded(tmp_path):
    read(tmp_path, f'<track id="1" label="cup">{polygon(frame=2)}</track>')
    with zipfile.ZipFile(tmp_path / "task.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.write(tmp_path / "annotations.xml", "annotations.xml")
        made.writestr("images/frame_000000.PNG", b"a picture")
    found = read_masks(tmp_path / "task.zip", None, SIZE, count=6)
    assert list(found.masks) == [2] and found.names == {1: "cup"}
    (tmp_path / "cut.zip").write_bytes((tmp_path / "task.zip").read_bytes()[:-30])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as made:
        made.writestr("readme.txt", "nothing")
    for name in ("cut.zip", "other.zip"):
        with pytest.raises(MaskError, match=rf"{name}: .*zip"):
            read_masks(tmp_path / name, None, SIZE)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_is_damaged_within(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as made:
        made.writestr("annotations.xml", "<annotations/>" * 50)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[60:80] = bytes(255 - byte for byte in data[60:80])
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(MaskError, match=r"a\.zip: the zip is damaged or cut short \(\w"):
        read_masks(tmp_path / "a.zip", None, SIZE)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (polygon("1,1;2,2", frame=0), "track 1, frame 0, polygon: a polygon is .* at least three points"),
        (polygon("1,1;2,x;3,3", frame=0), "its points are"),
        (polygon("1,1;nan,2;3,3", frame=0), "no numbers"),
        (polygon("900,900;990,900;990,990", frame=0), "far outside its 32x24 image"),
        (polygon(frame="x"), "'frame' is 'x'"),
        (polygon(frame=0, z_order="top"), "'z_order' is 'top'"),
        (polygon(frame=99999), "none has that of frame 99999"),
        (rle(disc(10), frame=0, left=30), "does not lie within 32x24"),
        (rle(disc(10), frame=0, rle="1, 2"), "RLE does not fill"),
        (rle(disc(10), frame=0, rle="1, a"), "'rle' is '1, a'"),
        (rle(disc(10), frame=0, left="x"), "'left' is 'x'"),
        ('<ellipse frame="0" cx="3" cy="3" rx="0" ry="2"/>', "no ellipse"),
        ("", "holds no masks or polygons"),
    ],
)
def test_bad_values_are_named(tmp_path, body, said):
    with pytest.raises(MaskError, match=rf"annotations\.xml: .*{said}"):
        read(tmp_path, f'<track id="1" label="cup">{body}</track>')


def test_bad_files_are_named(tmp_path):
    bomb = '<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]><annotations>&c;</annotations>'
    outer = '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><annotations>&f;</annotations>'
    for text, said in (
        (bomb, "document type"),
        (outer, "document type"),
        ("<annotations><track id='1'>", "not valid XML"),
        ("<svg/>", "its root is <svg>"),
        ("<annotations/>", "holds no masks or polygons"),
        ("<annotations><image name='a'/><image name='a'/></annotations>", "image 2 has the id and the name"),
        ("<annotations><track id='1'/><image/></annotations>", "holds tracks and images"),
        ("<annotations><track task_id='1'/><track task_id='2'/></annotations>", "tracks of 2 tasks"),
    ):
        (tmp_path / "a.xml").write_text(text)
        with pytest.raises(MaskError, match=rf"a\.xml: .*{said}"):
            read_masks(tmp_path / "a.xml", None, SIZE)
