"""The whole way through the interface: load, draw, follow, correct, export, and everything opened again."""

import base64
import io
import json
import zipfile

import av
import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.masks import PALETTE, encode_palette_png, read_masks
from camn.masks.rle import encode_rle

FRAMES = 6


@pytest.fixture(scope="module")
def project(server, make) -> str:
    """A project of six frames with object 1."""
    id = server.project(("clip.mkv", make.clip(FRAMES)))
    server.ask("POST", f"/api/projects/{id}/objects", {"name": "square", "colour": "#FF0000"})
    return id


@pytest.fixture
def marked(server, project, make) -> str:
    """The same, marked on frame 2 alone."""
    server.ask("DELETE", f"/api/projects/{project}/masks?first=0&last={FRAMES - 1}&kind=both")
    server.ask("PUT", f"/api/projects/{project}/masks/2", make.png(make.square(2)))
    return project


def run(server, project: str, **asked) -> dict:
    job = server.ask("POST", f"/api/projects/{project}/propagate", asked)
    ended = server.job(job["id"])
    assert ended["state"] == "done", ended
    return ended


def test_frames_as_they_came(server, project, make):
    found = server.ask("GET", f"/api/projects/{project}")
    assert (found["width"], found["height"], found["count"], found["total"]) == (96, 64, FRAMES, FRAMES)
    assert found["fps"] == 25 and found["state"] == "ready" and found["notes"] == []
    for index in range(FRAMES):
        for size in ("display", "full"):
            answer = server.call("GET", f"/api/projects/{project}/frames/{index}?size={size}")
            assert answer.headers["content-type"] == "image/jpeg" and "immutable" in answer.headers["cache-control"]
            assert np.abs(answer.ids.astype(int) - make.picture(index)).mean() < 4
    assert server.call("GET", f"/api/projects/{project}/frames/{FRAMES}").status == 404


def test_display_size_and_natural_order_of_a_zip(server, make):
    pictures = [make.picture(0, (40, 1200)) for _ in range(11)]
    for index, image in enumerate(pictures):
        image[:, :100] = 20 * index
    members = {f"shot/frame{index + 1}.png": make.png(image) for index, image in enumerate(pictures)}
    data = make.archive({"__MACOSX/shot/._frame1.png": b"x", "read.me": b"x", **members})
    id = server.project(("shot.zip", data))
    found = server.ask("GET", f"/api/projects/{id}")
    assert (found["display_width"], found["display_height"], found["count"]) == (960, 32, 11)
    for index in range(11):
        small = server.call("GET", f"/api/projects/{id}/frames/{index}").ids
        assert small.shape == (32, 960, 3) and abs(int(small[16, 40, 0]) - 20 * index) < 3


def test_several_images_make_a_project_and_their_names_are_used_in_messages(server, make):
    files = [(f"{n}.png", make.png(make.picture(n))) for n in (10, 2, 1)]
    id = server.project(*files)
    reds = [server.call("GET", f"/api/projects/{id}/frames/{index}?size=full").ids for index in range(3)]
    for image, n in zip(reds, (1, 2, 10), strict=True):
        assert np.abs(image.astype(int) - make.picture(n)).mean() < 4
    other = server.ask("POST", "/api/projects", {"name": "x"})["id"]
    for name, size in (("a.png", (64, 96)), ("b.png", (64, 90))):
        server.ask("PUT", f"/api/projects/{other}/upload?name={name}", make.png(make.picture(0, size)))
    refused = server.call("POST", f"/api/projects/{other}/decode")
    assert refused.status == 422 and "b.png" in refused.message and "90x64" in refused.message
    server.ask("PUT", f"/api/projects/{other}/upload?name=a.png", make.png(make.picture(0)))  # once more, rightly
    assert server.ask("POST", f"/api/projects/{other}/decode")["state"] == "decoding"


def test_objects_and_masks(server, marked, make):
    path = f"/api/projects/{marked}/masks/2"
    assert np.array_equal(server.call("GET", path).ids, make.square(2))
    coloured = np.dstack([make.square(3), make.square(3) * 7, make.square(3), np.full((64, 96), 255, np.uint8)])
    first = server.call("GET", path).headers["etag"]
    assert server.call("GET", path, if_none_match=first).status == 304
    told = server.ask("PUT", path, make.png(coloured))
    assert told == {"frame": 2, "given": True, "predicted": False, "confidence": {"1": 1.0}, "lost": []}
    again = server.call("GET", path, if_none_match=first)
    assert again.status == 200 and np.array_equal(again.ids, make.square(3))
    assert server.call("PUT", path, make.png(make.square(3, id=9))).status == 422
    assert server.call("PUT", path, make.png(make.square(0, size=(60, 96)))).status == 422
    assert server.ask("GET", f"/api/projects/{marked}")["given"] == [2]
    assert server.ask("DELETE", path)["given"] is False and server.call("GET", path).status == 404


def test_a_deleted_object_comes_back_with_its_pixels(server, marked, make):
    path = f"/api/projects/{marked}"
    added = server.ask("POST", f"{path}/objects", {})
    both = np.where(make.square(2) > 0, 1, np.where(make.square(2)[::-1] > 0, added["id"], 0)).astype(np.uint8)
    server.ask("PUT", f"{path}/masks/2", make.png(both))
    server.ask("DELETE", f"{path}/objects/{added['id']}")
    assert np.array_equal(server.call("GET", f"{path}/masks/2").ids, make.square(2))
    assert server.ask("POST", f"{path}/objects", {})["id"] > added["id"]  # never used twice
    server.ask("PUT", f"{path}/objects/{added['id']}", {"name": "back", "colour": "#00ff00"})
    assert np.array_equal(server.call("GET", f"{path}/masks/2").ids, both)
    for item in server.ask("GET", path)["objects"]:
        if item["id"] != 1:
            server.ask("DELETE", f"{path}/objects/{item['id']}")


def part(ids, over=None) -> bytes:
    """A change as it is sent: grey is the new id, alpha the one that it replaces."""
    buffer = io.BytesIO()
    layers = [Image.fromarray(layer) for layer in (ids, ids if over is None else over)]
    (layers[0] if over is None else Image.merge("LA", layers)).save(buffer, "PNG")
    return buffer.getvalue()


def test_changes_of_some_pixels(server, marked, make):
    """They leave all others as they are, and so does what takes them back."""
    path = f"/api/projects/{marked}/masks/2"
    other = server.ask("POST", f"/api/projects/{marked}/objects", {})["id"]
    changed = make.square(2)
    changed[10:14, 22:26] = other
    told = server.ask("PATCH", f"{path}?x=22&y=10", part(np.full((4, 4), other, np.uint8)))
    assert told["before"] == told["after"] == {"given": True, "absent": []} and told["given"] is True
    with Image.open(io.BytesIO(base64.b64decode(told["pixels"]["png"]))) as step:  # as an undo sends it back
        assert (told["pixels"]["x"], told["pixels"]["y"], step.mode) == (22, 10, "LA")
        assert np.array(step).tolist() == [[[other, 1]] * 4] * 4
    assert np.array_equal(server.call("GET", path).ids, changed)
    back = part(np.full((4, 4), 1, np.uint8), np.full((4, 4), other, np.uint8))
    server.ask("PATCH", f"{path}?x=23&y=11", part(np.full((1, 1), 0, np.uint8)))  # by another tab meanwhile
    server.ask("PATCH", f"{path}?x=22&y=10&undo=true&given=true", back)
    changed[10:14, 22:26] = 1
    changed[11, 23] = 0
    assert np.array_equal(server.call("GET", path).ids, changed)
    assert server.ask("DELETE", path)["before"] == {"given": True, "absent": []}
    first = server.ask("PATCH", path, part(np.full((2, 2), other, np.uint8)))
    assert first["before"] == {"given": False, "absent": []}
    gone = part(np.zeros((2, 2), np.uint8), np.full((2, 2), other, np.uint8))
    assert server.ask("PATCH", f"{path}?undo=true&given=false", gone)["given"] is False
    for query, data in (
        ("", part(np.full((1, 1), 99, np.uint8))),
        ("?x=96", part(np.zeros((1, 1), np.uint8))),
        ("?y=64", part(np.zeros((1, 1), np.uint8))),
        ("?undo=true&absent=0", gone),
        ("?x=-1", gone),
        ("", make.png(np.zeros((2, 2, 3), np.uint8))),
        ("", b"size 3x4 pixels"),
    ):
        assert server.call("PATCH", path + query, data).status == 422, query
    assert server.call("PATCH", f"/api/projects/{marked}/masks/77", gone).status == 404
    server.ask("DELETE", f"/api/projects/{marked}/objects/{other}")


def test_a_mask_that_is_put_keeps_pixels_of_deleted_objects(server, marked, make):
    path = f"/api/projects/{marked}"
    added = server.ask("POST", f"{path}/objects", {})
    last = server.ask("POST", f"{path}/objects", {})
    both = np.where(make.square(2) > 0, 1, np.where(make.square(2)[::-1] > 0, added["id"], 0)).astype(np.uint8)
    server.ask("PUT", f"{path}/masks/2", make.png(both))
    server.ask("DELETE", f"{path}/objects/{added['id']}")
    server.ask("PUT", f"{path}/masks/2", make.png(make.square(4)))  # what is seen, changed
    assert np.array_equal(server.call("GET", f"{path}/masks/2").ids, make.square(4))
    assert (server.call("GET", f"{path}/masks/2?kind=all").ids == added["id"]).any()
    server.ask("PUT", f"{path}/objects/{added['id']}", {"name": "back", "colour": "#00ff00"})
    assert np.array_equal(server.call("GET", f"{path}/masks/2").ids == added["id"], both == added["id"])
    objects = [item["id"] for item in server.ask("GET", path)["objects"]]
    assert objects == sorted(objects) and {added["id"], last["id"]} <= set(objects)  # it is back in its place
    for item in (added, last):
        server.ask("DELETE", f"{path}/objects/{item['id']}")


def test_mask_files_of_other_programs(server, project, make, tmp_path):
    path = f"/api/projects/{project}/masks"
    found = server.ask("POST", f"{path}/4/load?name=m.png", encode_palette_png(make.square(4, id=3)))
    assert found["frames"] == [4] and 3 in [item["id"] for item in found["objects"]]
    assert np.array_equal(server.call("GET", f"{path}/4").ids, make.square(4, id=3))
    small = make.png(make.square(0)[::2, ::2] * 255)
    refused = server.call("POST", f"{path}/4/load", small)
    assert refused.status == 422 and "48x32" in refused.message and "/" not in refused.message
    assert refused.code == "other_size"
    assert server.call("POST", f"{path}/4/load", b"size 3x4 pixels").code == "invalid"
    assert server.ask("POST", f"{path}/4/load?resize=true", small)["frames"] == [4]
    turned = make.png(make.square(0).T * 255)
    for target in (f"{path}/4/load", f"{path}/4/load?resize=true"):  # nothing to scale
        refused = server.call("POST", target, turned)
        assert refused.code == "invalid" and "turned by 90 degrees" in refused.message
    drawn = Image.fromarray(np.where(make.square(4) > 0, 0, 1).astype(np.uint8))
    drawn.putpalette([255, 0, 0, 0, 0, 0])  # as programs order it that make files smaller
    drawn.save(tmp_path / "small.png")
    found = server.ask("POST", f"{path}/4/load?name=small.png", (tmp_path / "small.png").read_bytes())
    assert any("told by colour" in note for note in found["notes"])
    assert np.array_equal(server.call("GET", f"{path}/4").ids, make.square(4))
    server.ask("PUT", f"{path}/4", (tmp_path / "small.png").read_bytes())  # without the page, too
    assert np.array_equal(server.call("GET", f"{path}/4").ids, make.square(4))
    server.ask("DELETE", f"{path}?first=0&last={FRAMES - 1}&kind=both")
    for index in (1, 3):
        server.ask("PUT", f"{path}/{index}", make.png(make.square(index)))
    job = server.ask("POST", f"/api/projects/{project}/exports", {"kind": "coco"})
    coco = server.call("GET", server.job(job["id"])["file"]).body
    server.ask("DELETE", f"{path}?first=0&last={FRAMES - 1}&kind=both")
    assert server.ask("POST", f"{path}/0/load?name=segments.json", coco)["frames"] == [1, 3]
    assert np.array_equal(server.call("GET", f"{path}/3").ids, make.square(3))
    server.ask("DELETE", f"/api/projects/{project}/objects/3")
    rle = encode_rle(make.square(4) > 0)
    images = [{"id": n + 1, "file_name": f"frame_{n:06d}.PNG"} for n in range(FRAMES)]
    named = {"images": images, "categories": [{"id": 1, "name": "ball\ud800"}]}
    named["annotations"] = [{"image_id": 5, "category_id": 1, "attributes": {"track_id": 7}, "segmentation": rle}]
    loaded = server.ask("POST", f"{path}/0/load?name=cvat.json", json.dumps(named).encode())
    assert loaded["frames"] == [4] and (7, "ball-") in [(item["id"], item["name"]) for item in loaded["objects"]]
    server.ask("DELETE", f"/api/projects/{project}/objects/7")
    shape = '<polygon frame="5" points="2,4;12,4;12,14;2,14"/>'
    cvat = f'<annotations><track id="8" label="cat/dog &quot;🐈&quot;">{shape}</track></annotations>'
    loaded = server.ask("POST", f"{path}/0/load?name=a.xml", cvat.encode())
    assert loaded["frames"] == [5] and (8, 'cat-dog "🐈"') in [(item["id"], item["name"]) for item in loaded["objects"]]
    refused = server.call("POST", f"{path}/0/load?name=a.xml", b"<annotations><track>")
    assert refused.status == 422 and "not valid XML" in refused.message and ".load" not in refused.message
    server.ask("DELETE", f"/api/projects/{project}/objects/8")


def test_propagation_is_what_the_segmenter_says(server, marked, make, tiny):
    ended = run(server, marked, frame=2, direction="both")
    assert ended["done"] == ended["total"] == FRAMES - 1 and ended["asked"]["direction"] == "both"
    shown = [server.call("GET", f"/api/projects/{marked}/masks/{index}").ids for index in range(FRAMES)]
    assert np.array_equal(shown[2], make.square(2))
    frames = [server.call("GET", f"/api/projects/{marked}/frames/{i}?size=full").ids for i in range(FRAMES)]
    network = api.load(tiny, "cpu", short_side=64, backend="eager")
    for way in (range(3, FRAMES), range(1, -1, -1)):
        network.start(frames[2], make.square(2))
        for index in way:
            expected = network.step(frames[index]).ids
            assert (shown[index] == expected).mean() > 0.98, index  # JPEG readers and threads differ by a digit
    found = server.ask("GET", f"/api/projects/{marked}")
    assert found["given"] == [2] and found["predicted"] == [[0, 1], [3, FRAMES - 1]]
    strip = server.ask("GET", f"/api/projects/{marked}/confidence")["objects"]["1"]
    assert len(strip["confidence"]) == FRAMES and strip["confidence"][2] == 1
    assert all(0 <= value <= 1 for value in strip["confidence"])
    told = [index for first, last in strip["lost"] + strip["doubtful"] for index in range(first, last + 1)]
    sure = [index for index in range(FRAMES) if strip["confidence"][index] >= 0.8]
    assert len(set(told)) == len(told) and 2 not in told and set(range(FRAMES)) - set(sure) <= set(told)


def test_a_correction_stays_and_what_lies_before_it_too(server, marked, make, tiny):
    run(server, marked, frame=2)
    path = f"/api/projects/{marked}/masks"
    before = server.call("GET", f"{path}/3").ids
    server.ask("PUT", f"{path}/4", make.png(make.square(4)))
    run(server, marked, frame=4)
    assert np.array_equal(server.call("GET", f"{path}/3").ids, before)
    assert np.array_equal(server.call("GET", f"{path}/4").ids, make.square(4))
    frames = [server.call("GET", f"/api/projects/{marked}/frames/{i}?size=full").ids for i in range(FRAMES)]
    network = api.load(tiny, "cpu", short_side=64, backend="eager")
    network.start(frames[2], make.square(2))  # the reference behind it
    network.step(frames[4])
    network.correct(make.square(4), [1])
    assert (server.call("GET", f"{path}/5").ids == network.step(frames[5]).ids).mean() > 0.98
    server.ask("DELETE", f"{path}/4?kind=given")
    assert server.ask("GET", f"/api/projects/{marked}")["given"] == [2]
    assert server.call("GET", f"{path}/4").status == 200  # the predicted one shows again


def test_until_the_next_given_mask(server, marked, make):
    server.ask("PUT", f"/api/projects/{marked}/masks/5", make.png(make.square(5)))
    assert run(server, marked, frame=2, until="given")["total"] == 2
    assert server.ask("GET", f"/api/projects/{marked}")["predicted"] == [[3, 4]]
    assert server.call("POST", f"/api/projects/{marked}/propagate", {"frame": 5}).code == "conflict"
    assert server.call("POST", f"/api/projects/{marked}/propagate", {"frame": 0}).code == "conflict"
    for wrong in ({"frame": 2, "reached": 1}, {"frame": 2, "direction": "backward", "reached": 3}):
        assert "not reached that way" in server.call("POST", f"/api/projects/{marked}/propagate", wrong).message
    assert server.call("POST", f"/api/projects/{marked}/propagate", {"frame": 2, "reached": 9}).code == "not_found"


def test_exports_open_again(server, marked, make, tmp_path):
    server.ask("PUT", f"/api/projects/{marked}/masks/3", make.png(make.square(3)))
    path = f"/api/projects/{marked}"
    shown = {2: make.square(2), 3: make.square(3)}
    files = {}
    for kind in ("masks", "coco", "overlay", "prores", "vp9"):
        job = server.job(server.ask("POST", f"{path}/exports", {"kind": kind, "opacity": 1.0})["id"])
        assert job["state"] == "done" and job["done"] == job["total"] == FRAMES, job
        answer = server.call("GET", job["file"])
        assert f'filename="{job["file_name"]}"' in answer.headers["content-disposition"]
        files[kind] = tmp_path / job["file_name"]
        files[kind].write_bytes(answer.body)
    with zipfile.ZipFile(files["masks"]) as zipped:
        assert zipped.namelist() == [*(f"{index:06d}.png" for index in range(FRAMES)), "objects.json"]
        assert json.loads(zipped.read("objects.json")) == [{"id": 1, "name": "square", "colour": "#ff0000"}]
        for index in range(FRAMES):
            image = Image.open(io.BytesIO(zipped.read(f"{index:06d}.png")))
            assert image.mode == "P" and np.array_equal(np.array(image), shown.get(index, np.zeros((64, 96))))
    coco = json.loads(files["coco"].read_bytes())
    assert coco["categories"] == [{"id": 1, "name": "square"}] and len(coco["images"]) == FRAMES
    read = read_masks(files["coco"], [f"{index:06d}" for index in range(FRAMES)], (64, 96))
    assert set(read.masks) == {2, 3} and np.array_equal(read.masks[3], shown[3])
    overlay, prores, vp9 = (decoded(files[kind]) for kind in ("overlay", "prores", "vp9"))
    assert len(overlay) == len(prores) == len(vp9) == FRAMES
    assert np.abs(overlay[3][20, 35, :3].astype(int) - (255, 0, 0)).max() < 30  # the project's colour, not VOC's
    assert PALETTE[1].tolist() != [255, 0, 0]
    for movie in (prores, vp9):
        assert movie[3].shape == (64, 96, 4) and movie[0][..., 3].max() < 10
        assert movie[3][20, 35, 3] > 245 and movie[3][50, 80, 3] < 10


def decoded(path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.codec_context.name == "vp9":  # ffmpeg's own decoder leaves alpha out
            codec = av.CodecContext.create("libvpx-vp9", "r")
            packets = [*container.demux(stream)]
            frames = [frame for packet in packets for frame in codec.decode(packet if packet.size else None)]
        else:
            frames = list(container.decode(stream))
        return [frame.to_ndarray(format="rgba") for frame in frames]


def test_every_tab_hears_of_everything_and_one_that_was_away_catches_up(server, marked, make):
    with server.listen() as one, server.listen() as two:
        hello = json.loads(one.recv(timeout=120))
        assert (
            hello["type"] == "hello"
            and hello["reload"] is False
            and json.loads(two.recv(timeout=120))["seq"] == hello["seq"]
        )
        run(server, marked, frame=2)
        server.ask("PATCH", f"/api/projects/{marked}", {"name": "renamed"})
        heard = [until_renamed(tab) for tab in (one, two)]
    assert heard[0] == heard[1]
    assert [event["seq"] for event in heard[0]] == list(range(hello["seq"] + 1, hello["seq"] + 1 + len(heard[0])))
    masks = [event["mask"]["frame"] for event in heard[0] if event["type"] == "mask"]
    states = [event["job"]["state"] for event in heard[0] if event["type"] == "job"]
    assert masks == list(range(3, FRAMES)) and states[0] == "queued" and states[-1] == "done"
    middle = heard[0][len(heard[0]) // 2]["seq"]
    with server.listen(f"?run={hello['run']}&after={middle}") as back:
        assert json.loads(back.recv(timeout=120)) == {
            "type": "hello",
            "run": hello["run"],
            "seq": middle,
            "reload": False,
        }
        assert until_renamed(back) == [event for event in heard[0] if event["seq"] > middle]
    for lost in ("run=0123&after=1", f"run={hello['run']}&after=99999999"):
        with server.listen(f"?{lost}") as late:
            assert json.loads(late.recv(timeout=120))["reload"] is True


def until_renamed(tab) -> list[dict]:
    events = []
    while not events or events[-1]["type"] != "project" or events[-1]["project"]["name"] != "renamed":
        events.append(json.loads(tab.recv(timeout=120)))
    return events


def test_one_job_at_a_time_and_cancelling(server, make):
    clip = make.clip(150)
    ids = [server.project(("long.mkv", clip)) for _ in range(3)]
    for id in ids:
        server.ask("POST", f"/api/projects/{id}/objects", {})
        server.ask("PUT", f"/api/projects/{id}/masks/0", make.png(make.square(0)))
    first, second, third = (server.ask("POST", f"/api/projects/{id}/propagate", {"frame": 0}) for id in ids)
    server.wait(f"/api/jobs/{first['id']}", lambda job: job["done"] >= 2)
    shown = [job for job in server.ask("GET", "/api/jobs") if job["project"] in ids and job["kind"] == "propagate"]
    assert [(job["id"], job["place"]) for job in shown] == [(first["id"], 0), (second["id"], 1), (third["id"], 2)]
    running = server.ask("GET", f"/api/jobs/{first['id']}")
    assert running["state"] == "running" and running["rate"] > 0 and running["left"] > 0 and running["frame"] >= 1
    for id in ids[:2]:  # one that runs, one that waits
        again = server.call("POST", f"/api/projects/{id}/propagate", {"frame": 0})
        assert again.status == 409 and "cancel it first" in again.message
    assert server.ask("DELETE", f"/api/jobs/{second['id']}")["state"] == "cancelled"
    assert server.ask("GET", f"/api/jobs/{third['id']}")["place"] == 1
    server.ask("DELETE", f"/api/jobs/{first['id']}")
    ended = server.job(first["id"])
    assert ended["state"] == "cancelled" and 2 <= ended["done"] < 149
    server.job(third["id"], "running")
    assert server.call("DELETE", f"/api/projects/{ids[2]}").status == 204  # while its job runs
    assert server.call("GET", f"/api/projects/{ids[2]}").status == 404
    assert server.call("GET", f"/api/jobs/{third['id']}").status == 404
    assert not (server.projects / ids[2]).exists() and not list(server.projects.glob(".deleted-*"))
