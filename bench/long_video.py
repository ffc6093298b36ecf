"""A long video through `camn serve`: seconds, memory of the server and room on the disk, from upload to each export.

python bench/long_video.py [--minutes 5] [--height 1080] [--short-side 96] [--exports masks coco overlay] [--work DIR]

The clip is the demo clip's frames, back and forth, enlarged. A small --short-side keeps the network from taking nearly
all of the time: what is looked at are decoding, frames and masks on the disk, progress and exports. Linux alone.
"""

import argparse
import contextlib
import json
import re
import shutil
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from camn.speed.process import describe_machine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
from serving import Answer, Server  # noqa: E402

DEMO = Path(__file__).resolve().parents[1] / "src" / "camn" / "assets" / "demo"
RATE, PACE = 25, 1.0  # frames per second of the clip; seconds between two looks at the server


def make_clip(path: Path, count: int, height: int) -> None:
    """H.264, `count` frames of 16:9."""
    with av.open(str(DEMO / "bigbuckbunny.mp4")) as source:
        frames = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "26"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = height * 16 // 9, height, "yuv420p"
        for index in range(count):
            image = cv2.resize(frames[order[index % len(order)]], (stream.width, stream.height))
            cv2.putText(image, f"{index}", (40, 80), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 4)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image, np.uint8), "rgb24")))
        container.mux(stream.encode(None))


class Timed(Server):
    """Also how long its slowest GET took, and what it holds."""

    slowest = 0.0

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        began = time.monotonic()
        answer = super().call(method, path, body, **headers)
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
        if method == "GET":
            self.slowest = max(self.slowest, time.monotonic() - began)
        return answer

    def save(self, path: str, to: Path) -> None:
        with contextlib.closing(self.connect()) as connection, to.open("wb") as file:
            connection.request("GET", path, headers=self.entry)
            shutil.copyfileobj(connection.getresponse(), file, 1 << 20)

    def memory(self) -> float:
        """Resident, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        return int(found[1]) / 1000 if found else 0.0


class Log:
    """A line for each stage. Memory: at its begin, after each quarter of its time, and the most."""

    def __init__(self, server: Timed, folder: Path):
        self.server, self.folder = server, folder
        memory = "memory in MB: begin, quarters"
        print(f"{'stage':<12}{'seconds':>9}{'per s':>8}  {memory:<34}{'most':>6}{'disk':>9}{'GET':>7}")

    def stage(self, name: str, count: int, until: Callable[[], bool]) -> None:
        """Waits for the end of what was begun. count: of frames."""
        began, seen, self.server.slowest = time.monotonic(), [self.server.memory()], 0.0
        while not until():
            time.sleep(PACE)
            seen.append(self.server.memory())
        seconds = time.monotonic() - began
        quarters = " ".join(f"{seen[round(part * (len(seen) - 1) / 4)]:.0f}" for part in range(5))
        size = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()) / 1e9
        print(
            f"{name:<12}{seconds:>9.1f}{count / seconds:>8.1f}  {quarters:<34}{max(seen):>6.0f}{size:>7.2f}GB"
            f"{1000 * self.server.slowest:>5.0f}ms",
            flush=True,
        )


def upload(server: Timed, clip: Path) -> str:
    id = server.ask("POST", "/api/projects", {"name": clip.name})["id"]
    size = str(clip.stat().st_size)
    with clip.open("rb") as file:
        server.call("PUT", f"/api/projects/{id}/upload?name={clip.name}", file, **{"content-length": size})
    server.ask("POST", f"/api/projects/{id}/decode")
    return id


def look(server: Timed, id: str, frame: int | None) -> None:
    """As somebody who watches: the frame that has just been done, its mask, the strips."""
    if frame is not None:
        server.call("GET", f"/api/projects/{id}/frames/{frame}")
        server.call("GET", f"/api/projects/{id}/masks/{frame}")
        server.call("GET", f"/api/projects/{id}/confidence")


def ended(server: Timed, id: str, job: str) -> bool:
    found = server.ask("GET", f"/api/jobs/{job}")
    if found["state"] not in ("queued", "running", "done"):
        raise SystemExit(f"{found['kind']}: {found['state']}: {found['error']}")
    look(server, id, found["frame"])
    return found["state"] == "done"


@contextlib.contextmanager
def listening(server: Timed) -> Iterator[dict[str, int]]:
    """A tab's events, counted by type."""
    counts: dict[str, int] = {}

    def listen() -> None:
        with contextlib.suppress(Exception), server.listen() as socket:
            for text in socket:
                type = json.loads(text)["type"]
                counts[type] = counts.get(type, 0) + 1

    threading.Thread(target=listen, daemon=True).start()
    yield counts


def follow(server: Timed, log: Log, clip: Path, count: int) -> str:
    """A new project of the clip, two objects followed through it."""
    id = upload(server, clip)
    log.stage("decode", count, lambda: server.ask("GET", f"/api/projects/{id}")["state"] != "decoding")
    server.call("POST", f"/api/projects/{id}/masks/0/load?resize=true", (DEMO / "first.png").read_bytes())
    job = server.ask("POST", f"/api/projects/{id}/propagate", {"frame": 0})["id"]
    log.stage("propagate", count - 1, lambda: ended(server, id, job))
    return id


def check(kind: str, path: Path, count: int) -> str:
    """Opens an export again; what it holds."""
    if kind == "masks":
        with zipfile.ZipFile(path) as archive:
            assert len(archive.namelist()) == count and archive.testzip() is None
        return f"{count} PNG files"
    if kind == "coco":
        found = json.loads(path.read_bytes())
        assert len(found["images"]) == count
        return f"{count} images, {len(found['annotations'])} masks"
    with av.open(str(path)) as container:
        packets = sum(1 for packet in container.demux(video=0) if packet.size)
        container.seek(0)
        first = next(container.decode(video=0))
    assert packets == count and isinstance(first, av.VideoFrame)
    return f"{packets} frames of {first.width}x{first.height}, {first.format.name}"


def run(args: argparse.Namespace, work: Path) -> None:
    count, clip = round(args.minutes * 60 * RATE), work / "clip.mp4"
    if not clip.exists():
        make_clip(clip, count, args.height)
    print(describe_machine())
    print(f"{count} frames of {args.height * 16 // 9}x{args.height}, {clip.stat().st_size / 1e6:.0f} MB; 2 objects")
    server = Timed(work / "projects", "--short-side", args.short_side, "--backend", "eager", *args.more)
    try:
        with listening(server) as events:
            log = Log(server, work / "projects")
            known = server.ask("GET", "/api/projects")
            id = known[0]["id"] if known else follow(server, log, clip, count)
            for kind in args.exports:
                job = server.ask("POST", f"/api/projects/{id}/exports", {"kind": kind})["id"]
                log.stage(kind, count, lambda job=job: ended(server, id, job))
                found = server.ask("GET", f"/api/jobs/{job}")
                server.save(found["file"], work / found["file_name"])
                print(f"{'':12}{check(kind, work / found['file_name'], count)}, "
                      f"{(work / found['file_name']).stat().st_size / 1e6:.0f} MB", flush=True)  # fmt: skip
            print(f"events: {dict(sorted(events.items()))}")
    finally:
        server.process.terminate()
        server.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--short-side", type=int, default=96)
    parser.add_argument("--exports", nargs="*", default=["masks", "coco", "overlay", "prores", "vp9"])
    parser.add_argument("--work", type=Path, help="a folder that is kept; once more with it: other exports")
    parser.add_argument("more", nargs="*", help="further options of camn serve, after --")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        work = args.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work.mkdir(exist_ok=True)
        run(args, work)


if __name__ == "__main__":
    main()
