"""requirements.lock and its two ends are what constraints.txt and pyproject.toml ask for."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def pins(name: str) -> dict[str, str]:
    """Versions by names; of a lock each with hashes."""
    lines = [line.partition(" ")[0] for line in (ROOT / name).read_text().splitlines() if re.match(r"\w", line)]
    return {str(canonicalize_name(known)): version for line in lines for known, _, version in [line.partition("==")]}


def hashes(name: str) -> list[int]:
    text = re.sub(r"^#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    return [entry.count("--hash=sha256:") for entry in re.findall(r"^\w.*\n(?: .*\n)*", text, re.MULTILINE)]


def test_the_lock_has_the_versions_that_the_tests_run_with():
    locked, pinned = pins("requirements.lock"), pins("constraints.txt")
    assert locked == {name: pinned.get(name) for name in locked}, "make lock makes it anew"


def test_the_lock_has_what_every_extra_of_users_asks_for_and_what_builds_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    lines = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    lines += [line for extra, more in extras.items() if extra not in ("dev", "docs") for line in more]
    asked = {str(canonicalize_name(Requirement(line).name)) for line in lines} - {"camn"}
    assert asked - {"torch"} <= pins("requirements.lock").keys(), "make lock makes it anew"


def test_each_package_has_hashes_and_torch_stands_apart():
    common = pins("requirements.lock")
    for name in ("requirements.lock", "requirements-cpu.lock", "requirements-cuda.lock"):
        counts = hashes(name)
        assert len(counts) == len(pins(name)) and all(counts), name
    cpu, cuda = pins("requirements-cpu.lock"), pins("requirements-cuda.lock")
    assert cpu == {"torch": cuda["torch"] + "+cpu"} and cuda["torch"] == pins("constraints.txt")["torch"]
    assert not common.keys() & cuda.keys() and any(name.startswith("nvidia-") for name in cuda)
    assert not any(name.startswith("nvidia-") for name in common)
