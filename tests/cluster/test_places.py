"""Inputs, here and behind URLs."""

import os
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from camn.cluster.places import beside, fetch, is_url, name_of, read_bytes, stamp
from camn.errors import CamnError, DataError


def test_stamps_tell_changes(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "0.png").write_text("a")
    for where in (str(folder), f"file://{folder}", str(folder / "0.png"), f"file://{folder}/0.png"):
        os.utime(folder / "0.png", ns=(10**18, 10**18))
        first = stamp(where)
        assert first and stamp(where) == first
        os.utime(folder / "0.png", ns=(10**18 + 10**10, 10**18 + 10**10))
        assert stamp(where) not in (first, None)
        assert stamp(where + "x") is None


def test_fetching(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "0.png").write_text("a")
    assert fetch(str(folder), tmp_path / "own") == folder and not (tmp_path / "own").exists()
    got = fetch(f"file://{folder}", tmp_path / "own")
    assert got == tmp_path / "own" / "frames" and (got / "0.png").read_text() == "a"
    assert fetch(f"file://{folder}/0.png", tmp_path / "own").read_text() == "a"
    assert read_bytes(f"file://{folder}/0.png") == read_bytes(str(folder / "0.png")) == b"a"
    with pytest.raises(DataError, match="no such file or folder"):
        fetch(f"file://{folder}/1.png", tmp_path / "own")
    with pytest.raises(CamnError, match="nowhere://x: cannot be reached"):
        fetch("nowhere://x", tmp_path / "own")


@pytest.mark.parametrize("key", ["../../evil.png", "/../../../evil.png", "sub/../../../evil.png", "/etc/evil.png"])
def test_keys_that_lead_out_of_the_folder(tmp_path, key):
    """As of a storage or an archive that somebody else wrote: nothing is written elsewhere."""
    pytest.importorskip("fsspec")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("frames/0.png", "a")
        archive.writestr(f"frames/{key}", "evil")
    with pytest.raises(DataError, match="lists .*evil.png', which leads out of the folder"):
        fetch(f"zip://frames::file://{tmp_path}/z.zip", tmp_path / "own" / "video")
    assert not list(tmp_path.rglob("*evil*"))


def test_keys_that_look_odd_and_are_not(tmp_path):
    pytest.importorskip("fsspec")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name in ("0..1.png", "..a.png", "s/0.png", "12:30.png"):
            archive.writestr(f"frames/{name}", name)
    for url, below in ((f"zip://frames::file://{tmp_path}/z.zip", ""), (f"zip://::file://{tmp_path}/z.zip", "frames")):
        got = fetch(url, tmp_path / "own" / str(len(below))) / below
        found = {str(path.relative_to(got)): path.read_text() for path in got.rglob("*.png")}
        assert found == {name: name for name in ("0..1.png", "..a.png", "s/0.png", "12:30.png")}
    (tmp_path / "none").mkdir()
    assert list(fetch(f"file://{tmp_path}/none", tmp_path / "own").iterdir()) == []


def test_the_web(tmp_path):
    """A server that does not answer is no fault of the video's, unlike a file that is not there."""
    pytest.importorskip("aiohttp", reason="fsspec reads https:// by aiohttp")
    (tmp_path / "v.mp4").write_bytes(b"video")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        got = fetch(f"{url}/v.mp4?signature=a/b.c", tmp_path / "own")
        assert got.name == "v.mp4" and got.read_bytes() == read_bytes(f"{url}/v.mp4") == b"video"
        assert stamp(f"{url}/v.mp4") == stamp(f"{url}/v.mp4") is not None
        assert stamp(f"{url}/none.mp4") is None
        with pytest.raises(DataError, match="none.mp4: no such file or folder"):
            fetch(f"{url}/none.mp4", tmp_path / "own")
        server.shutdown()
    with pytest.raises(CamnError, match="v.mp4: the server does not give it") as raised:
        fetch("http://127.0.0.1:9/v.mp4", tmp_path / "own")
    assert not isinstance(raised.value, DataError) and stamp("http://127.0.0.1:9/v.mp4") is None


def test_names_beside():
    assert is_url("s3://b/k") and not is_url("/a/b") and not is_url("a:b.mp4")
    assert beside("/a", "b/c") == "/a/b/c" and beside("/a", "/b") == "/b" and beside("/a", "s3://b") == "s3://b"
    assert beside("s3://b/k", "x/y") == "s3://b/k/x/y" and beside("s3://b/k/j", "../x") == "s3://b/k/x"
    assert beside("file:///a", "../b") == "file:///b"
    assert name_of("/a/b.c.mp4") == "b.c" and name_of("s3://b/frames/v7/") == "v7"
    assert name_of("https://h/a.mp4?sig=1/2.3") == "a" and name_of("zip://in/a.mp4::s3://b/c.zip") == "a"
    assert name_of("simplecache::s3://b/v.mp4") == "v"
