"""What `python -m build` makes, and what it is in environments that have nothing else of this checkout."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import serving
from packaging.requirements import Requirement
from PIL import Image

import camn

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = sorted(PROJECT["optional-dependencies"].keys() - {"dev", "docs"})  # that users have


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Made of the sdist, so of nothing that is not in that."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture
def place(tmp_path) -> Path:
    """Three frames, and a mask of the first."""
    frames = np.random.default_rng(0).integers(0, 255, (3, 32, 48, 3), dtype=np.uint8)
    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{number}.png")
    mask = np.zeros((32, 48), np.uint8)
    mask[8:20, 10:30] = 7
    Image.fromarray(mask).save(tmp_path / "first.png")
    return tmp_path


@pytest.fixture
def environment(place) -> Iterator[Path]:
    """Where an environment is to be made; it takes more than a gigabyte, so it does not stay."""
    yield place / "venv"
    shutil.rmtree(place / "venv")


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def ran(*command: object, **options) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=clean(), **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def segments(binaries: Path, place: Path, *more: str) -> None:
    ran(binaries / "camn", "segment", "frames", "--masks", "first.png", "--out", "out", *more, cwd=place)
    first = np.asarray(Image.open(place / "out" / "masks" / "0.png"))
    assert np.array_equal(first, np.asarray(Image.open(place / "first.png")))
    assert len(list((place / "out" / "masks").iterdir())) == 3


def test_a_wheel_has_the_package_whole_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    mine = {name for name in names if name.startswith("camn/")}
    source = {path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert mine == {path.relative_to(ROOT / "src").as_posix() for path in source}
    assert {
        "camn/py.typed",
        "camn/assets/weights/camn-mobile.safetensors",
        "camn/assets/clicks/camn-mobile-clicks.safetensors",
        "camn/assets/demo/bigbuckbunny.mp4",
        "camn/web/static/index.html",
        "camn/web/static/js/main.js",
        "camn/evaluation/page/report.css",
    } <= mine
    about = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert names - mine == {f"camn-{camn.__version__}.dist-info/{name}" for name in about}


def test_a_source_archive_has_the_tests_and_what_builds_it(wheel):
    with tarfile.open(next(wheel.parent.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "constraints.txt", "requirements.lock", "LICENSE", "tests/conftest.py"} <= inside
    assert not {name for name in inside if "__pycache__" in name or name.startswith((".venv", "shared"))}


def test_a_wheel_segments_in_an_empty_environment(wheel, place, environment):
    """The large packages are lent by the environment of the tests, but for camn, which that has from elsewhere."""
    venv.create(environment)
    python = environment / "bin" / "python"
    ran(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", wheel)
    lent = Path(sysconfig.get_path("purelib"))
    assert not (lent / "camn").exists()
    own = next((environment / "lib").glob("python*/site-packages"))
    (own / "lent.pth").write_text(f"{lent}\n")
    segments(python.parent, place, "--device", "cpu")


def test_the_tests_run_with_what_each_extra_asks_for():
    for extra in EXTRAS:
        for line in PROJECT["optional-dependencies"][extra]:
            wanted = Requirement(line)
            if wanted.name != "camn":
                assert wanted.specifier.contains(importlib.metadata.version(wanted.name)), (extra, line)


def test_all_is_every_extra_that_users_have():
    (line,) = PROJECT["optional-dependencies"]["all"]
    assert Requirement(line).extras == set(EXTRAS) - {"all"}


# Imports all that the extras ask for; a distribution's name does not say what to import of it.
IMPORTS = """
import importlib, importlib.metadata, re, sys
tops = importlib.metadata.packages_distributions()
for line in importlib.metadata.requires("camn"):
    wanted, _, marker = line.partition(";")
    if not marker or any(extra in marker for extra in sys.argv[1:]):
        name = importlib.metadata.distribution(re.match(r"[\\w.-]+", wanted)[0]).metadata["Name"]
        modules = [top for top, names in tops.items() if name in names and top.isidentifier() and top[0] != "_"]
        assert modules, name
        for module in modules:
            importlib.import_module(module)
"""


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_a_wheel_runs_where_only_it_and_what_it_asks_for_is_installed(wheel, place, environment, extra):
    venv.create(environment, with_pip=True)
    binaries = environment / "bin"
    asked = f"{wheel}[{extra}]" if extra else wheel
    ran(binaries / "python", "-m", "pip", "install", "-q", "--no-compile", "-c", ROOT / "constraints.txt", asked)
    ran(binaries / "python", "-m", "pip", "check")
    ran(binaries / "python", "-c", IMPORTS, *(EXTRAS if extra == "all" else [extra] if extra else []), cwd=place)
    assert "camn-mobile" in ran(binaries / "camn", "models", cwd=place)
    segments(binaries, place, *(["--backend", "onnx"] if extra == "onnx" else []))
    if extra in ("web", "all"):
        server = serving.Server(place / "projects", command=["env", "-u", "PYTHONPATH", str(binaries / "camn")])
        try:
            assert server.call("GET", "/").status == 200 and server.ask("GET", "/api/projects") is not None
        finally:
            server.stop()
