"""What a first-time user stumbles over: what is said and where, exports of hidden objects, the first page."""

import json
import re
import zipfile

import numpy as np
from PIL import Image
from playwright.sync_api import expect

HEIGHT, WIDTH, FRAMES = 180, 320, 20


def note(editor, text: str):
    return expect(editor.page.locator(".message").filter(has_text=text))


def test_labels_hints_and_where_messages_are(editor, project):
    editor.open(project)
    tools = editor.page.locator("#tools")
    for name in ("Click", "Brush", "Eraser", "Polygon", "Load"):
        expect(tools.get_by_text(name, exact=True)).to_be_visible()
    expect(editor.page.locator("#objects")).to_contain_text("Click on something")
    editor.press("d")
    note(editor, "There is no doubtful or lost stretch").to_be_visible()
    message, side = editor.page.locator("#messages").bounding_box(), editor.page.locator("#side").bounding_box()
    assert message["x"] + message["width"] <= side["x"] and message["y"] > 40
    stage = editor.stage.bounding_box()
    assert message["y"] + message["height"] < stage["y"] + stage["height"]


def test_notes_of_a_video_come_as_soon_as_they_are_known(editor, project, server):
    """Here as an event brings them, after the project was opened; they stay."""
    found = server.ask("GET", f"/api/projects/{project}")
    editor.open(project)
    known = {key: found[key] for key in found if key not in ("given", "predicted", "jobs")}
    editor.page.evaluate(
        """async (project) => {
          const { App } = await import("/static/js/app.js");
          const heard = App.prototype.heard;
          App.prototype.heard = function (event) {
            if (event.type === "project") event.project.notes = ["The video ends early, after frame 20."];
            return heard.call(this, event);
          };
        }""",
        known,
    )
    server.ask("PATCH", f"/api/projects/{project}", {"name": "short"})
    note(editor, "The video ends early").to_be_visible()
    server.ask("PATCH", f"/api/projects/{project}", {"name": "shorter"})
    expect(editor.page.locator(".project")).to_have_text("shorter")
    note(editor, "The video ends early").to_have_count(1)
    assert "warning" in editor.page.locator(".message").get_attribute("class")


def test_a_reload_tells_that_undo_is_gone(editor, project):
    editor.open(project)
    editor.stroke(90)
    editor.saved()
    editor.page.reload()
    note(editor, "Z cannot undo").to_be_visible()
    editor.page.reload()
    expect(editor.button("Object 1")).to_be_visible()
    note(editor, "Z cannot undo").to_have_count(0)


def test_exports_without_a_mask_and_of_hidden_objects(editor, project, make, tmp_path):
    editor.open(project)
    editor.page.locator("#export-masks").click()
    expect(editor.page.get_by_role("alert")).to_contain_text("There is no mask to export yet.")
    editor.stroke(60)
    editor.saved()
    editor.press("n")
    expect(editor.button("Object 2")).to_have_attribute("aria-pressed", "true")
    editor.stroke(120)
    editor.saved()
    editor.button("Hide Object 1").click()
    for also, expected in ((False, {0, 2}), (True, {0, 1, 2})):
        editor.page.locator("#export-masks").click()
        dialog = editor.page.get_by_role("dialog", name="Which objects?")
        expect(dialog.get_by_label("Object 2")).to_be_checked()
        expect(dialog.get_by_label("Object 1")).not_to_be_checked()
        if also:
            dialog.get_by_label("Object 1").check()
        with editor.page.expect_download() as waiting:
            dialog.get_by_role("button", name="Export").click()
        waiting.value.save_as(tmp_path / "masks.zip")
        with zipfile.ZipFile(tmp_path / "masks.zip") as archive:
            name = sorted(name for name in archive.namelist() if name.endswith(".png"))[0]
            with Image.open(archive.open(name)) as image:
                assert set(np.unique(np.array(image))) == expected


def test_a_sample_clip(editor):
    for _ in range(2):
        editor.home()
        editor.button("Try a sample clip").click()
        editor.at(0)
    found = [project["width"] for project in editor.server.ask("GET", "/api/projects")]
    assert found.count(1280) == 1  # the one there is, is taken


def test_cards_tell_when_and_that_they_are_sent(editor, project, server):
    server.ask("POST", "/api/projects", {"name": "half"})
    editor.home()
    card = editor.page.get_by_role("listitem").filter(has_text="half")
    expect(card).to_contain_text("It was not sent to its end.")
    created = {one["created"] for one in server.ask("GET", "/api/projects")}
    times = editor.page.locator(".card time")
    assert {one.get_attribute("datetime") for one in times.all()} == created
    assert all(re.search(r"\d", one.inner_text()) for one in times.all())
    editor.page.route(re.compile("/upload"), lambda route: None)  # it takes its time
    file = {"name": "slow.mkv", "mimeType": "video/x-matroska", "buffer": b"x"}
    editor.page.get_by_label("Choose a video, zip or images").set_input_files(file)
    card = editor.page.get_by_role("listitem").filter(has_text="slow")
    expect(card).to_contain_text("Being sent…")
    editor.button("Cancel").click()
    expect(card).to_have_count(0)


def drop(editor, *files: tuple[str, str]) -> None:
    editor.page.evaluate(
        """(files) => {
          const data = new DataTransfer();
          for (const [name, type] of files) data.items.add(new File([new Uint8Array(9)], name, { type }));
          document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }""",
        list(files),
    )


def test_images_and_something_else_dropped_together(editor):
    editor.home()
    for other in ("clip.mp4", "CLIP.MOV", "more.zip"):
        drop(editor, ("1.png", "image/png"), (other, ""))
        expect(editor.page.get_by_role("alert").filter(has_text=f"“{other}”")).to_be_visible()
    asked: list[str] = []
    editor.page.route(re.compile("/upload"), lambda route: (asked.append(route.request.url), route.abort()))
    drop(editor, ("1.png", "image/png"), ("notes.txt", "text/plain"))
    note(editor, "Left out, as no images: “notes.txt”.").to_be_visible()
    assert not any("notes" in url for url in asked) and json.dumps(asked)


def test_pictures_that_are_not_read_are_sent_for_the_server_to_judge(editor):
    """But for those of a frame's name; a film of a few pictures is one of them, beside images."""
    editor.home()
    asked: list[str] = []
    editor.page.route(re.compile("/upload"), lambda route: (asked.append(route.request.url), route.abort()))
    names = ("1.png", "cover.psd", "1.dng", "1.xmp", "preview.gif")
    with editor.page.expect_request(re.compile("name=preview.gif")):
        drop(editor, *((name, "") for name in names))
    sent = {re.findall("name=([^&]+)", url)[0] for url in asked}
    assert sent <= {"1.png", "cover.psd", "preview.gif"}
    expect(editor.page.get_by_text("Left out, as no images")).to_have_count(0)
    drop(editor, ("1.heic", ""), ("2.heic", ""))
    expect(editor.page.get_by_role("alert").filter(has_text="Pictures such as “1.heic” are not read")).to_be_visible()
