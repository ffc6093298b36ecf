"""Which files of a folder are frames, and that no picture is left out in silence."""

import io

import numpy as np
import pytest
from PIL import Image

from camn.errors import VideoError
from camn.media.folder_files import EXTENSIONS, RARE, UNREAD, list_frames, picture_kind
from camn.media.opening import open_source

PICTURE = np.full((13, 21, 3), (200, 100, 50), np.uint8)
FRAMES = ("IMG_0000.png", "IMG_0001.png", "IMG_0003.png")


def written(kind) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, kind)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    for name in FRAMES:
        (tmp_path / name).write_bytes(written("PNG"))
    return tmp_path


def test_suffixes_are_of_one_kind_each():
    assert not EXTENSIONS & RARE and not EXTENSIONS & UNREAD and not RARE & UNREAD


@pytest.mark.parametrize("name", [
    *(f"IMG_0002.{end}" for end in ("HEIC", "exr", "dng", "jxl", "dpx", "CR3", "tga", "gif", "psd")),
    "IMG_0002", "IMG_0002.dat", "IMG_0002.png.part", "IMG_0002.jpg~",
])  # fmt: skip
def test_a_picture_in_the_sequence_that_is_not_read_is_refused(folder, name):
    (folder / name).write_bytes(written("PNG"))
    with pytest.raises(VideoError, match=rf"{name} stands among the frames by its name, but cannot be read .* convert"):
        open_source(folder)


def test_a_link_to_nothing_is_refused(folder):
    (folder / "IMG_0002.png").symlink_to("away.png")
    (folder / "IMG_0004.png").symlink_to("IMG_0003.png")
    with pytest.raises(VideoError, match=r"IMG_0002.png stands among the frames"):
        open_source(folder)


def test_many_are_counted(folder):
    for number in range(10, 20):
        (folder / f"IMG_00{number}.exr").touch()
    with pytest.raises(VideoError, match="IMG_0010.exr, .*IMG_0014.exr and 5 more stand among the frames by"):
        open_source(folder)


def test_other_pictures_and_deeper_ones_are_told(folder):
    (folder / "cover.psd").touch()
    (folder / "rest").mkdir()
    (folder / "rest" / "IMG_0009.png").touch()
    source = open_source(folder)
    assert source.count == 3 and len(source.notes) == 2
    assert "not read as frames: cover.psd; convert" in source.notes[0]
    assert "the folder rest in it holds more pictures with names like the frames'" in source.notes[1]
    assert len(list(source)) == 3 and source.warnings == list(source.notes)


def test_no_alarm_for_what_is_no_further_picture(folder):
    beside = ["Thumbs.db", "desktop.ini", ".DS_Store", "notes.txt", "IMG_0000.xmp", "IMG_0001.json", "IMG_0002.txt"]
    beside += ["IMG_0000.dng", "IMG_0001.HEIC", "IMG_0001.MOV", "IMG_0003.png.bak", ".IMG_0002.heic", "clip.mp4"]
    for name in beside:
        (folder / name).write_bytes(b"no picture \x00\x01")
    (folder / "IMG_0003.png.bak").write_bytes(written("PNG"))
    for name in ("masks/IMG_0000.png", "thumbs/small.jpg", "__MACOSX/._IMG_0002.png", "@eaDir/IMG_0009.png"):
        (folder / name).parent.mkdir()
        (folder / name).touch()
    source = open_source(folder)
    assert source.count == 3 and source.notes == () and len(list(source)) == 3 and source.warnings == []


@pytest.mark.parametrize("suffix", ["tga", "gif", "jfif", "j2k", "qoi", "pcx", "sgi", "dib"])
def test_a_folder_of_a_rare_kind_is_read(tmp_path, suffix):
    kind = {"jfif": "JPEG", "j2k": "JPEG2000"}.get(suffix, suffix.upper())
    for number in range(2):
        (tmp_path / f"{number}.{suffix}").write_bytes(written(kind))
    frames = list(open_source(tmp_path))
    assert [frame.name for frame in frames] == ["0", "1"]
    assert np.abs(frames[0].image.astype(int) - PICTURE).max() < 30  # GIF has few colours


def test_names_alone_tell_as_in_a_zip():
    listing = list_frames(["a/2.png", "../.hidden.png", "a/10.jpg", "a/1.png", "a/3.heic", "a/1.heic", "a/read.me"])
    assert (listing.frames, listing.between, listing.notes) == (("a/1.png", "a/2.png", "a/10.jpg"), ("a/3.heic",), ())


def test_what_a_picture_is_by_its_first_bytes(tmp_path):
    path = tmp_path / "x"
    for kind, name in (("PNG", "PNG"), ("JPEG", "JPEG"), ("WEBP", "WebP"), ("AVIF", "AVIF"), ("TIFF", "TIFF")):
        path.write_bytes(written(kind))
        assert picture_kind(path) == name
    for text in (b"", b"RIFF", b"\0\0\0\x18ftypisom", b"hello"):
        path.write_bytes(text)
        assert picture_kind(path) is None
    path.write_bytes(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic")
    assert picture_kind(path) == "HEIC"
