"""Servers that streams are read from: pictures without end by HTTP, and RTSP."""

import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

SIZE = (32, 48)
LOCALHOST = Path(__file__).with_name("localhost.pem")  # a key and a certificate of our own, for tests alone


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Waits for what another thread or process is about to do."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.002)
    assert true()


def jpeg(index: int) -> bytes:
    """Grey, of which the index can be read."""
    return cv2.imencode(".jpg", np.full((*SIZE, 3), 2 * (index % 120), np.uint8))[1].tobytes()


class Pages(ThreadingHTTPServer):
    """Answers with what `pages` has for a path: a function of the request. sent: pictures of an endless page so far, of
    which `more` lets each one go; wanted: what browsers and we asked for, by header."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Page)
        self.pages, self.asked, self.sent = {}, [], 0
        self.more, self.gone = threading.Semaphore(0), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_) -> None:
        """Who hangs up is no error."""


class _Page(BaseHTTPRequestHandler):
    server: Pages

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(404)
        else:
            page(self)

    def give(self, code: int = 200, body: bytes = b"", length: bool = True, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pictures(self, count: int | None = None) -> None:
        """As a web camera sends them, one each time that `more` says so; count: after so many it hangs up."""
        self.give(length=False, Content_Type="multipart/x-mixed-replace; boundary=frame")
        try:
            for _ in range(count) if count else iter(int, 1):
                self.server.more.acquire()
                body = jpeg(self.server.sent)
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body))
                self.wfile.write(body + b"\r\n")
                self.server.sent += 1
        except OSError:
            self.server.gone.set()


@contextmanager
def serving() -> Iterator[Pages]:
    with Pages() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        server.more.release(1000)


class Rtsp(socketserver.ThreadingTCPServer):
    """One stream, the packets of an MPEG-TS file, interleaved with what is said (RFC 2326); then it hangs up. refuses:
    a code to answer with instead. safe: it speaks TLS, as LOCALHOST, and hangs up when the other side does."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, transport: bytes, refuses: int | None, safe: bool):
        super().__init__(("127.0.0.1", 0), _Session)
        self.transport, self.refuses, self.safe = transport, refuses, safe

    def get_request(self):
        connection, place = super().get_request()
        if self.safe:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(LOCALHOST)
            connection = context.wrap_socket(connection, server_side=True)
        return connection, place

    def handle_error(self, *_) -> None:
        """Who hangs up, or does not trust us, is no error."""

    @property
    def url(self) -> str:
        return f"rtsp{'s' * self.safe}://me:secret@127.0.0.1:{self.server_address[1]}/live"


class _Session(socketserver.StreamRequestHandler):
    server: Rtsp

    def handle(self) -> None:
        while (line := self.rfile.readline()).strip():
            headers = {}
            while header := self.rfile.readline().strip():
                name, _, value = header.decode().partition(":")
                headers[name.lower()] = value.strip()
            method = line.split()[0].decode()
            if self.server.refuses:
                self.say(headers["cseq"], f"{self.server.refuses} No")
                return
            self.answer(method, headers["cseq"])
            if method == "PLAY":
                self.play()
                if self.server.safe:
                    self.rfile.read()
                return

    def say(self, number: str, status: str = "200 OK", body: str = "", **headers: str) -> None:
        lines = [
            f"RTSP/1.0 {status}",
            f"CSeq: {number}",
            *(f"{name.replace('_', '-')}: {v}" for name, v in headers.items()),
        ]
        if body:
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def answer(self, method: str, number: str) -> None:
        if method == "OPTIONS":
            self.say(number, Public="DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            about = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=x", "t=0 0", "m=video 0 RTP/AVP 33", "a=control:0"]
            self.say(number, body="\r\n".join(about) + "\r\n")
        elif method == "SETUP":
            self.say(number, Session="1", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        else:
            self.say(number, Session="1")

    def play(self) -> None:
        step = 7 * 188
        for number, at in enumerate(range(0, len(self.server.transport), step)):
            part = self.server.transport[at : at + step]
            rtp = struct.pack("!BBHII", 0x80, 33, number, 0, 1) + part
            self.wfile.write(b"$\0" + struct.pack("!H", len(rtp)) + rtp)


@contextmanager
def rtsp(file: Path | None = None, refuses: int | None = None, safe: bool = False) -> Iterator[str]:
    with Rtsp(file.read_bytes() if file else b"", refuses, safe) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.url
        server.shutdown()
