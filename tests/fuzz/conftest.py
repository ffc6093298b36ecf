"""The command line in this process, and valid files to begin from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from corpus import make_files

from camn.cli import main


@dataclass(frozen=True)
class Ended:
    code: int
    said: str
    error: str


@pytest.fixture(scope="session")
def valid(tmp_path_factory) -> Path:
    """A folder of files that are as they should be."""
    folder = tmp_path_factory.mktemp("valid")
    make_files(folder)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder to work in, as the current one."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


@pytest.fixture
def run(capsys) -> Callable[..., Ended]:
    """The command line in this process. Whatever it is given, it ends by a rule: 0 (or 1 for an argument parser's own
    help), 2 with a sentence, 130; an exception that comes out of it fails the test."""

    def run(*arguments: str) -> Ended:
        try:
            code = main(list(arguments))
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 2
        said, error = capsys.readouterr()
        assert code in (0, 2, 130), (arguments, code, error)
        assert "Traceback" not in error + said, (arguments, error)
        assert code == 0 or error.strip() or said.strip(), (arguments, "ended without a word")
        return Ended(code, said, error)

    return run
