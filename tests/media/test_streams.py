"""Streams: what is taken, what is dropped, how they end, and what is said where there is none."""

import os
import socket
from fractions import Fraction

import cv2
import numpy as np
import pytest
from streaming import LOCALHOST, SIZE, jpeg, rtsp, serving, until
from videos import make_video, wide_video_with_sound

from camn.errors import VideoError
from camn.media import network, reader, stream
from camn.media.addresses import address_of
from camn.media.handover import Handover
from camn.media.opening import open_source


@pytest.fixture
def server():
    with serving() as server:
        yield server


def refused(address: str, **options) -> str:
    with pytest.raises(VideoError) as caught:
        open_source(address, **options)
    assert caught.value.__cause__ is None or "secret" not in str(caught.value.__cause__)
    assert "secret" not in str(caught.value)
    return str(caught.value)


def grey(frame) -> int:
    return round(int(frame.image[5, 5, 0]) / 2)


def test_only_the_newest_waits():
    newest, all_ = Handover(True), Handover(False)
    for item in range(5):
        assert newest.put(item)
    assert (newest.peek(), newest.take(), newest.dropped) == (4, 4, 4)
    assert newest.peek(0) is None
    all_.put("a")
    all_.put("b")
    all_.end()
    assert [all_.take(), all_.take(), all_.take(), all_.dropped] == ["a", "b", None, 0]
    all_.put("c")
    all_.put("d")
    all_.stop()
    assert not all_.put("nobody takes it, and nobody waits for that")


def test_pictures_without_end_are_dropped_counted_and_told(server):
    """What is behind is no queue: after 20 more pictures the next frame is the last of these."""
    server.pages["/live"] = lambda page: page.pictures()
    server.more.release(10)
    source = open_source(f"{server.url.replace('//', '//me:secret@')}/live?key=secret")
    assert (source.size, source.count, source.names, source.drops) == (SIZE, None, None, True)
    until(lambda: source._shown.dropped >= 8)  # all that came so far but one, or two of which one is on its way
    frames = iter(source)
    first = next(frames)
    assert (first.index, first.name, first.time) == (0, "000000", 0) and source.dropped == 0
    again = next(iter(source))
    assert again is first, "the first can be had again"
    server.more.release(20)
    until(lambda: source.dropped >= 19)
    second = next(frames)
    assert second.index == 1 and second.time > 0 and grey(second) > grey(first) + 15
    dropped = source.dropped
    frames.close()
    (said,) = source.warnings
    assert f"/live?...: {dropped} of {dropped + 2} frames were dropped" in said and "secret" not in said
    assert source.record() == {"stream": {"frames": "newest", "dropped": dropped, "ended": "stopped"}}
    server.more.release(1000)
    assert server.gone.wait(60), "it hangs up"
    with pytest.raises(VideoError, match="was read already"):
        next(iter(source))


def test_a_stream_of_which_nobody_takes_more_is_closed(server):
    server.pages["/live"] = lambda page: page.pictures()
    server.more.release(3)
    source = open_source(f"{server.url}/live")
    del source
    server.more.release(1000)
    assert server.gone.wait(60)


def test_all_frames_of_a_stream_that_ends(server):
    def few(page):
        body = b"".join(b"--x\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg(i) + b"\r\n" for i in range(6))
        page.give(body=body, length=False, Content_Type="multipart/x-mixed-replace; boundary=x")

    server.pages["/few"] = few
    source = open_source(f"{server.url}/few", take="all")
    frames = list(source)
    assert [grey(frame) for frame in frames] == list(range(6)) and source.warnings == []
    assert source.record()["stream"] == {"frames": "all", "dropped": 0, "ended": "the stream ended"}


def test_a_stream_that_was_over_before_it_was_followed_says_so(server, tmp_path):
    content = make_video(tmp_path / "a.mkv", count=6).read_bytes()
    server.pages["/short"] = lambda page: page.give(body=content, length=False)
    source = open_source(f"{server.url}/short")
    until(lambda: source._reader.ended)
    assert len(list(source)) == 1
    assert source.warnings == [
        f"{server.url}/short: it had ended before its first frame was taken; 5 before that one were left out. "
        "--take all drops none"
    ]


def test_a_stream_that_breaks_off_keeps_what_came(server, tmp_path):
    content = make_video(tmp_path / "a.ts", count=12).read_bytes()

    def broken(page):
        page.send_response(200)
        page.send_header("Transfer-Encoding", "chunked")
        page.end_headers()
        page.wfile.write(b"%x\r\n" % (2 * len(content)) + content)
        page.wfile.flush()
        page.connection.shutdown(socket.SHUT_RDWR)

    server.pages["/broken"] = broken
    source = open_source(f"{server.url}/broken", take="all")
    assert len(list(source)) >= 11
    assert "broke off after" in source.warnings[0] and "only these have results" in source.warnings[0]


def test_a_live_stream_that_breaks_is_opened_again(server, monkeypatch):
    """Its second answer is an error, its third one gives pictures again, and then it stays away."""
    monkeypatch.setattr(reader, "WAITS", (0, 0.001, 0.002))
    pages, told = [], []

    def page(page):
        pages.append(page)
        page.pictures(3) if len(pages) in (1, 3) else page.send_error(503)

    server.pages["/live"] = page
    server.more.release(3)
    source = open_source(f"{server.url.replace('//', '//me:secret@')}/live?key=secret", notice=told.append)
    until(lambda: len(pages) == 3)
    frames = iter(source)
    first = next(frames)
    server.more.release(3)
    rest = list(frames)
    assert [frame.index for frame in rest] == list(range(1, len(rest) + 1)) and rest and grey(rest[-1]) == 5
    times = [frame.time for frame in (first, *rest)]
    assert times == sorted(set(times))
    place = f"{server.url}/live?..."
    assert told == [f"{place}: broke off (it ended); opened again in {wait:g} s, try {number} of 3"
                    for wait, number in ((0, 1), (0.001, 2), (0, 1), (0.001, 2), (0.002, 3))]  # fmt: skip
    assert source.warnings[0] == (
        f"{place}: broke off and was opened again before frame 1: what was to be seen meanwhile is missing, and frames "
        "are numbered on"
    )
    known = source.record()["stream"]
    assert (known["opened_again"], known["ended"], len(pages)) == (1, "the stream ended", 6)


def test_who_waits_for_a_stream_to_come_back_can_leave(server, monkeypatch):
    monkeypatch.setattr(reader, "WAITS", (600,))
    told = []
    server.pages["/live"] = lambda page: page.pictures(2)
    server.more.release(2)
    source = open_source(f"{server.url}/live", notice=told.append)
    shown = source._shown
    until(lambda: told)
    del source
    until(lambda: shown._ended)


def test_a_picture_that_is_too_large_fills_no_memory(server, monkeypatch):
    large = cv2.imencode(".jpg", np.zeros((96, 160), np.uint8))[1].tobytes()

    def sending(*pictures):
        body = b"".join(b"--x\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n" for picture in pictures)
        return lambda page: page.give(body=body, length=False, Content_Type="multipart/x-mixed-replace; boundary=x")

    monkeypatch.setattr(stream, "MOST", 2000)
    server.pages |= {"/large": sending(large, large), "/mixed": sending(jpeg(1), large, jpeg(3))}
    assert "frames of 160x96 pixels; at most 2000 are taken" in refused(f"{server.url}/large", take="all")
    source = open_source(f"{server.url}/mixed", take="all")
    assert [grey(frame) for frame in source] == [1, 1, 3] and "frame 1 cannot be decoded" in source.warnings[0]


def test_a_file_of_the_web_is_read_whole_as_a_file(server, tmp_path):
    path = wide_video_with_sound(tmp_path / "a.mkv", (32, 48))
    server.pages["/clips/my clip.mkv".replace(" ", "%20")] = lambda page: page.give(body=path.read_bytes())
    server.pages["/moved"] = lambda page: page.give(302, Location="/clips/my%20clip.mkv")
    server.pages["/%C3%BC%F0%9F%90%88.mkv"] = server.pages["/clips/my%20clip.mkv"]
    told = []
    source = open_source(f"{server.url}/moved", notice=told.append)
    assert told == [f"{server.url}/moved: {path.stat().st_size / 1e6:.1f} MB, fetched first"]
    plain = open_source(path)
    assert (source.count, source.size, source.aspect, source.drops) == (plain.count, plain.size, plain.aspect, False)
    assert source.sound and source.place == f"{server.url}/moved" and source.path is None
    cat = open_source(f"{server.url}/ü🐈.mkv?key=ü")
    assert (cat.count, cat.title) == (plain.count, "ü_") and server.asked[-1][0].endswith(".mkv?key=%C3%BC")
    for _ in range(2):
        assert [frame.time for frame in source] == [frame.time for frame in plain]
    kept = source._file
    assert kept.exists() and kept.name == "my_clip.mkv"
    del source
    assert not kept.exists()
    server.pages["/cut.mkv"] = lambda page: page.give(body=path.read_bytes()[:-2000])
    source = open_source(f"{server.url}/cut.mkv")
    list(source)
    assert f"{server.url}/cut.mkv: the video ends early" in source.warnings[0]


def test_what_the_web_answers_instead(server, tmp_path):
    secret = server.url.replace("//", "//me:secret@")
    (tmp_path / "whole.mp4").write_bytes(make_video(tmp_path / "a.mp4", count=2).read_bytes())
    server.pages |= {
        "/401": lambda page: page.send_error(401),
        "/500": lambda page: page.send_error(500),
        "/page": lambda page: page.give(body=b"<!DOCTYPE html><html></html>"),
        "/empty": lambda page: page.give(body=b""),
        "/file": lambda page: page.give(302, Location=(tmp_path / "whole.mp4").as_uri()),
        "/list": lambda page: page.give(body=b"#EXTM3U\n" + (tmp_path / "whole.mp4").as_uri().encode()),
        "/live-list": lambda page: page.give(body=b"#EXTM3U\nwhole.mp4\n", length=False),
        "/concat": lambda page: page.give(body=b"ffconcat version 1.0\nfile whole.mp4\n", length=False),
        "/noise": lambda page: page.give(body=bytes(range(256)) * 20, length=False),
        "/bearer": lambda page: page.give(401, WWW_Authenticate="Bearer realm=x"),
        "/nowhere": lambda page: page.give(302, Location="http://[x"),
        "/greets": lambda page: page.wfile.write(b"+OK ready\r\n"),
        "/cut": lambda page: (page.send_response(200), page.send_header("Content-Length", "99"), page.end_headers()),
    }
    for path, words in {
        "/404?key=secret": "404?...: there is nothing at this address (404); check it",
        "/401": "it asks for a user and a password",
        "/500": "the server answers 500",
        "/bearer": "it asks for a login, or leads to an address, of a kind that is not known",
        "/nowhere": "leads to an address, of a kind that is not known",
        "/greets": "what answers there does not speak HTTP",
        "/page": "a web page, not a video",
        "/empty": "the file is empty",
        "/file": "leads elsewhere (302)",
        "/list": "a playlist (M3U, HLS), not a video: what it names is not opened",
        "/live-list": "a playlist (M3U, HLS), not a video: what it names is not opened",
        "/concat": "a list of files (ffconcat), not a video",
        "/noise": "not a video",
        "/cut": "broke off after 0 of 99 bytes; try again",
    }.items():
        message = refused(secret + path)
        assert words in message and message.startswith(server.url + path.partition("?")[0]), message


def test_the_password_goes_to_its_host_alone(server, tmp_path):
    body = make_video(tmp_path / "a.mp4", count=2).read_bytes()
    with serving() as other:

        def asks(page):
            if "Authorization" in page.headers:
                page.give(302, Location=f"{other.url}/a.mp4")
            else:
                page.give(401, WWW_Authenticate='Basic realm="x"')

        server.pages["/a"] = asks
        other.pages["/a.mp4"] = lambda page: page.give(body=body)
        assert len(list(open_source(f"{server.url.replace('//', '//me:secret@')}/a"))) == 2
        assert [("Authorization" in headers) for _, headers in server.asked] == [False, True]
        assert "Authorization" not in other.asked[0][1]


def test_rtsp(tmp_path, monkeypatch):
    with rtsp(make_video(tmp_path / "a.ts", count=12)) as url:
        source = open_source(url, take="all")
        frames = list(source)
        assert source.place == url.replace("me:secret@", "") and "secret" not in repr(address_of(url))
        assert len(frames) >= 11 and frames[5].time == Fraction(1, 5) and source.warnings == []
        assert open_source(url).drops
    with rtsp(make_video(tmp_path / "b.ts", count=90), safe=True) as url:
        assert "its certificate is not trusted" in refused(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(LOCALHOST))
        source = open_source(url, take="all")
        frames = iter(source)
        assert [next(frames).index for _ in range(5)] == [0, 1, 2, 3, 4] and source.place.startswith("rtsps://127")
        frames.close()
    for code, words in ((401, "it asks for a user and a password; give them as rtsp://USER"), (404, "(404)")):
        with rtsp(refuses=code) as url:
            assert words in refused(url)


@pytest.mark.skipif(not os.path.exists("/dev/video0"), reason="needs a camera")
def test_a_camera():
    source = open_source("camera:0")
    frames = iter(source)
    assert next(frames).image.shape == (*source.size, 3) and next(frames).time > 0
    frames.close()
    assert source.record()["stream"]["ended"] == "stopped"


def test_nobody_there(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(network, "WAIT", 0.2)
        for scheme in ("http", "rtsp"):
            assert "no answer within" in refused(f"{scheme}://me:secret@127.0.0.1:{port}/x")
    for scheme in ("http", "rtsp"):
        assert f"nothing listens at port {port}" in refused(f"{scheme}://me:secret@127.0.0.1:{port}/x")
        assert "no such host, nowhere.invalid; check" in refused(f"{scheme}://me:secret@nowhere.invalid/x")


@pytest.mark.parametrize(("address", "words"), {
    "http://": "it names no host", "http://me:secret@h:99999/": "the port is no number", "rtsp://h/a b": "a space",
    "http://h/\ud800": "no address that can be",
    "camera:Nobody's": "no such camera; there are", "camera:99": "no such camera; there are",
    "-": "what comes through a pipe must be readable from its start on",
}.items())  # fmt: skip
def test_addresses_that_cannot_be(address, words):
    assert words in refused(address)


def test_a_file_that_is_named_so_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.makedirs("http:/x")
    for name in ("camera:0", "http://x/a.mp4"):
        make_video(tmp_path / "video.mp4", count=2).rename(name)
        assert len(list(open_source(name))) == 2
    assert "take newest is for streams" in refused("camera:0", take="newest")
