"""Reaching a server: what may go wrong, said so that the user can mend it."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from camn.errors import VideoError, words_of
from camn.media.addresses import Address

WAIT = 10.0  # seconds without an answer after which a server is given up
_ENDLESS = "multipart/x-mixed-replace"  # pictures without end, as web cameras send them
_HANDLERS: tuple[type[urllib.request.BaseHandler], ...] = (
    urllib.request.ProxyHandler,
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPErrorProcessor,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.UnknownHandler,
)
_SAID = {
    401: "it asks for a user and a password; give them as {scheme}://USER:PASSWORD@{host}/..., or check them",
    403: "it does not allow that (403); check the address, the user and the password",
    404: "there is nothing at this address (404); check it",
    410: "there is nothing at this address any more (410); check it",
}


@dataclass(frozen=True)
class Reply:
    """A web server's answer. length: of its body in bytes; None if it does not say. goes_on: it is pictures without
    end. name: the last part of the address. read: up to so many bytes, as soon as some have come; none at the end.
    Raises OSError. close: to be called at the end, from any thread."""

    length: int | None
    goes_on: bool
    name: str
    read: Callable[[int], bytes]
    close: Callable[[], None]


def reach(address: Address) -> None:
    """Whether something listens there, before a library is asked that cannot say what is wrong. Raises VideoError."""
    try:
        with socket.create_connection((address.host, address.port), WAIT) as connection:
            if address.safe:
                ssl.create_default_context().wrap_socket(connection, server_hostname=address.host).close()
    except (OSError, UnicodeError) as error:
        raise VideoError(f"{address.shown}: {why(error, address)}") from None


def tls_options(address: Address) -> dict[str, str]:
    """FFmpeg's, so that it trusts whom Python trusts, and nobody else."""
    known = ssl.get_default_verify_paths().cafile
    return {} if not address.safe else {"tls_verify": "1", **({"ca_file": known} if known else {})}


def ask(address: Address) -> Reply:
    """Raises VideoError. The user's name and password go to this host alone, wherever it leads to."""
    try:
        response = _opener(address).open(
            urllib.request.Request(address.bare, headers={"User-Agent": "camn"}), None, WAIT
        )
    except (OSError, ValueError, http.client.HTTPException) as error:  # not `from`: they know the whole address
        raise VideoError(f"{address.shown}: {why(error, address)}") from None

    def read(size: int) -> bytes:
        try:
            return response.read1(size)
        except (http.client.HTTPException, ValueError, AttributeError) as error:  # the latter two once it is closed
            raise ConnectionError(str(error) or "the connection broke") from error

    def close() -> None:
        _wake(response)
        response.close()

    length = response.headers.get("Content-Length", "")
    kind = response.headers.get_content_type()
    name = response.url.partition("?")[0].rpartition("/")[2]
    return Reply(int(length) if length.isdecimal() else None, kind == _ENDLESS, name, read, close)


def _opener(address: Address) -> urllib.request.OpenerDirector:
    """For http and https alone: a server cannot lead to a file or to anything else."""
    signed: list[urllib.request.BaseHandler] = []
    if address.user or address.password:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, address.bare, address.user, address.password)
        signed = [urllib.request.HTTPBasicAuthHandler(passwords), urllib.request.HTTPDigestAuthHandler(passwords)]
    opener = urllib.request.OpenerDirector()
    for handler in (*_HANDLERS, *signed):
        opener.add_handler(handler() if isinstance(handler, type) else handler)
    return opener


def _wake(response: http.client.HTTPResponse) -> None:
    """Ends a read that waits in another thread."""
    try:
        connection = socket.socket(fileno=socket.dup(response.fileno()))
    except (OSError, ValueError, AttributeError):  # it has ended
        return
    with connection, suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def why(error: BaseException, address: Address) -> str:
    """What an error of the network means, and what to do."""
    if isinstance(error, urllib.error.HTTPError):
        return answer(error.code, address)
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"no such host, {address.host}; check the name and the network"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens at port {address.port} of {address.host}; check the address, and whether it is on"
    if isinstance(error, TimeoutError):
        return f"no answer within {WAIT:.0f} s; check the address and the network"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); check the address, or name a file of "
            "certificates that are to be trusted in the environment variable SSL_CERT_FILE"
        )
    if isinstance(error, OSError):
        said = getattr(error, "strerror", None) or str(getattr(error, "reason", "")) or words_of(error)
        return f"cannot be reached ({said}); check the address and the network"
    # What the others say may quote what is secret.
    if isinstance(error, http.client.HTTPException):
        return "what answers there does not speak HTTP; check the address and its port"
    return "it asks for a login, or leads to an address, of a kind that is not known; check the address"


def answer(code: int, address: Address) -> str:
    """What a server means by an answer that is an error."""
    words = http.client.responses.get(code, "")
    said = _SAID.get(code, f"the server answers {code} {words}".rstrip() + "; try again later, or check the address")
    if 300 <= code < 400:
        said = f"the server leads elsewhere ({code}), too often or to what is no address of the web; check it"
    return said.format(scheme=address.shown.partition(":")[0], host=address.host)
