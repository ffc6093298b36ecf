"""The cache of compiled parts: real files, several processes, and folders that fail."""

import os
import re
import sys
import warnings
from pathlib import Path

import pytest
from forking import Forked

from camn.inference.backends.cache import Cache, cache_folder

WORD = b"a compiled part"


class Part:
    """Writes and reads files of one word, and counts."""

    def __init__(self, word: bytes = WORD):
        self.word, self.made, self.loaded = word, 0, 0

    def make(self, path: Path) -> None:
        self.made += 1
        path.write_bytes(self.word)

    def load(self, path: Path) -> bytes:
        self.loaded += 1
        if path.read_bytes() != self.word:
            raise RuntimeError("not mine")
        return self.word


def only(folder: Path, suffix: str) -> Path:
    (path,) = folder.glob(f"*{suffix}")
    return path


def test_made_once(tmp_path):
    part = Part()
    for _ in range(3):
        assert Cache(tmp_path / "deep" / "er").load("key", ".x", part.make, part.load) == WORD
    assert (part.made, part.loaded) == (1, 3)
    found = Cache(tmp_path / "deep" / "er").find("key", ".x")
    assert found == [only(tmp_path / "deep" / "er", ".x")] and found[0].read_bytes() == WORD
    assert (tmp_path / "deep" / "er").stat().st_mode & 0o077 == 0


def test_keys_and_suffixes_are_kept_apart(tmp_path):
    cache, one, two = Cache(tmp_path), Part(b"one"), Part(b"two")
    for _ in range(2):
        assert cache.load("key", ".x", one.make, one.load) == b"one"
        assert cache.load("key", ".y", two.make, two.load) == b"two"
        assert cache.load("other", ".x", two.make, two.load) == b"two"
    assert (one.made, two.made) == (1, 2)


@pytest.mark.parametrize("content", (b"", WORD[:-1], WORD[:-1] + b"?", WORD + b"more"))
def test_what_is_damaged_is_made_anew(tmp_path, content):
    cache, part = Cache(tmp_path), Part()
    cache.load("key", ".x", part.make, part.load)
    only(tmp_path, ".x").write_bytes(content)
    assert cache.load("key", ".x", part.make, part.load) == WORD
    assert part.made == 2 and part.loaded == 2  # what is damaged is not even looked into
    assert only(tmp_path, ".x").read_bytes() == WORD


def test_what_does_not_load_is_made_anew(tmp_path):
    cache, old, new = Cache(tmp_path), Part(b"old"), Part(b"new")
    cache.load("key", ".x", old.make, old.load)
    assert cache.load("key", ".x", new.make, new.load) == b"new"
    assert only(tmp_path, ".x").read_bytes() == b"new"


def test_an_error_leaves_nothing(tmp_path):
    def make(path):
        path.write_bytes(b"half")
        raise ValueError("no more")

    for _ in range(2):
        with pytest.raises(ValueError, match="no more"):
            Cache(tmp_path).load("key", ".x", make, Path.read_bytes)
    assert not list(tmp_path.iterdir())


def test_what_was_used_longest_ago_goes(tmp_path):
    cache = Cache(tmp_path, limit=35)
    parts = {name: Part(name.encode() * 10) for name in "abcd"}

    def use(name: str) -> None:
        cache.load(name, ".x", parts[name].make, parts[name].load)
        for path in tmp_path.glob("*.x"):  # each use is ten seconds after the one before
            age = path.stat().st_mtime - 10
            os.utime(path, (age, age))

    for name in "abcabd":  # c was used longest ago when d comes
        use(name)
    assert {path.name[0] for path in tmp_path.glob("*.x")} == {"a", "b", "d"}
    use("c")
    assert parts["c"].made == 2
    large = Part(b"l" * 100)
    cache.load("l", ".x", large.make, large.load)
    assert only(tmp_path, ".x").name.startswith("l")  # alone, and larger than the limit


def test_leftovers_of_killed_processes_go_too(tmp_path):
    (tmp_path / ".key.1-2.part.x").write_bytes(b"l" * 100)
    os.utime(tmp_path / ".key.1-2.part.x", (0, 0))
    part = Part()
    Cache(tmp_path, limit=50).load("key", ".x", part.make, part.load)
    assert [path.name[:4] for path in tmp_path.iterdir()] == ["key-"]


def test_a_folder_that_cannot_be(tmp_path):
    """It stands behind a file. One warning, and everything works."""
    (tmp_path / "file").write_bytes(b"")
    cache, part = Cache(tmp_path / "file" / "cache"), Part()
    with pytest.warns(RuntimeWarning, match="CAMN_CACHE") as caught:
        for _ in range(2):
            assert cache.load("key", ".x", part.make, part.load) == WORD
            cache.write_facts("key", {"a": 1})
            with cache.lock("key"):
                assert cache.read_facts("key") == {} and cache.find("key", ".x") == []
    assert len(caught) == 1 and part.made == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_only_be_read(tmp_path):
    part = Part()
    Cache(tmp_path).load("key", ".x", part.make, part.load)
    tmp_path.chmod(0o500)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert Cache(tmp_path).load("key", ".x", part.make, part.load) == WORD
        with pytest.warns(RuntimeWarning):
            Cache(tmp_path).load("new", ".x", part.make, part.load)
    finally:
        tmp_path.chmod(0o700)
    assert part.made == 2


def test_facts(tmp_path):
    cache = Cache(tmp_path)
    assert cache.read_facts("key") == {}
    cache.write_facts("key", {"seconds": {"eager": 0.25}})
    assert Cache(tmp_path).read_facts("key") == {"seconds": {"eager": 0.25}}
    for content in (b"", b'{"seconds": ', b"[1]", b"\xff"):
        only(tmp_path, ".json").write_bytes(content)
        assert cache.read_facts("key") == {}


PROCESS = """
import sys, time
from pathlib import Path
from camn.inference.backends.cache import Cache
folder, log = Path(sys.argv[1]), Path(sys.argv[2])
def make(path):
    with log.open("a") as file:
        file.write("made\\n")
    time.sleep(0.5)  # the others come meanwhile
    path.write_bytes(b"a compiled part")
cache = Cache(folder)
for _ in range(20):
    with cache.lock("key"):
        assert cache.load("key", ".x", make, Path.read_bytes) == b"a compiled part"
"""


def test_processes_at_the_same_time(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "cache"), str(log)]
    processes = [Forked(command) for _ in range(3)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    assert log.read_text() == "made\n"


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("CAMN_CACHE", "~/own")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("CAMN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/camn")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / ".cache" / "camn"


def test_names_tell_the_content(tmp_path):
    part = Part()
    Cache(tmp_path).load("key", ".x", part.make, part.load)
    assert re.fullmatch(r"key-[0-9a-f]{16}\.x", only(tmp_path, ".x").name)


# --- whose it is -----------------------------------------------------------------------------------------------------

STRANGE = {
    "writable by all": (lambda folder: folder.chmod(0o777), "others may write"),
    "writable by a group": (lambda folder: folder.chmod(0o770), "others may write"),
    "sticky": (lambda folder: folder.chmod(0o1777), "others may write"),
    "a link": (lambda folder: folder.rename(folder.with_name("own")).parent / "cache", "is a link"),
    "another user's": (lambda folder: os.chown(folder, 12345, -1), "belongs to another user"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_code_of_others_is_not_run(tmp_path, name):
    change, said = STRANGE[name]
    if name == "another user's" and os.geteuid():
        pytest.skip("root alone can give a folder away")
    folder, theirs, part = tmp_path / "cache", Part(b"theirs"), Part()
    Cache(folder).load("key", ".x", theirs.make, theirs.load)
    change(folder)
    if name == "a link":
        folder.symlink_to(tmp_path / "own")
    before = sorted(path.name for path in folder.iterdir())
    cache = Cache(folder)
    with pytest.warns(RuntimeWarning, match=f"{said}.*CAMN_CACHE") as caught:
        for _ in range(2):
            assert cache.load("key", ".x", part.make, part.load) == WORD
            cache.write_facts("key", {"a": 1})
            assert cache.read_facts("key") == {"a": 1}
            with cache.lock("key"):
                pass
    assert len(caught) == 1 and part.made <= 1  # the private one is that of the whole process
    assert sorted(path.name for path in folder.iterdir()) == before
    assert cache.folder != folder and cache.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755])
def test_folders_that_others_may_read_are_used(tmp_path, mode):
    part = Part()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert Cache(tmp_path / "cache").load("key", ".x", part.make, part.load) == WORD
    assert part.made == 1


def test_files_of_others_are_not_run(tmp_path):
    """As from a time when the folder was open to all. A file that everyone may write to, and one that is no file."""
    theirs, part = Part(b"theirs"), Part()
    Cache(tmp_path).load("key", ".x", theirs.make, theirs.load)
    only(tmp_path, ".x").chmod(0o666)
    os.mkfifo(tmp_path / "key-0.x")
    assert Cache(tmp_path).load("key", ".x", part.make, part.load) == WORD and part.made == 1


def test_any_umask(tmp_path):
    part, before = Part(), os.umask(0)
    try:
        for _ in range(2):
            assert Cache(tmp_path / "cache").load("key", ".x", part.make, part.load) == WORD
    finally:
        os.umask(before)
    assert part.made == 1


def test_places_that_are_none(monkeypatch, tmp_path):
    """A relative XDG_CACHE_HOME counts for nothing, by its standard: what lies in the present folder is not run."""
    monkeypatch.delenv("CAMN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in ("cache", ".", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert cache_folder() == tmp_path / ".cache" / "camn"
    monkeypatch.setenv("XDG_CACHE_HOME", "~nobodyhere/cache")
    folder = cache_folder()
    assert folder.is_dir() and folder.stat().st_mode & 0o077 == 0
