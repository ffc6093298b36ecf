"""Videos that are sent to the page and are not as simple as most: lists of others, damage, sound, pixels not square."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image
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
    silent = server.job(server.ask("POST", f"/api/projects/{id}/exports", {"kind": "vp9"})["id"])
    assert silent["notes"] == ["“test-cutout.webm”: without the video's sound (pcm_s16le cannot be copied into webm)."]
    for kind in ("overlay", "prores"):
        job = server.job(server.ask("POST", f"/api/projects/{id}/exports", {"kind": kind})["id"])
        assert job["state"] == "done" and job["notes"] == [], job
        movie = server.call("GET", job["file"]).body
        with av.open(io.BytesIO(movie)) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(64, 45)
            assert sum(packet.size for packet in container.demux(audio=0)) == 6 * 320 * 2


def test_a_picture_behind_cut_outs(server, make):
    """It is sent before; one that cannot be read is refused, and of many the last few are kept."""
    path = f"/api/projects/{server.project(('clip.mkv', make.clip(2)))}"
    server.ask("POST", f"{path}/objects", {})
    server.ask("PUT", f"{path}/masks/0", make.png(make.square()))
    blue, film = np.full((30, 40, 3), (0, 0, 250), np.uint8), io.BytesIO()
    Image.fromarray(blue).save(film, "GIF", save_all=True, append_images=[Image.fromarray(blue // 2)])
    bad = {"letter.png": b"Dear reader", "cut.png": make.png(blue)[:-30], "film.gif": film.getvalue(), "no.png": b"",
           "large.png": make.png(np.zeros((1, 40_000_000), np.uint8))}  # fmt: skip
    for name, data in bad.items():
        answer = server.call("POST", f"{path}/backgrounds?name={name}", data)
        assert answer.status == 422 and f"“{name}”" in answer.message and "picture-" not in answer.message, answer
    assert not list((server.projects / path.rsplit("/", 1)[1]).glob(".load*"))
    first = server.ask("POST", f"{path}/backgrounds?name=sea.png", make.png(blue))
    job = server.job(server.ask("POST", f"{path}/exports", {"kind": "over-h264", **first})["id"])
    with av.open(io.BytesIO(server.call("GET", job["file"]).body)) as movie:
        seen = next(movie.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert np.abs(seen[50:, :] - (0, 0, 250)).max() < 30 and np.abs(seen[20, 35] - make.picture(0)[20, 35]).max() < 30
    for shade in range(1, 6):
        last = server.ask("POST", f"{path}/backgrounds", make.png(blue - shade))
    gone = server.call("POST", f"{path}/exports", {"kind": "over-h264", **first})
    assert gone.status == 409 and "choose it again" in gone.message
    server.ask("POST", f"{path}/exports", {"kind": "over-h264", **last})
