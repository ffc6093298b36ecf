"""requirements.lock and its two ends are what constraints.txt and pyproject.toml ask for."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def pins(name: str) -> dict[str, str]:
    """Versions by names, also of what only other systems need."""
    return {str(canonicalize_name(entry.name)): str(entry.specifier)[2:] for entry in entries(name)}


def entries(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(line.removesuffix("\\")) for line in lines if re.match(r"\w", line)]


def hashes(name: str) -> list[int]:
    text = re.sub(r"^#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    return [entry.count("--hash=sha256:") for entry in re.findall(r"^\w.*\n(?: .*\n)*", text, re.MULTILINE)]


def test_the_lock_has_the_versions_that_the_tests_run_with():
    here = [entry for entry in entries("requirements.lock") if not entry.marker or entry.marker.evaluate()]
    locked, pinned = pins("requirements.lock"), pins("constraints.txt")
    names = [str(canonicalize_name(entry.name)) for entry in here]
    assert {name: locked[name] for name in names} == {name: pinned.get(name) for name in names}, "run make lock"


def test_the_lock_has_what_every_extra_of_users_asks_for_and_what_builds_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    lines = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    lines += [line for extra, more in extras.items() if extra not in ("dev", "docs") for line in more]
    asked = {str(canonicalize_name(Requirement(line).name)) for line in lines} - {"camn"}
    assert asked - {"torch"} <= pins("requirements.lock").keys(), "run make lock"


def test_each_package_has_hashes_and_torch_stands_apart():
    common = pins("requirements.lock")
    for name in ("requirements.lock", "requirements-cpu.lock", "requirements-cuda.lock"):
        counts = hashes(name)
        assert len(counts) == len(pins(name)) and all(counts), name
    cpu, cuda = pins("requirements-cpu.lock"), pins("requirements-cuda.lock")
    assert cpu == {"torch": cuda["torch"] + "+cpu"} and cuda["torch"] == pins("constraints.txt")["torch"]
    assert not common.keys() & cuda.keys() and any(name.startswith("nvidia-") for name in cuda)
    assert not any(name.startswith("nvidia-") for name in common)
