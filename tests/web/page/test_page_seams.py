"""A new export and a new format of masks, each one file and one line: the page has them. See CONTRIBUTING.md."""

import json
import re
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from videos import wide_video_with_sound

PRETEND = Path(__file__).parents[2] / "pretend"
REGISTER = f"""
import sys; sys.path.insert(0, {str(PRETEND)!r})
from camn.api.segment.exporters import EXPORTERS
EXPORTERS["areas"] = "export_areas:AREAS"
from camn.masks import readers
from masks_digits import DIGITS
readers.READERS = (DIGITS, *readers.READERS)
"""
HEIGHT, WIDTH, FRAMES = 180, 320, 20
NETWORK = ("--model", "camn-mobile", "--short-side", "96", "--threads", "1")


@pytest.fixture(scope="module")
def server(serve):
    return serve(*NETWORK, first=REGISTER)


def test_what_was_added_is_on_the_page(editor, project, tmp_path):
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[50:100, 60:130] = 7
    text = "\n".join("".join(map(str, row)) for row in ids)
    editor.open(project, 3)
    chooser = editor.page.get_by_label("Mask file", exact=True)
    expect(chooser).to_have_attribute("accept", ".digits,.json,.xml,.zip,.npy,.npz,.txt,image/*")
    chooser.set_input_files({"name": "mask.digits", "mimeType": "", "buffer": text.encode()})
    expect(editor.page.get_by_role("status").filter(has_text="Loaded for frame 4.")).to_be_visible()
    expect(editor.page.get_by_role("status").filter(has_text="Read as digits.")).to_be_visible()
    assert (editor.ids(project, 3) == ids).all()

    editor.page.get_by_text("More kinds").click()
    offered = [row.inner_text() for row in editor.page.locator("#exports .export").all()]
    offered = [" ".join(words.split()) for words in offered]
    assert offered[:5] == [
        "Masks palette PNG, zip",
        "COCO RLE, JSON",
        "Overlay MP4",
        "Cut-out ProRes 4444, MOV",
        "Cut-out VP9, WebM",
    ]
    assert offered[-1] == "Areas pixels, TXT"
    with editor.page.expect_download() as waiting:
        editor.page.locator("#export-areas").click()
    waiting.value.save_as(tmp_path / "areas.txt")
    assert waiting.value.suggested_filename == "test-areas.txt"
    expected = [f"{index:06d} {3500 if index == 3 else 0}" for index in range(FRAMES)]
    assert (tmp_path / "areas.txt").read_text().splitlines() == [f"{WIDTH}x{HEIGHT}", *expected]


def test_what_exports_show_is_chosen(editor, marked, make, tmp_path):
    """Object 2 alone, on frames 1 and 2, over the blurred video or a picture; a choice that cannot be is not taken."""
    editor.open(marked)
    editor.button("Choose what exports show").click()
    dialog = editor.page.get_by_role("dialog", name="What exports show")
    dialog.get_by_label("Object 1").uncheck()
    dialog.get_by_label("to", exact=True).fill("0")
    dialog.get_by_role("button", name="Choose").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("to", exact=True).fill("2")
    dialog.get_by_label("Behind cut-outs", exact=True).select_option("the video, blurred")
    expect(dialog.get_by_label("Colour behind cut-outs")).to_be_hidden()
    dialog.get_by_role("button", name="Choose").click()
    expect(editor.page.locator("#export-choice")).to_have_text(
        "Exports show 1 of 2 objects, frames 1 to 2. Cut-outs lie over the blurred video."
    )
    editor.page.get_by_text("More kinds").click()
    asked = []
    editor.page.on("request", lambda request: asked.append(request.post_data_json) if request.post_data else None)
    for kind in ("rgba-png", "over-h264"):
        with editor.page.expect_download() as waiting:
            editor.page.locator(f"#export-{kind}").click()
        waiting.value.save_as(tmp_path / kind)
        assert asked[-1] == {"kind": kind, "objects": [2], "frames": [0, 1]} | (
            {"background": "blur"} if kind == "over-h264" else {}
        )
    editor.button("Choose what exports show").click()
    dialog.get_by_label("Behind cut-outs", exact=True).select_option("a picture")
    picture = dialog.get_by_label("Choose a picture")
    picture.set_input_files({"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear reader"})
    expect(dialog).to_contain_text("“letter.png” is no picture")
    dialog.get_by_role("button", name="Choose", exact=True).click()
    expect(dialog).to_be_visible()
    sea = {"name": "sea.png", "mimeType": "image/png", "buffer": make.png(make.picture(0))}
    picture.set_input_files(sea)
    expect(dialog).to_contain_text("“sea.png” covers the frame.")
    dialog.get_by_role("button", name="Choose", exact=True).click()
    expect(editor.page.locator("#export-choice")).to_contain_text("Cut-outs lie over “sea.png”.")
    editor.page.route(re.compile("/exports$"), lambda route: route.abort())
    with editor.page.expect_request(re.compile("/exports$")) as last:
        editor.page.locator("#export-over-h264").click()
    assert re.fullmatch("picture-[0-9a-f]{12}", last.value.post_data_json["background"])
    with zipfile.ZipFile(tmp_path / "rgba-png") as archive:
        assert archive.namelist() == ["000000.png", "000001.png", "objects.json"]
        assert [one["name"] for one in json.loads(archive.read("objects.json"))] == ["Object 2"]
        with Image.open(archive.open("000000.png")) as image:
            alpha = np.array(image)[..., 3]
    assert alpha[120, 220] == 255 and not alpha[:, :180].any()
    with av.open(str(tmp_path / "over-h264")) as movie:
        assert len(list(movie.decode(video=0))) == 2


def test_a_mask_file_whose_frames_are_numbered_in_another_way(editor, project, make):
    """It is asked for where nothing tells it, and can be said otherwise where it was guessed."""
    shape = [[10, 10, 60, 10, 60, 60, 10, 60]]

    def load(*numbers: int) -> None:
        images = [{"id": n, "file_name": f"shot_{n}.png", "width": WIDTH, "height": HEIGHT} for n in numbers]
        found = [{"id": n, "image_id": n, "category_id": 1, "segmentation": shape} for n in numbers]
        coco = {"images": images, "annotations": found, "categories": [{"id": 1, "name": "dog"}]}
        file = {"name": "dogs.json", "mimeType": "application/json", "buffer": json.dumps(coco).encode()}
        editor.page.get_by_label("Mask file", exact=True).set_input_files(file)

    editor.open(project)
    load(1, 5)
    expect(editor.page.locator(".message").filter(has_text="Masks begin at frame 1")).not_to_contain_text("--")
    assert editor.given(project) == [1, 5]
    editor.button("Other frames…").click()
    dialog = editor.page.get_by_role("dialog", name="Which frames are these?")
    expect(dialog.get_by_role("spinbutton")).to_have_value("1")
    with editor.page.expect_response(re.compile("/load")):
        dialog.get_by_role("button", name="Load").click()
    assert editor.given(project) == [0, 4]
    load(7, 20)
    expect(dialog).to_contain_text("numbers that do not tell of which of 20 frames they are masks")
    expect(dialog).not_to_contain_text("--")
    with editor.page.expect_response(re.compile("/load")):
        dialog.get_by_role("button", name="Load").click()
    assert editor.given(project) == [0, 4, 6, 19]


def test_a_movie_without_the_sound_is_told_of(editor, server, make, tmp_path):
    size = (48, 64)
    id = server.project(("a.mkv", wide_video_with_sound(tmp_path / "a.mkv", size).read_bytes()))
    server.ask("POST", f"/api/projects/{id}/objects", {})
    server.ask("PUT", f"/api/projects/{id}/masks/0", make.png(np.ones(size, np.uint8)))
    editor.open(id)
    with editor.page.expect_download():
        editor.page.locator("#export-vp9").click()
    told = editor.page.locator(".message.warning").filter(has_text="“test-cutout.webm”: without the video's sound")
    expect(told).to_be_visible()


def test_the_server_tells_what_it_offers_and_finds_it_again(serve, make, tmp_path):
    server = serve(*NETWORK, first=REGISTER)
    told = server.ask("GET", "/api/server")
    assert {"kind": "overlay", "title": "Overlay", "form": "MP4", "wishes": ["opacity"]} in told["exports"]
    assert {"kind": "areas", "title": "Areas", "form": "pixels, TXT", "wishes": []} in told["exports"]
    assert {"accept": [".json"], "several": True} in told["mask_files"]
    id = server.project(("clip.mkv", make.clip(3)))
    server.ask("POST", f"/api/projects/{id}/objects", {})
    server.ask("PUT", f"/api/projects/{id}/masks/0", make.png(make.square()))  # without a mask nothing is exported
    jobs = [server.ask("POST", f"/api/projects/{id}/exports", {"kind": kind})["id"] for kind in ("areas", "coco")]
    files = [server.call("GET", server.job(job)["file"]).body for job in jobs]
    refused = server.call("POST", f"/api/projects/{id}/exports", {"kind": "alpha png"})
    assert refused.status == 422 and "'vp9'" in refused.message and "or 'areas'" in refused.message
    # As a server of before named them:
    folder = server.projects / id / "exports"
    (folder / f"{jobs[1]}-coco.json").rename(folder / f"{jobs[1]}.json")
    server.kill()
    again = serve(*NETWORK, first=REGISTER, projects=server.projects)
    found = {job["id"]: job for job in again.ask("GET", f"/api/projects/{id}")["jobs"]}
    assert {found[job]["asked"]["kind"] for job in jobs} == {"areas", "coco"}
    assert [again.call("GET", found[job]["file"]).body for job in jobs] == files
