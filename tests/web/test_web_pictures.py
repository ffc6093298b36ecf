"""What the page takes as frames: the same as the command line, and nothing is left out in silence."""

import io
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import camn
from camn import api
from camn.errors import VideoError
from camn.media.folder_files import EXTENSIONS, RARE, UNREAD
from camn.web.answers import plain
from camn.web.limits import Limits
from camn.web.studio import Studio
from camn.web.uploads import Inbox
from camn.web.zips import members, unpack


def picture(kind: str = "PNG", count: int = 1, shade: int = 0) -> bytes:
    file = io.BytesIO()
    first, *more = (Image.fromarray(np.full((16, 24, 3), (shade + 40 * i, 90, 90), np.uint8)) for i in range(count))
    first.save(file, kind, **({"save_all": True, "append_images": more} if more else {}))
    return file.getvalue()


def settled(folder: Path, files: dict[str, bytes]) -> tuple[Inbox, str]:
    folder.mkdir(exist_ok=True)
    inbox, given = Inbox(folder / "source", Limits()), folder / "given"
    shutil.rmtree(given, ignore_errors=True)
    given.mkdir()
    for name, data in files.items():
        (given / name).write_bytes(data)
        inbox.copy(given / name)
    return inbox, inbox.settle()


def shades(folder: Path) -> list[int]:
    return [int(frame.image[0, 0, 0]) for frame in api.open_source(folder)]


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "PNG", "GIF", "AVIF"])
def test_one_file_of_several_pictures_is_a_video(tmp_path, kind):
    inbox, found = settled(tmp_path, {"stack.xyz": picture(kind, 4)})
    assert found == "video" and len(shades(inbox.sent[0].file)) == 4
    _, found = settled(tmp_path / "one", {"one.xyz": picture(kind)}) if kind != "GIF" else (None, "images")
    assert found == "images"


def test_a_file_of_several_pictures_among_others_is_refused(tmp_path):
    with pytest.raises(VideoError, match="holds 3 pictures, and a frame is one"):
        settled(tmp_path, {"0.tif": picture(), "1.tif": picture("TIFF", 3)})


def test_pictures_in_the_sequence_that_are_not_read_are_refused(tmp_path, make):
    frames = {f"IMG_{number}.png": picture() for number in (1, 2, 4)}
    with pytest.raises(VideoError, match=r"IMG_3.HEIC stands among the frames"):
        settled(tmp_path, {**frames, "IMG_3.HEIC": b"x"})
    zipped = {f"a/{name}": data for name, data in {**frames, "IMG_3.dng": b""}.items()}
    (tmp_path / "a.zip").write_bytes(make.archive(zipped))
    with pytest.raises(VideoError, match=r"the zip: a/IMG_3.dng stands among the frames"):
        members(tmp_path / "a.zip", Limits())


def test_other_pictures_are_noted(tmp_path, make):
    files = {"2.png": picture(shade=9), "10.png": picture(), "cover.psd": b"x", "preview.gif": picture("GIF")}
    inbox, found = settled(tmp_path, files)
    assert found == "images" and shades(tmp_path / "source" / "images") == [9, 0]
    assert "not read as frames: cover.psd, preview.gif" in inbox.notes[0]
    (tmp_path / "a.zip").write_bytes(make.archive({**files, "Thumbs.db": b"", "2.xmp": b"", "10.dng": b""}))
    assert members(tmp_path / "a.zip", Limits()).notes == inbox.notes


def test_decimal_names_and_rare_kinds_in_a_zip_and_sent_one_by_one(tmp_path, make):
    names = ["0.0", "0.25", "0.5", "1.0", "1.05"]
    files = {f"{name}.tga": picture("TGA", shade=10 * index) for index, name in enumerate(names)}
    (tmp_path / "a.zip").write_bytes(make.archive(files))
    unpack(tmp_path / "a.zip", tmp_path / "unpacked", Limits(), lambda done: None)
    settled(tmp_path, files)
    assert shades(tmp_path / "unpacked") == shades(tmp_path / "source" / "images") == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("name", [b"caf\xe9", b"quite plain"])
def test_a_folder_that_the_command_names(tmp_path, name):
    frames = tmp_path / os.fsdecode(name)
    frames.mkdir()
    for index in range(2):
        (frames / f"{os.fsdecode(name)}{index}.png").write_bytes(picture())
    (frames / "0.dng").touch()
    studio = Studio(tmp_path / "projects", api.SegmentOptions())
    try:
        project = studio.open_video(frames)
        assert studio.open_video(frames) is project
        while project.record.state == "decoding":
            time.sleep(0.01)
    finally:
        studio.close()
    again = Studio(tmp_path / "projects", api.SegmentOptions())
    try:
        assert again.open_video(frames).id == project.id
        record = again.store.get(project.id).record
        assert record.total == 2 and record.error is None
        (note,) = record.notes
        assert note.startswith("Pictures that are not read as frames: 0.dng")
        again.detail(again.store.get(project.id)).model_dump_json()
    finally:
        again.close()


def test_pictures_of_twelve_bits_are_told_of_without_an_option_that_the_page_has_not(server, make):
    deep = make.png(make.picture(0)[..., 0].astype(np.uint16) * 16)
    project = server.project(("0.png", deep), ("1.png", deep))
    (note,) = server.ask("GET", f"/api/projects/{project}")["notes"]
    assert "4095 for white" in note and "--" not in note and "pictures of 8 bits" in note


def test_messages_hold_no_bytes_that_are_no_text():
    assert plain(VideoError(os.fsdecode(b"caf\xe9.png: is not")), (Path("/x"), "x")) == "Caf\\udce9.png: is not."


def test_the_page_and_the_server_mean_the_same_suffixes():
    text = (Path(camn.__file__).parent / "web" / "static" / "js" / "upload.js").read_text("utf-8")
    for name, kinds in (("IMAGE", EXTENSIONS), ("RARE", RARE), ("UNREAD", UNREAD)):
        said = re.search(rf"const {name} = (.*?)\.split", text, re.DOTALL)
        assert said and {f".{end}" for end in re.findall(r"[a-z0-9]+", said[1])} == kinds
