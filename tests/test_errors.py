"""What libraries' errors become in our sentences."""

import errno
import os
import re
from pathlib import Path

import camn
from camn.errors import words_of

NAMED = {"cluster/video.py", "media/container.py"}  # a fault of ours; and what PyAV has no class for


def test_words_of_errors():
    for error, words in (
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
        (ValueError("line 3:\n  no number."), "line 3: no number"),
        (KeyError("ids"), "'ids' is missing"),
        (TimeoutError(), "no answer in time"),
        (MemoryError(), "out of memory"),
        (AssertionError(), "no reason is told"),
    ):
        assert words_of(error) == words
    assert len(words_of(ValueError("x" * 9999))) == 500


def test_no_message_names_an_error_of_python():
    source = Path(camn.__file__).parent
    found = {path for path in source.rglob("*.py") if re.search(r"type\((error|e)\)\.__name__", path.read_text())}
    assert {path.relative_to(source).as_posix() for path in found} <= NAMED
