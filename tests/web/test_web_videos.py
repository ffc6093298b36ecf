"""Videos that are sent to the page and are not as simple as most: lists of others, damage, sound, pixels not square."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from videos import COUNT, SIZE, hurt, noisy_video, wide_video_with_sound

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


def test_exported_movies_have_aspect_and_sound(server, make, tmp_path):
    sent = wide_video_with_sound(tmp_path / "a.mkv", SIZE).read_bytes()
    id = server.project(("a.mkv", sent))
    server.ask("POST", f"/api/projects/{id}/objects", {})
    server.ask("PUT", f"/api/projects/{id}/masks/0", make.png(np.ones(SIZE, np.uint8)))
    for kind in ("overlay", "prores"):
        job = server.job(server.ask("POST", f"/api/projects/{id}/exports", {"kind": kind})["id"])
        assert job["state"] == "done", job
        movie = server.call("GET", job["file"]).body
        with av.open(io.BytesIO(movie)) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(64, 45)
            assert sum(packet.size for packet in container.demux(audio=0)) == 6 * 320 * 2
