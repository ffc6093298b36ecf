"""What the pages of the documentation say that a program can check: commands, code, tables."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path, *languages: str) -> list[str]:
    """What stands between fences of these languages."""
    found = re.findall(rf"^ *```(?:{'|'.join(languages)})\n(.*?)^ *```", page.read_text("utf-8"), re.M | re.S)
    return found


def lines(page: Path) -> list[str]:
    """Of all blocks of shell commands, continued ones joined."""
    shell = blocks(page, "sh", "bash", "shell")
    return [line for block in shell for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def commands(line: str) -> list[list[str]]:
    """What a line starts: each part of a pipe, without comments, redirections and settings of the environment."""
    parts: list[list[str]] = [[]]
    for word in shlex.split(line, comments=True):
        parts.append([]) if word in ("|", "&&", "&", ";") else parts[-1].append(word)
    told = [[word for word in part if not re.match(r"[A-Z_]+=", word)] for part in parts]
    return [part[: part.index(">")] if ">" in part else part for part in told if part]


def spans(page: Path) -> list[str]:
    """Code within sentences and tables."""
    prose = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", prose)


def rows(page: Path, *head: str) -> list[list[str]]:
    """Of every table of the page whose columns begin with these words."""
    found: list[list[str]] = []
    inside = False
    for line in page.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if inside and cells and not set(cells[0]) <= set("- "):
            found.append(cells)
        inside = bool(cells) and (inside or cells[: len(head)] == list(head))
    return found
