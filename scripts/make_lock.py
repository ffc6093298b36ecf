"""Writes requirements.lock and requirements-cuda.lock: every package with its version and the hashes of its files.

    .venv/bin/python scripts/make_lock.py          (make lock)

The versions are those of constraints.txt, for all extras that users have, on every system and Python from 3.11. What
only torch's CUDA build needs is a file of its own: torch's CPU build, from PyTorch's index, is ten times smaller.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CUDA = re.compile(r"(nvidia|cuda)-|triton==")  # names of the packages of torch's CUDA build
BUILD = "hatchling\n"  # it makes the wheel; the lock holds it, so that this, too, is the same everywhere
# PyPI has only torch's CUDA build for Linux. The CPU build is at https://download.pytorch.org/whl/cpu: the hashes of its
# files for Python 3.11.
CPU_TORCH = {
    "2.13.0": (
        "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",  # x86_64
        "84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",  # aarch64
    )
}
HEADS = {
    "requirements.lock": """\
# All that camn[all] needs, with hashes; made by `make lock`. For Linux without a GPU, Python 3.11:
#   pip install --require-hashes -r requirements.lock --extra-index-url https://download.pytorch.org/whl/cpu
# For Linux with a GPU, and there for Python 3.11 or later:
#   pip install --require-hashes -r requirements.lock -r requirements-cuda.lock
# Then, from the checkout: pip install --no-deps --no-build-isolation .
""",
    "requirements-cuda.lock": """\
# What torch's CUDA build needs beyond requirements.lock, which says how to use both.
""",
}


def main() -> None:
    entries = list(_entries(_compiled()))
    for name, head in HEADS.items():
        wanted = (text for text in entries if bool(CUDA.match(text)) == (name == "requirements-cuda.lock"))
        (ROOT / name).write_text(head + "".join(map(_with_cpu_torch, wanted)), encoding="utf-8")


def _compiled() -> str:
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "-", "--extra", "all", "-c"]
    command += ["constraints.txt", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate"]
    environment = os.environ.copy()
    if certificates := environment.get("PIP_CERT"):
        environment.setdefault("SSL_CERT_FILE", certificates)
    command += ["--no-header", "--quiet", "--default-index", "https://pypi.org/simple", "--no-config"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input=BUILD, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    if done.returncode:
        sys.exit("no lock was written: uv (above) says why")
    return done.stdout


def _entries(compiled: str) -> Iterator[str]:
    """Each package with the lines of its hashes."""
    yield from re.findall(r"^\S.*\n(?:[ ]+.*\n)*", compiled, re.MULTILINE)


def _with_cpu_torch(entry: str) -> str:
    if not entry.startswith("torch=="):
        return entry
    version = entry.removeprefix("torch==").split()[0]
    if version not in CPU_TORCH:
        sys.exit(f"torch {version}: give the hashes of its CPU build in CPU_TORCH (scripts/make_lock.py)")
    more = (f"    --hash=sha256:{hashed}" for hashed in CPU_TORCH[version])
    return " \\\n".join((entry.rstrip("\n"), *more)) + "\n"


if __name__ == "__main__":
    main()
