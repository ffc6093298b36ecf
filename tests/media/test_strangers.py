"""What is given for a video and is none: refused before a library opens it, in words that say what to do."""

import os
import zipfile
from pathlib import Path

import pytest
from videos import make_video

from camn.errors import VideoError
from camn.media.container import library_errors
from camn.media.opening import open_source

ADDRESSES = ["rtmp:/x", "srt://me:secret@x:1", "udp://@:1234", "ftp://x/a.mp4"]
READ = ["rtsp://camera/1", "http://127.0.0.1:9/a.mp4", "HTTPS://x.org/a.mp4"]
NAMES = {
    "0": "camn segment reads it as camera:0",
    "/dev/video99": "no such camera; there are",
    "camera:99": "no such camera; there are",
    "/dev/null": "a camera or another device",
    "frames/%05d.png": "frames/%05d.png: no such file; a pattern is that of names in one folder",
    "frames/*.png": "check the folder",
    "frames/####.png": "check the folder",
    "~/nowhere/a.mp4": "did not expand ~",
    "file:///a.mp4": "without file://",
    "nothing.mp4": "no such file or folder; check the path",
    "x" * 300: "no path of a file",
}
LISTS = {
    "a.m3u8": "#EXTM3U\n#EXTINF:1,\nwhole.mp4\n#EXT-X-ENDLIST\n",
    "hls.mp4": "\n #EXTM3U\nhttp://127.0.0.1:9/x.ts\n",
    "bom.m3u8": "\ufeff#EXTM3U\nwhole.mp4\n",
    "list.ffconcat": "ffconcat version 1.0\nfile whole.mp4\n",
    "list.txt": "# mine\nfile 'whole.mp4'\nfile 'other.mp4'\n",
    "a.mpd": '<?xml version="1.0"?>\n<!-- x -->\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "a.sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    "a.pls": "[playlist]\nFile1=whole.mp4\n",
    "a.asx": "<ASX version='3.0'><entry/></ASX>",
}
OTHERS = {
    "a.pdf": (b"%PDF-1.4 x", "a PDF, not a video"),
    "a.srt": (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", "subtitles"),
    "a.vtt": (b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n", "subtitles"),
    "page.mp4": (b"<!DOCTYPE html><html></html>", "a web page, not a video"),
    "lfs.mp4": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "words.mp4": (b"these are words\n" * 300, "text, not a video"),
    "empty.mp4": (b"", "the file is empty"),
    "spaces.mp4": (b" \n" * 300, "not a video"),
}


def refused(path: str | Path) -> str:
    with pytest.raises(VideoError) as caught:
        open_source(path)
    return str(caught.value)


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in (address, Path(address)):  # which makes one slash of two
        message = refused(given)
        assert "an address, and only files are read; save the video to a file first" in message
        assert "camn segment reads http://, https:// and rtsp://" in message and "secret" not in message


@pytest.mark.parametrize("address", READ)
def test_a_path_is_never_an_address(address):
    """As who reads files alone, such as the page, gives them."""
    assert "an address, and only files are read; save the video to a file first" in refused(Path(address))


@pytest.mark.parametrize("name", NAMES)
def test_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert NAMES[name] in refused(name)
    assert "only camn segment and camn mark read the standard input" in refused(Path("-"))
    assert "reads it as camera:/dev/video99" in refused(Path("/dev/video99"))


def test_names_that_only_look_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("0", "%05d.mp4", "[1].mp4", "-x.mp4", "rtsp:x.mp4", "a*b.mp4"):
        make_video(tmp_path / "video.mp4", count=2).rename(name)
        assert len(list(open_source(name))) == 2


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_other_files_are_not_opened(name, tmp_path):
    """Also where they are called as a video is; what they name is there and could be read."""
    make_video(tmp_path / "whole.mp4", count=2)
    (tmp_path / name).write_text(LISTS[name], encoding="utf-8")
    message = refused(tmp_path / name)
    assert str(tmp_path / name) in message and "what it names is not opened" in message and "give an intact" in message
    (tmp_path / name).write_text(LISTS[name], encoding="utf-16")
    assert "not a video" in refused(tmp_path / name)


def test_many_comments_take_no_time(tmp_path):
    """There were twice as many ways to read each more."""
    (tmp_path / "a.svg").write_text("<?xml version='1.0'?>" + "<!-- -->\n" * 400 + "<svg/>")
    assert "text, not a video" in refused(tmp_path / "a.svg")
    (tmp_path / "a.mp4").write_text("<!-- a -->\n<!-- b --><MPD/>")
    assert "a playlist (DASH)" in refused(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", OTHERS)
def test_other_files(name, tmp_path):
    content, words = OTHERS[name]
    (tmp_path / name).write_bytes(content)
    message = refused(tmp_path / name)
    assert words in message and "give an intact video file" in message


def test_archives_links_pipes_and_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("0.png", b"x")
    assert "an archive, not a video: unpack it" in refused(tmp_path / "a.zip")
    (tmp_path / "dead.mp4").symlink_to(tmp_path / "nowhere")
    assert "a link to what is not there" in refused(tmp_path / "dead.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "a pipe or a socket" in refused(tmp_path / "pipe.mp4")
    (tmp_path / "empty").mkdir()
    assert "the folder is empty" in refused(tmp_path / "empty")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = make_video(tmp_path / "a.mp4", count=2)
    path.chmod(0)
    assert "not allowed to read it; change its permissions" in refused(path)


def test_whatever_the_library_raises_names_file_and_remedy(tmp_path):
    for error in (
        KeyError("x"),
        RuntimeError("y"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "z"),
        OverflowError("big"),
    ):
        with (
            pytest.raises(VideoError, match="a.mp4: cannot be read on .*; convert it"),
            library_errors(tmp_path / "a.mp4"),
        ):
            raise error
    with pytest.raises(MemoryError), library_errors(tmp_path / "a.mp4"):
        raise MemoryError
