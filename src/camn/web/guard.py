"""Who may ask: this page from this machine, or whoever has the token. Wrapped around the whole application.

- Host: only the names that the server is known by, so that another site's name cannot be made to point here (DNS
  rebinding). A number cannot be rebound.
- Origin, Sec-Fetch-Site: no other site's page may send anything here, read anything, or open the events.
- Token: other users of this machine, and other machines, can reach the server; who opened it has the token. It comes in
  the address of the first visit, and is kept in a cookie.
- Headers: what the page itself may load (its own files, nothing else), and that nobody may frame or embed it.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from camn.projects.problem import Problem
from camn.web.answers import STATUS, body

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "font-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True)
class Door:
    """What the server is bound to. names: further host names that it is known by. token: asked for if there is one.
    ticket: stands for the token once, in the address that a browser is started with: that of a process is no secret."""

    host: str
    port: int
    names: tuple[str, ...] = ()
    token: str | None = None
    ticket: str | None = None

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def cookie(self) -> str:
        """That the token is kept in: browsers send a host's cookies to all its ports."""
        return f"camn-token-{self.port}"

    def knows(self, host: str) -> bool:
        """Whether a Host header is one that a browser sends which was given this server's own address."""
        name, port = _split(host)
        if port != self.port:
            return False
        if name in ("localhost", *self.names) or (self.local and name == self.host):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback if self.local else True


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(host: str) -> tuple[str, int]:
    """`name:port`, the port 80 if it is not there; an IPv6 address without its brackets."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host.lower(), "80"
    return name.removeprefix("[").removesuffix("]"), int(port) if port.isascii() and port.isdigit() and len(
        port
    ) < 6 else -1


class Guard:
    """ASGI middleware."""

    def __init__(self, app: App, door: Door):
        self._app, self._door, self._ticket = app, door, door.ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _headers(scope["headers"])
        try:
            self._check_site(scope, headers)
            if self._door.token and (new := self._enter(scope, headers)):
                await _welcome(send, new, headers.get("sec-fetch-site", "none") in ("none", "same-origin"))
                return
        except Problem as problem:
            if scope["type"] == "websocket":
                await receive()  # the handshake; closing before it is accepted answers 403
                await send({"type": "websocket.close", "code": 1008})
                return
            await _refuse(send, problem, page=scope["path"] == "/")
            return
        await self._app(scope, receive, _with_headers(send))

    def _check_site(self, scope: Scope, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if not self._door.knows(host):
            raise Problem("forbidden", "The server is not known by this name; use the address that it printed.")
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and not scope["path"].startswith("/api/"):
            return  # a link from elsewhere to the page is harmless
        if (origin := headers.get("origin")) is not None and origin != f"http://{host.lower()}":
            raise Problem("forbidden", "Another site's page cannot use this server.")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Problem("forbidden", "Another site's page cannot use this server.")

    def _enter(self, scope: Scope, headers: dict[str, str]) -> str | None:
        """Raises Problem without the token. A cookie, if the token came in the address of the page."""
        assert self._door.token
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["type"] == "http" and scope["path"] == "/" and self._opens(query.get("token", [""])[0]):
            return f"{self._door.cookie}={self._door.token}; HttpOnly; SameSite=Strict; Path=/"
        given = [headers.get("authorization", "").removeprefix("Bearer "), self._cookie(headers.get("cookie", ""))]
        if any(_same(token, self._door.token) for token in given):
            return None
        raise Problem("unauthorized", "This server asks for a token: open the whole address that it printed.")

    def _opens(self, given: str) -> bool:
        """Whether it is the token, or the ticket, which then is used up."""
        if self._ticket and _same(given, self._ticket):
            self._ticket = None
            return True
        return _same(given, self._door.token or "")

    def _cookie(self, text: str) -> str:
        try:
            found = SimpleCookie(text).get(self._door.cookie)
        except CookieError:
            return ""
        return found.value if found else ""


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """A header that comes twice is taken as none that is good: which one counts would be anybody's guess."""
    found: dict[str, str] = {}
    for key, value in raw:
        name = key.decode("latin-1").lower()
        found[name] = f"{found[name]}, {value.decode('latin-1')}" if name in found else value.decode("latin-1")
    return found


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            present = {key.lower() for key, _ in message.get("headers", [])}
            more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in present]
            if b"cache-control" not in present:
                more.append((b"cache-control", b"no-cache"))
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return sending


async def _welcome(send: Send, cookie: str, straight: bool) -> None:
    """On to the page, at an address without the token. straight: not by another site's link; in what follows such a
    link a browser does not yet send the cookie, so that our own page has to lead on."""
    on = b'<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>camn</title><a href="/">camn</a>'
    where = (b"location", b"/") if straight else (b"content-type", b"text/html; charset=utf-8")
    headers = [where, (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
    await _answer(send, 303 if straight else 200, headers, b"" if straight else on)


async def _refuse(send: Send, problem: Problem, page: bool) -> None:
    """page: a person reads it."""
    kind, said = b"application/json", json.dumps(body(problem))
    if page:
        again = '<p><a href="/">Try again</a>' if problem.code == "unauthorized" else ""
        kind, said = b"text/html; charset=utf-8", f"<!doctype html><title>camn</title><p>{problem.message}</p>{again}"
    await _answer(send, STATUS[problem.code], [(b"content-type", kind)], said.encode())


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    send = _with_headers(send)
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
