"""Files whole or not at all, errors that name the place, and what a killed process leaves."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from camn.errors import MaskError, NoRoomError, OutputError
from camn.files import (
    close_after,
    leftovers,
    output_error,
    replacing,
    sync,
    temporary,
    text_of,
    write_whole,
    writing,
)


@pytest.mark.parametrize(("number", "advice"), [
    (errno.ENOSPC, "free some space"), (errno.EDQUOT, "free some space"), (errno.EACCES, "permissions"),
    (errno.EROFS, "permissions"), (errno.ENOTDIR, "choose another"), (errno.EIO, "check the disk"),
])  # fmt: skip
def test_every_error_says_where_and_what_to_do(number, advice):
    error = output_error("out/x.png", OSError(number, os.strerror(number)))
    text = str(error)
    assert isinstance(error, NoRoomError) == (number in (errno.ENOSPC, errno.EDQUOT))
    assert text.startswith("out/x.png: ") and advice in text and os.strerror(number) in text


def test_replacing_leaves_the_old_file_when_something_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as part:
        part.write_text("half")
        _ = 1 / 0
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old" and part.parent == tmp_path and part.suffix == ".txt"
    assert path.read_text() == "new" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux' /proc")
def test_what_is_to_last_is_synced_under_its_first_name_and_then_its_folder(tmp_path, synced):
    write_whole(tmp_path / "a.txt", b"new")
    assert synced == []
    write_whole(tmp_path / "a.txt", b"newer", lasting=True)
    assert [path.startswith(".a.") for path in synced] == [True, False] and synced[1] == tmp_path.name
    assert (tmp_path / "a.txt").read_bytes() == b"newer" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.txt", lasting=True):
        _ = 1 / 0
    assert len(synced) == 2
    with pytest.raises(OSError, match="No such file"):
        sync(tmp_path / "gone")


def test_errors_of_other_kinds_are_turned_only_where_they_are_named(tmp_path):
    for kinds, raised, seen in (
        ((), RuntimeError, RuntimeError),
        ((RuntimeError,), RuntimeError, OutputError),
        ((ValueError,), RuntimeError, RuntimeError),
        ((RuntimeError,), MaskError, MaskError),
        ((), OSError, OutputError),
    ):
        with pytest.raises(seen, match="broken"), writing(tmp_path / "x", *kinds):
            raise raised("broken")
        with pytest.raises(seen, match="broken"), replacing(tmp_path / "x", *kinds) as part:
            part.write_text("half")
            raise raised("broken")
    assert not list(tmp_path.iterdir())


def test_threads_that_write_one_file_leave_one_of_theirs(tmp_path):
    path = tmp_path / "a.bin"
    contents = [bytes([n]) * 100_000 for n in range(4)]
    threads = [threading.Thread(target=lambda c=c: [write_whole(path, c) for _ in range(20)]) for c in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents and [p.name for p in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("name", ["overlay.mp4", "shot.v2.png"])
def test_what_a_killed_process_leaves_is_found(tmp_path, name):
    code = "import os, sys; from pathlib import Path; from camn.files import replacing\n"
    code += "with replacing(Path(sys.argv[1])) as part: part.write_text('half'); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / name)]).returncode == -9
    (left,) = tmp_path.iterdir()
    assert left != temporary(tmp_path / name) and left.suffix == (tmp_path / name).suffix
    (tmp_path / name).write_text("mine")
    assert list(tmp_path.glob(leftovers(name))) == [left]
    assert list(tmp_path.parent.glob(f"{tmp_path.name}/" + leftovers(f"*{left.suffix}"))) == [left]


def test_closing_does_not_hide_what_went_wrong_before():
    def close():
        raise OutputError("at the end")

    close_after(close, KeyError("first"))
    with pytest.raises(OutputError, match="at the end"):
        close_after(close, None)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_with_and_without_a_mark(coding):
    assert text_of("b\u00e4r\r\n".encode(coding)) == "b\u00e4r\r\n"


@pytest.mark.parametrize("data", ["b\u00e4r".encode("latin-1"), "bear".encode("utf-16-le"), b"\xff\xfe\x00"])
def test_what_is_no_text_is_refused(data):
    with pytest.raises(ValueError, match="save it as UTF-8"):
        text_of(data)
