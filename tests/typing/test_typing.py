"""What type checkers of users' programs need. They themselves run with `make lint`, over sample.py beside this."""

from pathlib import Path

import camn


def test_the_package_says_that_it_has_types():
    assert (Path(camn.__file__).parent / "py.typed").read_bytes() == b""
