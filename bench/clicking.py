"""What clicks cost at 1080p, and what a propagation loses to the page that is open beside it.

    python bench/clicking.py [--frames 60] [--threads 2] [--height 1080 --width 1920] [--times 5]

Clicks: milliseconds of a click and of a hover (one click more than before, elsewhere each time), as the page's server
answers them, of frames that it has looked at. Propagation: seconds with nobody at the page, and with a page that rests
on another frame every half second.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from serving import Server  # noqa: E402

Row = tuple[str, list[float]]
REST = 0.5  # seconds that the page rests on a frame


def pictures(count: int, height: int, width: int) -> Iterator[np.ndarray]:
    """A textured disc that moves over a textured ground."""
    rng = np.random.default_rng(0)
    ground, paint = (cv2.resize(rng.integers(0, 255, (12, 20, 3), np.uint8), (width, height)) for _ in range(2))
    rows, columns = np.mgrid[:height, :width]
    for index in range(count):
        x, y = width * (0.3 + 0.3 * index / count), height * 0.5
        inside = (columns - x) ** 2 + (rows - y) ** 2 < (height / 5) ** 2
        yield np.where(inside[..., None], paint // 2 + 90, ground // 2)


def project_of(server: Server, count: int, height: int, width: int) -> str:
    frames = pictures(count, height, width)
    return server.project(*((f"{n}.png", cv2.imencode(".png", one)[1].tobytes()) for n, one in enumerate(frames)))


def clicked(server: Server, frame: str, *clicks: tuple[int, int], rough: bool = False) -> float:
    """Milliseconds of the answer."""
    asked = {"clicks": [{"x": x, "y": y} for x, y in clicks], "rough": rough}
    began = time.perf_counter()
    server.ask("POST", f"{frame}/clicks", asked)
    return 1000 * (time.perf_counter() - began)


def clicks(server: Server, project: str, height: int, width: int, times: int) -> Iterator[Row]:
    x, y, far = round(width * 0.3), height // 2, height // 12
    firsts, seconds, points, hovers, looks = [], [], [], [], []
    for index in range(times):
        frame = f"/api/projects/{project}/frames/{index}"
        began = time.perf_counter()
        server.ask("POST", f"{frame}/look")
        looks.append(1000 * (time.perf_counter() - began))
        points += [clicked(server, frame, (x, y + n), rough=True) for n in range(3)]
        firsts.append(clicked(server, frame, (x, y)))
        seconds.append(clicked(server, frame, (x, y), (x + far, y)))
        hovers += [clicked(server, frame, (x, y), (x + far, y + n), rough=True) for n in range(3)]
    yield "encoding a frame", looks[1:]
    yield "the first click", firsts[1:]
    yield "a second click", seconds[1:]
    yield "hovering", points[3:]
    yield "hovering after a click", hovers[3:]


@contextmanager
def beside(server: Server, project: str, count: int) -> Iterator[None]:
    """As a page asks on whose frames one rests, one after the other."""
    over = threading.Event()

    def rest() -> None:
        for index in range(10**6):
            server.ask("POST", f"/api/projects/{project}/frames/{index % count}/look")
            if over.wait(REST):
                return

    page = threading.Thread(target=rest)
    page.start()
    try:
        yield
    finally:
        over.set()
        page.join()


def propagated(server: Server, project: str) -> float:
    """Seconds, as its job says how fast it is."""
    job = server.ask("POST", f"/api/projects/{project}/propagate", {"frame": 0, "direction": "forward"})["id"]
    server.job(job, "running", "done")
    server.wait(f"/api/jobs/{job}", lambda one: one["done"] > 0)
    began = time.perf_counter()
    done = server.job(job)
    assert done["state"] == "done", done
    return time.perf_counter() - began


def propagations(server: Server, project: str, count: int, mask: bytes, times: int) -> Iterator[Row]:
    server.ask("POST", f"/api/projects/{project}/objects", {})
    server.ask("PUT", f"/api/projects/{project}/masks/0", mask)
    propagated(server, project)  # loads and measures
    alone, watched = [], []
    for _ in range(times):
        alone.append(propagated(server, project))
        with beside(server, project, count):
            watched.append(propagated(server, project))
    yield "nobody at the page", alone
    yield "the page beside it", watched


def table(title: str, unit: str, rows: Callable[[], Iterator[Row]]) -> None:
    print(f"{title:28} {'median':>8} {'least':>8} {'most':>8}  {unit}")
    for name, values in rows():
        print(f"{name:28} {statistics.median(values):8.2f} {min(values):8.2f} {max(values):8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("frames", 60), ("threads", 2), ("height", 1080), ("width", 1920), ("times", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    count, size = max(given.frames, given.times + 1), (given.height, given.width)
    mask = np.zeros(size, np.uint8)
    cv2.circle(mask, (round(size[1] * 0.3), size[0] // 2), size[0] // 5, 1, -1)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "projects", "--threads", given.threads)
        try:
            project = project_of(server, count, *size)
            table(f"{size[1]}x{size[0]}", "ms", lambda: clicks(server, project, *size, given.times + 1))
            png = cv2.imencode(".png", mask)[1].tobytes()
            table("propagation", "s", lambda: propagations(server, project, count, png, given.times))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
