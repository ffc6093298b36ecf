"""A cache for each test."""

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of its own for each test, and nothing said of `auto` by the environment."""
    monkeypatch.setenv("CAMN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CAMN_BACKEND", raising=False)
    return tmp_path / "cache"
