"""Runs what a Dockerfile says without Docker: its steps, and then its image, in a folder where this machine's own
system is seen and nothing of it is changed (overlayfs and chroot). So the base image is this system; all else is real.
Only what our Dockerfile uses is known. Needs root."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

# Mounts $3 for this process and its children alone, then runs the rest in it. $4: the user, $5: the folder.
ENTER = """
mount -t overlay overlay -o "lowerdir=/,upperdir=$1,workdir=$2" "$3"
for place in proc dev sys; do mount --rbind "/$place" "$3/$place"; done
root=$3 user=$4 folder=$5
shift 5
exec chroot --userspec="$user" "$root" sh -c '
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6) && export HOME="${HOME:-/}" && cd "$0" && exec "$@"' "$folder" "$@"
"""
BASE = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def steps(path: Path) -> list[tuple[str, str]]:
    """Instructions and what follows them, lines that go on joined."""
    lines = (line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n", "", "\n".join(lines))
    return [(word, rest) for line in joined.splitlines() if line.strip() for word, rest in [line.split(maxsplit=1)]]


def allowed(context: Path) -> set[str]:
    """Names at the top of a build's context that .dockerignore, which must ignore all else, lets in."""
    lines = (context / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    return {line[1:] for line in lines if line.startswith("!")}


@dataclass
class Image:
    """One that is built in `place`. environment: of all its steps, such as a proxy."""

    context: Path
    place: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.variables = dict(BASE)
        for name in ("upper", "work", "root"):
            (self.place / name).mkdir()

    def why_not(self) -> str | None:
        """Why nothing can be run so here."""
        done = subprocess.run(self._entered(["true"]), capture_output=True, text=True)
        return f"no image can be made without Docker here: {done.stderr.strip()}" if done.returncode else None

    def build(self) -> None:
        for word, rest in steps(self.context / "Dockerfile"):
            match word:
                case "ENV":
                    name, _, value = rest.partition("=")
                    self.variables[name] = re.sub(r"\$(\w+)", lambda found: self.variables[found[1]], value)
                case "WORKDIR":
                    self.folder = rest
                    self.inside(rest).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(*rest.split())
                case "RUN":
                    subprocess.run(self._entered(["sh", "-c", rest], **self.environment), check=True)
                case "USER":
                    self.user = rest
                case "ENTRYPOINT":
                    self.entrypoint = json.loads(rest)
                case "CMD":
                    self.command = json.loads(rest)
                case _:
                    assert word in ("ARG", "FROM", "VOLUME", "EXPOSE"), word

    def inside(self, path: str) -> Path:
        """Where a path of the image lies, if a step made it."""
        return self.place / "upper" / path.lstrip("/")

    def start(self, *command: str, **options) -> subprocess.Popen[str]:
        """What `docker run` does; the image's own command if none is given."""
        full = [*self.entrypoint, *(command or self.command)]
        return subprocess.Popen(self._entered(full), text=True, stdout=subprocess.PIPE, **options)

    def _copy(self, *paths: str) -> None:
        *names, _ = paths
        for name in names:
            assert name in allowed(self.context), f"{name}: .dockerignore keeps it out"
            source, target = self.context / name, self.inside(self.folder) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target)

    def _entered(self, command: list[str], **more: str) -> list[str]:
        mounts = [str(self.place / name) for name in ("upper", "work", "root")]
        inner = ["env", "-i", *(f"{name}={value}" for name, value in {**self.variables, **more}.items())]
        outer = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", ENTER, "sh"]
        return [*inner, *outer, *mounts, self.user, self.folder, *command]
