"""Each attack, really tried against a real server."""

import contextlib
import io
import json
import os
import re
import socket
import struct
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from camn.errors import ConfigError
from camn.web.server import ServeOptions

LOW = "'file_bytes': 300_000, 'frame_pixels': 20_000, 'frames': 8, 'member_bytes': 100_000, 'mask_bytes': 9_000,"
LOW += "'mask_pixels': 15_000"


@pytest.fixture(scope="module")
def low(serve):
    """A server with low limits."""
    return serve(limits=LOW)


@pytest.fixture
def new(low) -> str:
    return low.ask("POST", "/api/projects", {"name": "new"})["id"]


def raw(server, request: bytes) -> bytes:
    """What is answered to bytes that no client library would send."""
    with socket.create_connection((server.host, server.port), timeout=120) as connection:
        connection.sendall(request.replace(b"\r\n", f"\r\n{entry(server)}".encode(), 1))
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def entry(server) -> str:
    """Lines of a request's head that let in."""
    return "".join(f"{key}: {value}\r\n" for key, value in server.entry.items())


def decode(server, project: str, name: str, data: bytes):
    """The answer of `decode`, or of the upload if that is refused; or the project that failed."""
    sent = server.call("PUT", f"/api/projects/{project}/upload?name={name}", data)
    if sent.status != 200:
        return sent
    answer = server.call("POST", f"/api/projects/{project}/decode")
    if answer.status != 202:
        return answer
    found = server.wait(f"/api/projects/{project}", lambda found: found["state"] in ("ready", "failed"))
    return found["error"]


# --- who may ask -----------------------------------------------------------------------------------------------------


def test_dns_rebinding(server):
    good = f"{server.host}:{server.port}"
    for host in (
        "evil.example",
        f"evil.example:{server.port}",
        f"127.0.0.1.evil.example:{server.port}",
        "127.0.0.1",
        "",
    ):
        for path in ("/", "/api/projects", "/static/index.html"):
            answer = raw(server, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400")), (host, answer[:100])
        with pytest.raises(InvalidStatus, match="403"):
            ws(server, host=host or "x")
    twice = f"GET /api/projects HTTP/1.1\r\nHost: {good}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert raw(server, twice.encode()).startswith((b"HTTP/1.1 403", b"HTTP/1.1 400"))
    absolute = "GET http://evil.example/api/projects HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert raw(server, absolute.encode()).startswith((b"HTTP/1.1 403", b"HTTP/1.1 400", b"HTTP/1.1 404"))
    for host in (good, f"localhost:{server.port}", f"LOCALHOST:{server.port}"):
        assert server.call("GET", "/api/projects", host=host).status == 200


def ws(server, host: str | None = None, query: str = "", **options):
    """The server's events, opened as by a browser that takes it for `host`."""
    with socket.create_connection((server.host, server.port), timeout=120) as connection:
        address = f"ws://{host or f'{server.host}:{server.port}'}/api/events{query}"
        headers = options.pop("additional_headers", server.entry)
        with connect(address, sock=connection, open_timeout=120, additional_headers=headers, **options) as socket_:
            return json.loads(socket_.recv(timeout=120))


def test_cross_site_requests(server, make):
    before = server.ask("GET", "/api/projects")
    own = f"http://{server.host}:{server.port}"
    foreign = (
        "http://evil.example",
        "null",
        f"http://localhost:{server.port + 1}",
        f"https://{server.host}:{server.port}",
    )
    for origin in foreign:
        for method, path in (("POST", "/api/projects"), ("GET", "/api/projects"), ("DELETE", "/api/jobs/0123456789ab")):
            answer = server.call(method, path, {"name": "x"}, origin=origin)
            assert answer.status == 403 and answer.code == "forbidden"
            assert not [key for key in answer.headers if key.startswith("access-control")]
        with pytest.raises(InvalidStatus, match="403"):
            ws(server, origin=origin)
    for site in ("cross-site", "same-site"):
        assert server.call("GET", "/api/projects", sec_fetch_site=site).status == 403
    simple = {"content_type": "text/plain"}  # what a form of another site can send without asking first
    assert server.call("POST", "/api/projects", b'{"name": "x"}', **simple).status in (415, 422)
    preflight = server.call("OPTIONS", "/api/projects", origin="http://evil.example")
    assert preflight.status == 403 and "access-control-allow-origin" not in preflight.headers
    assert server.ask("GET", "/api/projects") == before
    assert ws(server, origin=own)["type"] == "hello" and server.call("GET", "/api/projects", origin=own).status == 200
    assert server.call("GET", "/", sec_fetch_site="cross-site").status == 200  # a link to the page is no attack


def test_the_page_loads_nothing_from_elsewhere_and_is_framed_nowhere(server):
    for path in ("/", "/api/projects", "/api/nothing", "/static/nothing"):
        headers = server.call("GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin" and headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
    described = server.call("GET", "/api/openapi.json").json
    assert "/api/projects" in described["paths"] and server.call("GET", "/docs").status == 404


def test_other_users_need_the_token(serve):
    """Of this machine; whoever opened the server has it, in the address that was printed."""
    server = serve("--token", "0123456789abcdef")
    assert server.token == "0123456789abcdef"
    for headers in ({"authorization": ""}, {"cookie": f"camn-token-{server.port}=x"}):
        for path in ("/", "/api/projects", "/api/server", "/static/index.html", "/?token=x", "/?token="):
            assert server.call("GET", path, **headers).status == 401, path
        assert server.call("POST", "/api/projects", {"name": "x"}, **headers).status == 401
        with pytest.raises(InvalidStatus, match="403|401"):
            ws(server, additional_headers=headers)
    person = server.call("GET", "/", authorization="")
    assert person.headers["content-type"].startswith("text/html") and b"whole address that it printed" in person.body
    for site in ("none", "cross-site"):  # on a link of another site a browser sends no cookie, nor where it leads on
        entered = server.call("GET", f"/?token={server.token}", authorization="", sec_fetch_site=site)
        assert (entered.status, b"url=/" in entered.body) == ((303, False) if site == "none" else (200, True))
        cookie = entered.headers["set-cookie"].split(";")[0]
        assert server.call("GET", "/api/projects", cookie=cookie).status == 200
        assert ws(server, additional_headers={"cookie": cookie})["type"] == "hello"


def test_a_server_makes_up_its_token_or_asks_for_none(tmp_path, tiny, monkeypatch):
    def options(token: str | None, public: bool = False) -> ServeOptions:
        return ServeOptions(token=token, public=public)

    assert len({options(None).secret() for _ in range(3)} - {None}) == 3
    assert options("none").secret() is None and options("a" * 16).secret() == "a" * 16
    for wrong in ("short", "", "ü" * 16, "a b c d e f g h i j"):
        with pytest.raises(ConfigError, match="16 or more"):
            options(wrong)
    with pytest.raises(ConfigError, match="other machines could reach all videos"):
        options("none", public=True)
    monkeypatch.setenv("CAMN_TOKEN", "fromTheEnvironment")  # a command line is there for all to see
    assert options(None).secret() == "fromTheEnvironment" and options("none").secret() is None
    monkeypatch.setenv("CAMN_TOKEN", "short")
    with pytest.raises(ConfigError, match="CAMN_TOKEN: it must be 16 or more"):
        options(None).secret()


def test_without_a_token_it_is_said(serve):
    server = serve("--token", "none")
    assert server.token is None and server.call("GET", "/api/projects").status == 200
    assert server.process.stdout.readline().startswith("no token is asked for: all users of this machine")


def test_other_machines_need_a_flag_and_a_token(serve, tiny, tmp_path):
    with pytest.raises(AssertionError, match="--public"):
        serve("--host", "0.0.0.0")
    with pytest.raises(AssertionError, match="16 or more"):
        serve("--host", "0.0.0.0", "--public", "--token", "short")
    server = serve("--host", "0.0.0.0", "--public", "--names", "studio")
    token = server.token
    assert token and len(token) >= 24
    cookies = ({"cookie": text} for text in (f"camn-token-{server.port}=x", "camn-token=ü; ;;=,"))
    for headers in ({"authorization": ""}, {"authorization": "Bearer x"}, *cookies):
        for path in ("/", "/api/projects", "/static/index.html", "/?token=x", "/api/projects?token=" + token):
            assert server.call("GET", path, **headers).status == 401, (path, headers)
        with pytest.raises(InvalidStatus, match="403|401"):
            ws(server, additional_headers=headers)
    entered = server.call("GET", f"/?token={token}")
    cookie = entered.headers["set-cookie"]
    assert entered.status == 303 and entered.headers["location"] == "/"
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    for headers in ({"cookie": cookie.split(";")[0]}, {"authorization": f"Bearer {token}"}):
        assert server.call("GET", "/api/projects", **headers).status == 200
        assert ws(server, additional_headers=headers)["type"] == "hello"
    headers = {"authorization": f"Bearer {token}"}
    assert server.call("GET", "/api/projects", host=f"studio:{server.port}", **headers).status == 200
    assert server.call("GET", "/api/projects", host=f"evil.example:{server.port}", **headers).status == 403
    assert server.call("POST", "/api/projects", {"name": "x"}, origin="http://evil.example", **headers).status == 403
    assert token not in server.stop()  # nothing that is logged holds it


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_no_path_of_a_client_is_opened(low, new, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    outside = [path for path in tmp_path.parent.rglob("*") if not path.is_relative_to(low.projects)]
    names = [
        "../../../../etc/passwd",
        "/etc/passwd",
        str(secret),
        "..%2f..%2fx",
        "a%00b",
        "%2e%2e/x",
        "...",
        "C:\\x",
        "con",
    ]
    for name in names:
        quoted = name.replace("\\", "%5C").replace("/", "%2F")
        answer = decode(low, low.ask("POST", "/api/projects", {"name": "x"})["id"], quoted, b"nothing good")
        assert answer.status == 422 and "secret" not in answer.message.replace("“secret.txt”", "")
        for path in (f"/api/projects/{name}", f"/api/projects/{new}/frames/{name}", f"/static/{name}", f"/{name}",
                     f"/api/jobs/{name}/file", f"/api/projects/{new}/masks/{name}", f"/static/../{name}"):  # fmt: skip
            if " " in path or "\\" in path:
                continue
            answer = low.call("GET", path)
            assert answer.status in (404, 422), (path, answer.status)
            assert b"root:" not in answer.body and b"the secret" not in answer.body
    assert low.call("GET", "/static/../app.py").status == 404
    assert low.call("GET", "/static/%2e%2e/app.py").status == 404
    assert low.call("PATCH", f"/api/projects/{new}", {"name": "../../x"}).status == 422
    now = [path for path in tmp_path.parent.rglob("*") if not path.is_relative_to(low.projects)]
    assert now == outside
    stored = {re.sub(r"[0-9a-f]{12,16}", "#", path.name) for path in low.projects.rglob("*")}
    assert stored <= {".lock", "#", "source", "project.json", "upload-#"}


def test_playlists_that_name_other_files_are_no_videos(low, new, tmp_path, make):
    (tmp_path / "other.mkv").write_bytes(make.clip(3))
    lists = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{tmp_path}/other.mkv\n#EXT-X-ENDLIST\n",
        "a.ffconcat": f"ffconcat version 1.0\nfile '{tmp_path}/other.mkv'\n",
        "a.txt": "root:x:0:0",
        "a.svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    }
    for name, text in lists.items():
        answer = decode(low, new, name, text.encode())
        assert answer.status == 422 and str(tmp_path) not in answer.message, answer


def test_zip_slip_and_links(low, new, make, tmp_path):
    """Members that name other folders: only their last part counts, and only for their order."""
    before = sorted([*tmp_path.parent.rglob("evil*"), *Path("/tmp").glob("evil*")])
    for name in ("../../evil.png", "/tmp/evil.png", "..\\..\\evil.png", "a/../../evil.png"):
        assert decode(low, new, "x.zip", make.archive({name: make.png(make.picture(0))})) is None
        low.ask("DELETE", f"/api/projects/{new}")
        new = low.ask("POST", "/api/projects", {"name": "new"})["id"]
    assert sorted([*tmp_path.parent.rglob("evil*"), *Path("/tmp").glob("evil*")]) == before
    buffer = tmp_path / "link.zip"
    with zipfile.ZipFile(buffer, "w") as file:
        link = zipfile.ZipInfo("0.png")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
    assert "not an image" in decode(low, new, "x.zip", buffer.read_bytes())


def test_zip_bombs(low, new, make, tmp_path):
    png = make.png(make.picture(0))
    zeros = bytes(5_000_000)
    honest = make.archive({f"{index}.png": zeros for index in range(3)})
    assert len(honest) < 20_000 and decode(low, new, "x.zip", honest).status == 413
    lying = bytearray(make.archive({"0.png": zeros}))
    at = lying.rindex(b"PK\x01\x02")
    lying[at + 24 : at + 28] = struct.pack("<I", 1000)  # the directory's own word for the unpacked size
    said = decode(low, new, "x.zip", bytes(lying))
    said = said if isinstance(said, str) else said.message
    assert "damaged" in said or "more than is taken" in said, said
    for data, word in (
        (make.archive({f"{index}.png": png for index in range(9)}), "at most 8"),
        (make.archive({"notes.txt": b"x"}), "no images"),
        (make.archive({"0.png": png, "in/0.png": png}), "several folders"),
        (make.archive({"0.png": png})[:-10], "damaged|not a video"),
    ):
        other = low.ask("POST", "/api/projects", {"name": "new"})["id"]
        assert re.search(word, decode(low, other, "x.zip", data).message)
    assert sum(path.stat().st_size for path in low.projects.rglob("*") if path.is_file()) < 3_000_000


def test_nested_and_damaged_zips(low, make):
    png = make.png(make.picture(0))
    inner = make.archive({"0.png": png})
    broken = bytearray(make.archive({"0.png": os.urandom(9000)}))
    broken[100:5000] = os.urandom(4900)
    for data in (
        make.archive({"0.png": inner}),
        bytes(broken),
        make.archive({"0.png": png[:60]}),
        make.archive({"0.png": b""}),
    ):
        other = low.ask("POST", "/api/projects", {"name": "new"})["id"]
        said = decode(low, other, "x.zip", data)
        assert isinstance(said, str) and ("damaged" in said or "image" in said), said


def test_sizes(low, new, make):
    big = np.random.default_rng(0).integers(0, 255, 400_000, np.uint8).tobytes()
    answer = low.call("PUT", f"/api/projects/{new}/upload?name=x.mp4", big)
    assert answer.status == 413 and "293 KiB" in answer.message
    chunked = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (big[i : i + 50_000] for i in range(0, 400_000, 50_000))
    )
    head = f"PUT /api/projects/{new}/upload?name=x HTTP/1.1\r\nHost: {low.host}:{low.port}\r\n"
    sent = f"{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode() + chunked + b"0\r\n\r\n"
    assert b" 413 " in raw(low, sent)[:20]  # without a length, counted as it comes
    for length in ("99999999999999999999999", "-5", "ten"):
        refused = raw(low, f"{head}Content-Length: {length}\r\nConnection: close\r\n\r\n".encode())
        assert refused[9:12] in (b"400", b"413"), refused[:60]
    assert low.call("POST", "/api/projects", {"name": "x" * 2_000_000}).status == 413
    assert low.call("POST", "/api/projects", b"x" * 2_000_000, content_type="text/plain").status == 413
    for path in ("/api/projects/upload", "/api/projects/masks/objects", f"/api/projects/{new}/propagate/masks/"):
        assert low.call("PATCH", path, {"name": "x" * 2_000_000}).status == 413  # names of routes are no way round
    endless = head.replace("PUT", "POST").replace("/upload?name=x", "/propagate")
    assert raw(low, f"{endless}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())[9:12] == b"411"
    assert low.call("PUT", f"/api/projects/{new}/upload?name=x", b"").status == 422
    assert list((low.projects / new / "source").iterdir()) == []  # nothing of all this was kept
    broken_off = f"{head}Content-Length: 1000\r\n\r\n".encode() + b"x" * 10
    with socket.create_connection((low.host, low.port)) as connection:
        connection.sendall(broken_off.replace(b"\r\n", f"\r\n{entry(low)}".encode(), 1))
    low.wait(f"/api/projects/{new}", lambda found: not list((low.projects / new / "source").iterdir()))


def test_uploads_that_come_together_count_together(low, new, make):
    half, head = 200_000, f"Host: {low.host}:{low.port}\r\n{entry(low)}Connection: close\r\n"
    head += "Content-Length: 200000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection((low.host, low.port), timeout=120)) for _ in range(2)]
        for number, connection in enumerate(slow):
            connection.sendall(
                f"PUT /api/projects/{new}/upload?name={number} HTTP/1.1\r\n{head}".encode() + bytes(half - 1)
            )
        slow[0].sendall(b"x")
        slow[1].sendall(b"x")
        answers = sorted(connection.recv(4000)[9:12] for connection in slow)
    assert answers == [b"200", b"413"]


def test_an_upload_that_is_late_is_not_taken(low, new, make):
    head = f"PUT /api/projects/{new}/upload?name=late HTTP/1.1\r\nHost: {low.host}:{low.port}\r\n{entry(low)}"
    with socket.create_connection((low.host, low.port), timeout=120) as slow:
        slow.sendall(f"{head}Content-Length: 1000\r\nConnection: close\r\n\r\n".encode() + bytes(500))
        low.wait(f"/api/projects/{new}", lambda found: len(list((low.projects / new).glob("source/*"))) == 1)
        assert decode(low, new, "clip.mkv", make.clip(3)) is None
        slow.sendall(bytes(500))
        assert slow.recv(4000)[9:12] == b"409"
    assert [path.name for path in (low.projects / new / "source").iterdir()] == ["video.mkv"]


def test_a_project_is_of_one_video(low, new, make):
    assert "8 frames" in decode(low, new, "x.mkv", make.clip(12))
    assert low.ask("GET", f"/api/projects/{new}")["count"] == 8
    refused = low.call("PUT", f"/api/projects/{new}/upload?name=x.mkv", make.clip(2))
    assert refused.code == "conflict" and "make a new project" in refused.message  # its frames may be kept by browsers


def test_pixels_and_frames(low, make):
    def refused(name: str, data: bytes) -> str:
        said = decode(low, low.ask("POST", "/api/projects", {"name": "new"})["id"], name, data)
        return said if isinstance(said, str) else said.message

    assert "at most 20000" in refused("x.png", make.png(make.picture(0, (200, 200))))
    assert "at most 20000" in refused("x.mkv", make.clip(2, (200, 200)))
    assert "at most 20000" in refused("x.zip", make.archive({"0.png": make.png(make.picture(0, (200, 200)))}))
    assert "image" in refused("x.png", png_bomb(60_000, 60_000)).lower()
    assert "8 frames" in refused("x.mkv", make.clip(12))
    assert "at most 8" in refused("x.mkv", make.clip(30)) or "8 frames" in refused("x.mkv", make.clip(30))


def png_bomb(width: int, height: int) -> bytes:
    """A small PNG that claims to be very large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_video_whose_pictures_grow(low, make, tmp_path):
    """What the headers say fits, what comes later does not: it ends there."""
    path = tmp_path / "grows.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuvj420p"
        for index in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(make.picture(index), "rgb24")))
        packet = av.Packet(jpeg(make.picture(3, (1600, 1600))))
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 200, 200, Fraction(1, 1000)
        container.mux(packet)
    id = low.ask("POST", "/api/projects", {"name": "new"})["id"]
    assert decode(low, id, "x.mkv", path.read_bytes()) is None
    found = low.ask("GET", f"/api/projects/{id}")
    assert found["count"] == 3 and (found["width"], found["height"]) == (96, 64)


def test_masks(low, make):
    id = low.project(("clip.mkv", make.clip(3)))
    path = f"/api/projects/{id}/masks/0"
    low.ask("POST", f"/api/projects/{id}/objects", {})
    assert low.call("PUT", path, os.urandom(10_000)).status == 413
    good = make.png(make.square(0))
    for data in (
        b"",
        b"x",
        good[:50],
        png_bomb(60_000, 60_000),
        make.png(make.picture(0))[:100],
        b"GIF89a",
        b"[" * 5000,
    ):
        for target in (path, f"{path}/load?name=../../x.json"):
            answer = low.call("PUT" if target == path else "POST", target, data)
            assert answer.status == 422 and "/" not in answer.message.replace("RGB/", ""), answer.body
    large = ({"images": [{"id": 1, "width": 10**6, "height": 10**6}],
              "annotations": [{"id": 1, "image_id": 1, "category_id": 1,
                               "segmentation": {"size": [10**6, 10**6], "counts": [10**12]}}]},)  # fmt: skip
    for coco in large:
        assert low.call("POST", f"{path}/load?name=x.json", json.dumps(coco).encode()).status == 422
    frames = [{"id": n, "file_name": f"{n:06d}", "width": 96, "height": 64} for n in range(3)]
    rle = {"size": [64, 96], "counts": [0, 64 * 96]}
    marks = [{"id": n, "image_id": n, "track_id": 1, "segmentation": rle} for n in range(3)]
    answer = low.call("POST", f"{path}/load?name=x.json", json.dumps({"images": frames, "annotations": marks}).encode())
    assert answer.status == 422 and "too many frames (2 fit)" in answer.message
    many = np.arange(96 * 64).reshape(64, 96).astype(np.uint8) // 4
    assert low.call("POST", f"{path}/load?name=x.png", make.png(many)).status in (413, 422)
    for _ in range(49):
        low.ask("POST", f"/api/projects/{id}/objects", {})
    refused = low.call("POST", f"/api/projects/{id}/objects", {})
    assert refused.status == 413 and "at most 50" in refused.message
    assert low.call("GET", path).status == 404


def test_errors_carry_no_paths(low, new, make):
    id = low.project(("clip.mkv", make.clip(3)))
    (low.projects / id / "frames" / "000001.jpg").write_bytes(b"broken")
    (low.projects / id / "frames" / "000002.jpg").unlink()
    low.ask("POST", f"/api/projects/{id}/objects", {})
    low.ask("PUT", f"/api/projects/{id}/masks/0", make.png(make.square(0)))
    job = low.job(low.ask("POST", f"/api/projects/{id}/propagate", {"frame": 0})["id"])
    assert job["state"] == "failed" and "Frame 1 " in job["error"]
    assert low.call("GET", f"/api/projects/{id}/frames/2?size=full").status == 404
    (low.projects / id / "source" / "video.mkv").unlink()
    exported = low.ask("POST", f"/api/projects/{id}/exports", {"kind": "overlay"})
    texts = [job["error"], json.dumps(low.job(exported["id"]))]
    texts += [low.call("PUT", f"/api/projects/{new}/upload?name=%2Fetc%2Fx.mp4", b"0").body.decode()]
    texts += [low.call("POST", f"/api/projects/{new}/decode").body.decode()]
    for text in texts:
        assert str(low.projects) not in text and "/tmp" not in text and "/etc" not in text and "Traceback" not in text


@pytest.mark.parametrize("relative", [True, False])
def test_errors_of_a_folder_of_any_name_carry_no_paths(serve, make, tmp_path, relative):
    folder = tmp_path / "my projects"
    server = serve(projects=Path(os.path.relpath(folder)) if relative else folder)
    id = server.project(("clip.mkv", make.clip(3)))
    server.ask("POST", f"/api/projects/{id}/objects", {})
    (folder / id / "given").mkdir(exist_ok=True)
    (folder / id / "given" / "000000.png").mkdir()  # so that it cannot be written
    refused = server.call("PUT", f"/api/projects/{id}/masks/0", make.png(make.square(0)))
    assert refused.status == 409 and "my projects" not in refused.message and tmp_path.name not in refused.message
    assert refused.message.startswith(f"The projects/{id}/given/000000.png")


def test_half_requests_hold_nobody_up(server):
    with socket.create_connection((server.host, server.port)) as slow:
        slow.sendall(b"GET /api/projects HTTP/1.1\r\nHost: ")
        assert server.call("GET", "/api/projects").status == 200
    assert raw(server, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n").startswith(b"HTTP/1.1 400")
