"""Who asks a server for what nobody should: at random, with all that may be in an address, a head and a body."""

import contextlib
import random
import socket
import struct
import zlib
from collections import Counter
from typing import Any
from urllib.parse import quote_from_bytes

import numpy as np
from damage import as_json, damaged, other_value

NAMES = (
    "clip.mkv", "1.png", "2.png", "1.PNG", "frames.zip", "m.json", "x" * 990, "9" * 900 + ".png", "a/1.png", ".1.png",
    "..", "../../x.png", "a\0b", "C:\\x\\1.png", "\u202e1.png", "é.png", "%", "", " ", ".png", "con", "\udcff\ud800",
)  # fmt: skip
NUMBERS = (
    "0", "1", "2", "3", "-1", "+1", "1.0", "1e3", "0x1", " 1", "٣", "x", "", "254", "255", str(2**31 - 1), str(2**31),
    "9" * 5000,
)  # fmt: skip
KINDS = ("shown", "given", "predicted", "both", "all", "display", "full", "", "x", "\0")
BODIES: dict[str, Any] = {
    "name": {"name": "dog"},
    "object": {"name": "dog", "colour": "#ff0000"},
    "propagate": {"frame": 0, "direction": "forward", "until": "end", "reached": None},
    "export": {"kind": "masks", "objects": [1], "opacity": 0.5},
    "clicks": {
        "clicks": [{"x": 30, "y": 20, "positive": True}, {"x": 5, "y": 5, "positive": False}],
        "box": [10, 10, 60, 40],
        "mask": None,
        "candidate": 0,
    },
}
COCO = {
    "images": [{"id": 1, "width": 96, "height": 64, "file_name": "000001.png"}],
    "categories": [{"id": 1, "name": "dog"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]], "iscrowd": 0,
                     "bbox": [1, 1, 8, 8], "area": 64}],
}  # fmt: skip
TEXTS = (
    b"[" * 50_000, b'{"name":' * 9000, b"9" * 10_000, b'{"frame": 1' + b"0" * 6000 + b"}", b'{"name": "\\ud800"}',
    b"NaN", b'{"name": "a", "name": "b"}', b"\xff\xfe{\0}\0", b"1e999", b'{"opacity": NaN, "kind": "overlay"}',
    b'{"opacity": 1e999, "kind": "coco"}',
)  # fmt: skip
# Method, address and body. {p} is a project, {s} one to be deleted, {i} a frame, {o} an object, {j} a job.
ROUTES = (
    ("GET", "/api/server", None), ("GET", "/api/projects", None), ("GET", "/api/jobs", None),
    ("POST", "/api/projects", "name"), ("GET", "/api/projects/{p}", None), ("PATCH", "/api/projects/{p}", "name"),
    ("PUT", "/api/projects/{p}/upload?name={name}", "upload"), ("DELETE", "/api/projects/{p}/upload", None),
    ("PUT", "/api/projects/{p}/upload?name={name}", "upload"), ("POST", "/api/projects/{p}/decode", None),
    ("GET", "/api/projects/{p}/frames/{i}?size={kind}", None),
    ("POST", "/api/projects/{p}/objects", "object"), ("PUT", "/api/projects/{p}/objects/{o}", "object"),
    ("DELETE", "/api/projects/{p}/objects/{o}", None), ("GET", "/api/projects/{p}/masks/{i}?kind={kind}", None),
    ("PUT", "/api/projects/{p}/masks/{i}", "mask"), ("PUT", "/api/projects/{p}/masks/{i}", "mask"),
    ("PATCH", "/api/projects/{p}/masks/{i}?x={i}&y={i}&undo={i}&given={i}&absent={o}", "mask"),
    ("DELETE", "/api/projects/{p}/masks/{i}?kind={kind}", None),
    ("DELETE", "/api/projects/{p}/masks?first={i}&last={i}&kind={kind}", None),
    ("POST", "/api/projects/{p}/masks/{i}/load?name={name}&resize={i}", "mask"),
    ("POST", "/api/projects/{p}/frames/{i}/clicks", "clicks"), ("POST", "/api/projects/{p}/frames/{i}/look", None),
    ("GET", "/api/projects/{p}/confidence", None), ("POST", "/api/projects/{p}/propagate", "propagate"),
    ("POST", "/api/projects/{p}/exports", "export"), ("GET", "/api/jobs/{j}", None), ("DELETE", "/api/jobs/{j}", None),
    ("GET", "/api/jobs/{j}/file", None), ("GET", "/{name}", None), ("GET", "/static/{name}", None),
    ("POST", "/api/sample", None), ("OPTIONS", "/api/projects/{p}", None), ("HEAD", "/", None),
    ("DELETE", "/api/projects/{s}", None),
)  # fmt: skip
HEADS = (
    "Content-Length: 1000", "Content-Length: 5", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: -1",
    "Content-Length: 99999999999999999999999", "Transfer-Encoding: chunked", "X: " + "y" * 70_000,
    "If-None-Match: \xff",
    "Transfer-Encoding: chunked\r\nContent-Length: 5", "Expect: 100-continue\r\nContent-Length: 20", "Range: bytes=9-1",
    "Upgrade: websocket\r\nConnection: upgrade", "Content-Encoding: gzip\r\nContent-Length: 20", "Cookie: \0=;;,",
)  # fmt: skip


def png_that_claims(width: int, height: int) -> bytes:
    """To be of this size, of which it has next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


class Stranger:
    """project: one that is ready, which is never deleted. answers: how many there were, by method, address, status."""

    def __init__(self, server, make, project: str, rng: random.Random):
        self.server, self.project, self.rng = server, project, rng
        self.spare: list[str] = []
        self.jobs: list[str] = ["0123456789ab"]
        self.answers: Counter = Counter()
        mask, huge = make.square(1), png_that_claims(1 << 30, 1 << 30)
        kinds = (mask, np.stack([mask] * 3, -1), np.stack([mask] * 2, -1), mask[:9], mask * 200, mask.astype(np.uint16))
        self.masks = [*map(make.png, (mask,) * 6 + kinds), huge, png_that_claims(96, 64)]
        picture, clip = make.png(make.picture(0)), make.clip(4)
        zips: tuple[dict[str, bytes], ...] = ({"1.png": picture, "2.png": picture}, {"9" * 5000 + ".png": picture})
        zips += ({"clip.mkv": clip}, {"1.png": huge})
        others = b"ffconcat version 1.0\nfile x", b"PK\x03\x04", b"Rar!\x1a\x07\0"
        self.uploads = [clip, clip, picture, picture, huge, *map(make.archive, zips), *others]

    def ask(self) -> None:
        if self.rng.random() < 0.05:
            self._ask_raw()
            return
        method, address, kind = self.rng.choice(ROUTES)
        if method == "DELETE" and self.rng.random() < 0.5:  # else there would be nothing to ask for
            return
        path, body = self._filled(address), self._body(kind)
        odd = body is not None and self.rng.random() < 0.05
        type = self.rng.choice(("text/plain", "", "application/json; charset=utf-16")) if odd else "application/json"
        asked = (method, path[:300], (body or b"")[:300])
        answer = self.server.call(method, path, body, content_type=type)
        self.answers[method, address.split("?")[0], answer.status] += 1
        assert answer.status < 500, (asked, answer)
        if answer.status >= 400 and method != "HEAD":
            said = answer.message
            assert said.endswith(".") and len(said) > 12 and str(self.server.projects) not in said, (asked, answer)
        elif answer.status == 201 and address == "/api/projects":
            self.spare.append(answer.json["id"])
        elif answer.status == 202 and "kind" in answer.json:
            self.jobs.append(answer.json["id"])

    def _filled(self, address: str) -> str:
        rng = self.rng
        self.gone = self.spare.pop(0) if len(self.spare) > 5 and "{s}" in address else "0123456789ab"
        makers = {
            "p": lambda: self._any() if rng.random() < 0.95 else self._odd(NAMES),
            "s": lambda: self.gone,
            "i": lambda: str(rng.randrange(4)) if rng.random() < 0.8 else self._odd(NUMBERS),
            "o": lambda: str(rng.randint(1, 3)) if rng.random() < 0.8 else self._odd(NUMBERS),
            "j": lambda: rng.choice(self.jobs[-5:]) if rng.random() < 0.9 else self._odd(NAMES),
            "name": lambda: self._odd(NAMES),
            "kind": lambda: self._odd(KINDS),
        }
        for name, make in makers.items():
            while f"{{{name}}}" in address:
                address = address.replace(f"{{{name}}}", make(), 1)
        return address

    def _any(self) -> str:
        return self.project if self.rng.random() < 0.6 or not self.spare else self.rng.choice(self.spare[-4:])

    def _odd(self, values: tuple[str, ...]) -> str:
        rng = self.rng
        if rng.random() < 0.1:
            return quote_from_bytes(bytes(rng.randrange(256) for _ in range(rng.randint(0, 40))), safe="")
        return quote_from_bytes(rng.choice(values).encode("utf-8", "surrogatepass"), safe=rng.choice(("", "/")))

    def _body(self, kind: str | None) -> bytes | None:
        rng, choice = self.rng, self.rng.random()
        if kind is None:
            return None if choice < 0.9 else rng.choice((b"", b"{}", b"\0" * 100))
        if kind in ("mask", "upload"):
            pool = [*self.masks, as_json(other_value(COCO, rng))] if kind == "mask" else self.uploads
            data = rng.choice(pool)
            return data if choice < 0.6 else damaged(data, rng, rng.choice(pool))
        if choice < 0.4:
            return as_json(BODIES[kind])
        if choice < 0.85:
            return as_json(other_value(BODIES[kind], rng))
        return damaged(as_json(BODIES[kind]), rng) if choice < 0.95 else rng.choice(TEXTS)

    def _ask_raw(self) -> None:
        """What no client library sends: it may be left without an answer, but not with 5xx."""
        rng, of = self.rng, f"/api/projects/{self._any()}"
        path = rng.choice((f"{of}/upload?name=1.png", f"{of}/masks/0", of, "/api/projects", "/%", "/\0", "/api/../x"))
        lines = [f"{rng.choice(('PUT', 'POST', 'GET', 'PATCH', 'BREW'))} {path} HTTP/1.1"]
        lines += [f"Host: 127.0.0.1:{self.server.port}", *map(": ".join, self.server.entry.items())]
        head = "\r\n".join([*lines, rng.choice(HEADS), "", ""]).encode("latin-1")
        body = rng.choice((b"x" * 20, b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b""))
        with contextlib.suppress(ConnectionError, TimeoutError):  # it may hang up
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as connection:
                connection.sendall(head + body)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(4000)
            assert not answer or answer[:9] == b"HTTP/1.1 " and answer[9:10] in b"1234", (head[:400], answer[:300])
