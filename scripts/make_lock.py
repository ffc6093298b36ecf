"""Writes requirements.lock, -cpu.lock and -cuda.lock: every package with its version and the hashes of its files.

    .venv/bin/python scripts/make_lock.py          (make lock)

The versions are those of constraints.txt, for all extras that users have, on every system and Python from 3.11. torch
has files of its own: its CPU build for Linux is not on PyPI, and is ten times smaller than its CUDA build.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TORCH = re.compile(r"torch==|triton==|(nvidia|cuda)-")  # names of torch's own build for CUDA and of what it needs
BUILD = "hatchling\n"  # it makes the wheel; in the lock, so that it is the same everywhere
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# The hashes of torch's files for Python 3.11 there, by its versions.
CPU_TORCH = {
    "2.13.0": (
        "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",  # x86_64
        "84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",  # aarch64
    )
}
HEAD = """\
# All that camn[all] needs but torch, with hashes; made by `make lock`. With torch, CPU or CUDA:
#   pip install --require-hashes -r requirements.lock -r requirements-cpu.lock     Linux, Python 3.11
#   pip install --require-hashes -r requirements.lock -r requirements-cuda.lock    Linux with a GPU, macOS, Windows
# Then, from the checkout: pip install --no-deps --no-build-isolation .
"""
CPU_HEAD = "# torch's CPU build for Linux and Python 3.11; requirements.lock says how to use it.\n"
CUDA_HEAD = "# torch as PyPI has it: on Linux with CUDA; requirements.lock says how to use it.\n"


def main() -> None:
    entries: list[str] = re.findall(
        r"^\S.*\n(?: .*\n)*", _compiled(), re.MULTILINE
    )  # each with the lines of its hashes
    torch = [entry for entry in entries if TORCH.match(entry)]
    files = {
        "requirements.lock": HEAD + "".join(entry for entry in entries if entry not in torch),
        "requirements-cpu.lock": CPU_HEAD + _cpu(next(entry for entry in torch if entry.startswith("torch=="))),
        "requirements-cuda.lock": CUDA_HEAD + "".join(torch),
    }
    for name, text in files.items():
        (ROOT / name).write_text(text, encoding="utf-8")


def _compiled() -> str:
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "-", "--extra", "all", "-c"]
    command += ["constraints.txt", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate"]
    command += ["--no-header", "--quiet", "--default-index", "https://pypi.org/simple", "--no-config"]
    environment = os.environ.copy()
    if certificates := environment.get("PIP_CERT"):
        environment.setdefault("SSL_CERT_FILE", certificates)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input=BUILD, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    if done.returncode:
        sys.exit("no lock was written: uv (above) says why")
    return done.stdout


def _cpu(entry: str) -> str:
    version = entry.removeprefix("torch==").split()[0]
    if version not in CPU_TORCH:
        sys.exit(f"torch {version}: give the hashes of its CPU build in CPU_TORCH (scripts/make_lock.py)")
    hashes = (f"    --hash=sha256:{hashed}" for hashed in CPU_TORCH[version])
    return f"--extra-index-url {CPU_INDEX}\n" + " \\\n".join((f"torch=={version}+cpu", *hashes)) + "\n"


if __name__ == "__main__":
    main()
