"""Inputs, here and behind URLs."""

import os

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


def test_names_beside():
    assert is_url("s3://b/k") and not is_url("/a/b") and not is_url("a:b.mp4")
    assert beside("/a", "b/c") == "/a/b/c" and beside("/a", "/b") == "/b" and beside("/a", "s3://b") == "s3://b"
    assert beside("s3://b/k", "x/y") == "s3://b/k/x/y" and beside("s3://b/k/j", "../x") == "s3://b/k/x"
    assert beside("file:///a", "../b") == "file:///b"
    assert name_of("/a/b.c.mp4") == "b.c" and name_of("s3://b/frames/v7/") == "v7"
    assert name_of("https://h/a.mp4?sig=1/2.3") == "a" and name_of("zip://in/a.mp4::s3://b/c.zip") == "a"
    assert name_of("simplecache::s3://b/v.mp4") == "v"
