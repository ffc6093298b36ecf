"""The Dockerfile, without Docker: see `dockerfile`."""

import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dockerfile
import numpy as np
import pytest
from PIL import Image

from camn import cli
from camn.commands.segmenting import Serve

ROOT = Path(__file__).parents[2]


def test_its_steps_find_all_they_name_and_end_with_a_user_who_is_not_root():
    words = [word for word, _ in dockerfile.steps(ROOT / "Dockerfile")]
    said = dict(dockerfile.steps(ROOT / "Dockerfile"))  # of several the last
    assert words.index("USER") < words.index("ENTRYPOINT") and said["USER"] == "camn"
    assert said["VOLUME"] == said["WORKDIR"] == "/data"
    copies = [rest.split()[:-1] for word, rest in dockerfile.steps(ROOT / "Dockerfile") if word == "COPY"]
    copied = {name for names in copies for name in names}
    assert copied == dockerfile.allowed(ROOT)
    assert all((ROOT / name).exists() for name in copied)


def test_what_it_does_by_itself_is_a_command_that_there_is():
    said = dict(dockerfile.steps(ROOT / "Dockerfile"))
    serve = cli.command_of(json.loads(said["CMD"]))
    assert json.loads(said["ENTRYPOINT"]) == ["camn"] and isinstance(serve, Serve)
    assert (serve.host, serve.public, str(serve.port), serve.browser) == ("0.0.0.0", True, said["EXPOSE"], False)


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Iterator[dockerfile.Image]:
    environment = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    if "PIP_FIND_LINKS" in environment:  # torch's CPU build is at hand, where PyTorch's index may not be
        environment["PIP_RETRIES"] = "1"
    made = dockerfile.Image(ROOT, tmp_path_factory.mktemp("image"), environment)
    if reason := made.why_not():
        pytest.skip(reason)
    made.build()
    yield made
    shutil.rmtree(made.place)


def ended(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


def segmented(image: dockerfile.Image, out: str) -> Path:
    """The folder of masks that it made of three frames in /data."""
    frames = image.inside("/data/frames")
    frames.mkdir(exist_ok=True)
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(frames / f"{number:05d}.png")
    mask = np.zeros((32, 48), np.uint8)
    mask[8:20, 10:30] = 1
    Image.fromarray(mask).save(image.inside("/data/first.png"))
    ended(image.start("segment", "frames", "--masks", "first.png", "--out", out))
    masks = sorted(image.inside(f"/data/{out}/masks").iterdir())
    assert len(masks) == 3 and np.array_equal(np.asarray(Image.open(masks[0])), mask)
    return masks[0].parent


@pytest.mark.slow
def test_it_is_built_from_the_lock_and_segments_a_video_for_a_user_who_is_not_root(image):
    assert not image.inside("/src/src").exists()
    assert "camn-mobile" in ended(image.start("models"))
    assert segmented(image, "out").stat().st_uid == image.inside("/home/camn").stat().st_uid != 0


@pytest.mark.slow
def test_it_segments_for_a_user_of_whom_it_knows_only_the_number(image, monkeypatch):
    """As `docker run --user` has it, so that the results are the user's own."""
    image.inside("/data").chmod(0o777)  # as a folder of that user's would be
    monkeypatch.setattr(image, "user", "4321:4321")
    assert segmented(image, "theirs").stat().st_uid == 4321


@pytest.mark.slow
def test_its_page_is_reached_from_without_by_the_address_that_it_says(image):
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with image.start() as process:
        try:
            address = re.search(r"http://\S+token=\w+", process.stdout.readline())
            assert address
            with browser.open(address[0]) as page:
                assert page.status == 200 and b"<title>camn" in page.read()
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 143
