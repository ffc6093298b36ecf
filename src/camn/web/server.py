"""`camn serve`: an address, a browser, and the application."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from camn.api import SegmentOptions
from camn.errors import CamnError, ConfigError
from camn.web.guard import Door, is_loopback
from camn.web.limits import Limits

NO_TOKEN = "none"


@dataclass(frozen=True)
class ServeOptions:
    """projects: the folder they are kept in. host: of another machine's reach only with `public`. token: asked for;
    if none is given, that of the environment's CAMN_TOKEN, or one that is made up; `none`, on this machine alone, asks
    for none. names: host names by which other machines may call this one. Raises ConfigError."""

    projects: Path = Path("camn-projects")
    host: str = "127.0.0.1"
    port: int = 0
    public: bool = False
    token: str | None = None
    names: tuple[str, ...] = ()
    browser: bool = True
    network: SegmentOptions = field(default_factory=SegmentOptions)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self):
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port {self.port}: it must be 0 (any free one) to 65535")
        if not is_loopback(self.host) and not self.public:
            raise ConfigError(
                f"host {self.host}: other machines could reach the server, and all videos on it; if that is wanted, "
                "give --public"
            )
        if self.token == NO_TOKEN and self.public:
            raise ConfigError("token none: other machines could reach all videos; leave out --token, or --public")
        if self.token is not None and self.token != NO_TOKEN:
            _check_token(self.token, "token")

    def secret(self) -> str | None:
        """The token, made anew if none was given. Raises ConfigError."""
        if self.token is None and (named := os.environ.get("CAMN_TOKEN")):
            return _check_token(named, "CAMN_TOKEN")
        return None if self.token == NO_TOKEN else self.token or _made()


def _check_token(token: str, name: str) -> str:
    if len(token) < 16 or not token.isascii() or not token.isalnum():
        raise ConfigError(f"{name}: it must be 16 or more ASCII letters and digits; leave it out to have one made")
    return token


def _made() -> str:
    return secrets.token_urlsafe(24).replace("-", "0").replace("_", "1")


def serve(videos: Sequence[Path], options: ServeOptions, say: Callable[[str], None] = print) -> None:
    """Serve until Ctrl-C or SIGTERM, which are raised again at the end. videos: a new project is made of each. say: is
    told the address.

    Raises CamnError before anything is served: an address that cannot be had, a video that cannot be read, a folder
    that another server has.
    """
    try:
        import uvicorn

        from camn.web.app import create_app
        from camn.web.studio import Studio
    except ImportError as error:
        raise CamnError(f"camn serve needs more packages ({error}); pip install 'camn[web]'") from error
    token = options.secret()
    listening = _bind(options)
    host, port = listening.getsockname()[:2]
    studio = Studio(options.projects, options.network, options.limits)
    for video in videos:
        studio.open_video(video)
    door = Door(host, port, tuple(name.lower() for name in options.names), token, _made() if token else None)
    config = uvicorn.Config(
        create_app(studio, door),  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,  # it would write the token
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=3,
        ws_max_size=1 << 16,
        h11_max_incomplete_event_size=1 << 16,
    )
    address = f"http://{_shown(host)}:{port}/"
    say(f"camn: {address}" + (f"?token={token}" if token else ""))
    if not token:
        say("no token is asked for: all users of this machine can see the videos, and delete them")
    if host in ("0.0.0.0", "::"):
        say(f"from other machines: the same, with this machine's address in place of {_shown(host)}")
    say(f"projects are in {options.projects}/; Ctrl-C stops the server, nothing is lost by it")
    if options.browser:
        address += f"?token={door.ticket}" if token else ""
        threading.Timer(0.5, webbrowser.open, (address,)).start()
    try:
        asyncio.run(uvicorn.Server(config).serve([listening]))
    finally:
        sys.stdout.flush()


def _bind(options: ServeOptions) -> socket.socket:
    """A socket that listens. Raises ConfigError."""
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)[0]
        # Its protocol is named, since asyncio turns off Nagle's algorithm, 40 ms for each answer, by that.
        listening = socket.socket(*found[:3])
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(found[4])
        listening.listen(128)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{options.host}:{options.port} cannot be had ({reason}); give another --port") from None
    return listening


def _shown(host: str) -> str:
    """As it stands in an address; of a bind to all addresses this machine's name."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    return f"[{host}]" if ":" in host else host
