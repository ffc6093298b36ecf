"""Videos that are sent to the page and are not as simple as most: lists of others, damage, sound, pixels not square."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from videos import COUNT, SIZE, hurt, noisy_video

LISTS = {
    "a.m3u8": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "hls.mp4": b"#EXTM3U\nhttp://127.0.0.1:9/x.ts\n",
    "list.mkv": b"ffconcat version 1.0\nfile /etc/hostname\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_other_files_is_refused(server, name):
    id = server.ask("POST", "/api/projects", {"name": "new"})["id"]
    server.ask("PUT", f"/api/projects/{id}/upload?name={name}", LISTS[name])
    answer = server.call("POST", f"/api/projects/{id}/decode")
    assert answer.status == 422 and "what it names is not opened" in answer.message and "/" not in answer.message, (
        answer
    )


def test_a_damaged_video_keeps_its_frames_and_says_so(server, tmp_path):
    path = hurt(noisy_video(tmp_path / "a.avi", "mjpeg", "yuvj420p"), [4])
    found = server.ask("GET", f"/api/projects/{server.project(('a.avi', path.read_bytes()))}")
    assert found["count"] == COUNT
    (note,) = found["notes"]
    assert "frame 4 cannot be decoded" in note and str(tmp_path) not in note


def test_exported_movies_have_aspect_and_sound(server, make):
    sent = io.BytesIO()
    with av.open(sent, "w", format="matroska") as container:
        stream, sound = container.add_stream("mpeg4", rate=25), container.add_stream("pcm_s16le", rate=8000)
        assert isinstance(stream, av.VideoStream) and isinstance(sound, av.AudioStream)
        stream.height, stream.width, stream.pix_fmt, sound.layout = *SIZE, "yuv420p", "mono"
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        for index in range(6):
            image = np.full((*SIZE, 3), 40 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            chunk = av.AudioFrame.from_ndarray(np.zeros((1, 320), np.int16), "s16", "mono")
            chunk.rate, chunk.pts = 8000, 320 * index
            container.mux(sound.encode(chunk))
        container.mux(stream.encode(None))
    id = server.project(("a.mkv", sent.getvalue()))
    server.ask("POST", f"/api/projects/{id}/objects", {})
    server.ask("PUT", f"/api/projects/{id}/masks/0", make.png(np.ones(SIZE, np.uint8)))
    for kind in ("overlay", "prores"):
        job = server.job(server.ask("POST", f"/api/projects/{id}/exports", {"kind": kind})["id"])
        assert job["state"] == "done", job
        movie = server.call("GET", job["file"]).body
        with av.open(io.BytesIO(movie)) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(64, 45)
            assert sum(packet.size for packet in container.demux(audio=0)) == 6 * 320 * 2
