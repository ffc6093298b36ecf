"""Marks that come in each other's way: faster than the server, beside deleted objects, without a connection."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

HEIGHT, WIDTH = 180, 320


def test_strokes_keep_their_order_where_the_object_is_told_of_before_it_is_answered(editor, project):
    """The server's event of the first object comes first: a stroke that begins then comes after the first one."""
    editor.open(project)
    held = editor.hold("POST", r"/objects$")
    editor.stroke(60)
    held.wait()
    expect(editor.button("Object 1")).to_be_visible()
    editor.stroke(90)
    editor.stroke(120)
    held.release()
    assert editor.rows(project, 60, 90, 120) == [1, 1, 1]
    for left in ([1, 1, 0], [1, 0, 0]):
        editor.press("z")
        editor.spoken("Undone: Brush")
        assert editor.rows(project, 60, 90, 120) == left
    editor.press("z")
    expect(editor.button("Object 1")).to_have_count(0)  # it goes with the stroke that it was made for
    expect(editor.button("Undo")).to_be_disabled()
    assert editor.given(project) == [] and editor.objects(project) == []
    editor.press(*["Shift+Z"] * 3)
    expect(editor.button("Redo")).to_be_disabled()
    assert editor.rows(project, 60, 90, 120) == [1, 1, 1]
    expect(editor.page.get_by_role("alert")).to_have_count(0)


def test_an_undo_waits_for_what_it_takes_back(editor, project):
    editor.open(project)
    held = editor.hold("POST", r"/objects$")
    editor.stroke(60)
    held.wait()
    editor.press("z")
    held.release()
    editor.spoken("Undone: Brush")
    expect(editor.button("Object 1")).to_have_count(0)
    assert editor.given(project) == [] and editor.objects(project) == []
    editor.stroke(90)
    assert editor.rows(project, 60, 90) == [0, 1]  # its id was free again


def test_a_new_object_is_painted_with_before_it_is_answered(editor, project):
    editor.open(project)
    editor.stroke(60)
    editor.saved()
    held = editor.hold("POST", r"/objects$")
    editor.press("n")
    held.wait()
    editor.stroke(90)
    held.release()
    assert editor.rows(project, 60, 90) == [1, 2]
    expect(editor.button("Object 2")).to_have_attribute("aria-pressed", "true")
    held.open = False
    editor.press("n", "1")  # another one is chosen while it is made
    held.wait()
    editor.stroke(120)
    held.release()
    assert editor.rows(project, 60, 90, 120) == [1, 2, 1]
    expect(editor.button("Object 1")).to_have_attribute("aria-pressed", "true")
    assert editor.objects(project) == [1, 2, 3]


def test_what_was_painted_last_is_there_before_it_is_deleted_or_propagated(editor, project):
    editor.open(project)
    editor.stroke(60)
    editor.saved()
    editor.press("n")
    expect(editor.button("Object 2")).to_have_attribute("aria-pressed", "true")
    held = editor.hold("PATCH", r"/masks/", late=True)
    said = []  # what the page is answered and asks for, in its order

    def note(kind, request):
        if found := re.search(r"/masks/0|/propagate$|/objects/2$", request.url):
            said.append((kind, request.method, found[0]))

    editor.page.on("response", lambda answer: note("answered", answer.request))
    editor.page.on("request", lambda request: note("asked", request))
    editor.page.route(re.compile("/propagate$"), lambda route: route.abort())
    editor.stroke(90)
    held.wait()
    editor.press("f")
    editor.button("Delete Object 2").click()
    held.release()
    expect(editor.button("Object 2")).to_be_hidden()
    needed = [("answered", "PATCH", "/masks/0"), ("asked", "POST", "/propagate"), ("asked", "DELETE", "/objects/2")]
    painted, *after = map(said.index, needed)
    assert painted < min(after) and editor.rows(project, 60, 90) == [1, 0]
    editor.press("z")
    expect(editor.button("Object 2")).to_have_attribute("aria-pressed", "true")
    assert editor.rows(project, 60, 90) == [1, 2]


def test_painting_beside_a_deleted_object(editor, project):
    """What it had on the frame comes back with it, and it comes back to its place."""
    editor.open(project)
    editor.stroke(60)
    editor.saved()
    editor.press("n")
    expect(editor.button("Object 2")).to_have_attribute("aria-pressed", "true")
    editor.stroke(90)
    before = editor.ids(project, 0)
    editor.button("Delete Object 1").click()
    expect(editor.button("Object 1")).to_be_hidden()
    editor.drag((120, 50), (120, 130))  # over the deleted one's pixels
    assert editor.rows(project, 60, 90, 120) == [2, 2, 2]
    expect(editor.page.get_by_role("alert")).to_have_count(0)
    editor.press("z")
    editor.spoken("Undone: Brush")
    editor.press("z")
    editor.spoken("Undone: Delete Object 1")
    assert (editor.ids(project, 0) == before).all() and editor.objects(project) == [1, 2]
    editor.press("2")
    expect(editor.button("Object 2")).to_have_attribute("aria-pressed", "true")
    editor.press("Shift+Z", "Shift+Z")
    expect(editor.button("Redo")).to_be_disabled()
    assert editor.rows(project, 60, 90, 120) == [2, 2, 2]


def test_a_loaded_mask_is_undone_to_what_the_network_said(editor, server, project, make):
    """And a stroke that another tab made on it stays."""
    editor.open(project)
    editor.mark()
    editor.saved()
    server.ask("PUT", f"/api/projects/{project}/masks/3", make.png(np.zeros((HEIGHT, WIDTH), np.uint8)))
    job = server.ask("POST", f"/api/projects/{project}/propagate", {"frame": 0, "until": "given"})
    server.job(job["id"])
    predicted = editor.ids(project, 2)
    assert predicted.any()
    editor.press("ArrowRight", "ArrowRight")
    editor.at(2)
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[20:100, 60:120] = 1
    assert (predicted[ids > 0] > 0).any() and (predicted[ids == 0] > 0).any()
    file = {"name": "mask.png", "mimeType": "image/png", "buffer": make.png(ids)}
    editor.page.get_by_label("Mask file", exact=True).set_input_files(file)
    expect(editor.button("Undo")).to_have_attribute("title", "Undo: Load a mask")
    assert (editor.ids(project, 2) == ids).all()
    editor.press("z")
    editor.spoken("Undone: Load a mask")
    assert (editor.ids(project, 2) == predicted).all() and editor.given(project) == [0, 3]
    editor.press("Shift+Z")
    editor.spoken("Redone: Load a mask")
    server.ask("PATCH", f"/api/projects/{project}/masks/2?x=300&y=170", make.png(np.full((4, 4), 1, np.uint8)))
    editor.press("z")
    editor.spoken("Undone: Load a mask")
    ids = editor.ids(project, 2)
    assert (ids[170:174, 300:304] == 1).all()
    ids[170:174, 300:304] = predicted[170:174, 300:304]
    assert (ids == predicted).all()


def test_an_undo_gives_back_what_the_tab_had_not_heard_of(editor, server, marked, make):
    """What another tab has painted: under a stroke, on a frame that is cleared, and where a mask is loaded."""
    editor.open(marked)
    editor.press("1")
    editor.ears.open = False
    patch = np.full((20, 60), 2, np.uint8)
    server.ask("PATCH", f"/api/projects/{marked}/masks/0?x=90&y=80", make.png(patch))
    server.ask("PATCH", f"/api/projects/{marked}/masks/1?x=90&y=80", make.png(patch))
    before = [editor.ids(marked, frame) for frame in (0, 1)]
    editor.stroke(90)
    assert editor.rows(marked, 90) == [1]
    editor.press("z")
    editor.spoken("Undone: Brush")
    assert (editor.ids(marked, 0) == before[0]).all()
    server.ask("PATCH", f"/api/projects/{marked}/masks/0?x=90&y=150", make.png(patch))
    more = editor.ids(marked, 0)
    editor.press("Shift+Delete")
    editor.saved()
    assert editor.given(marked) == [1]
    editor.press("z")
    editor.spoken("Undone: Clear the mask")
    assert (editor.ids(marked, 0) == more).all()
    editor.press("ArrowRight")
    editor.at(1)
    file = {"name": "mask.png", "mimeType": "image/png", "buffer": make.png(before[0])}
    editor.page.get_by_label("Mask file", exact=True).set_input_files(file)
    expect(editor.button("Undo")).to_have_attribute("title", "Undo: Load a mask")
    assert (editor.ids(marked, 1) == before[0]).all()
    editor.press("z")
    editor.spoken("Undone: Load a mask")
    assert (editor.ids(marked, 1) == before[1]).all() and len(editor.ears.late) > 6


def test_a_stroke_without_a_connection_is_sent_when_it_is_back(editor, project):
    editor.open(project)
    editor.stroke(60)
    editor.saved()
    away = True
    editor.page.route(re.compile(r"/masks/"), lambda route: route.abort() if away else route.fallback())
    editor.stroke(90)
    expect(editor.page.get_by_role("status").filter(has_text="What you drew is kept here")).to_be_visible()
    expect(editor.page.locator("#saved")).to_have_text("Saving…")
    editor.stroke(120)
    away = False
    assert editor.rows(project, 60, 90, 120) == [1, 1, 1]
    editor.press("z", "z")
    expect(editor.button("Undo")).to_have_attribute("title", "Undo: Brush")
    assert editor.rows(project, 60, 90, 120) == [1, 0, 0]


def test_a_stroke_that_is_refused_is_not_undone(editor, project):
    editor.open(project)
    editor.stroke(60)
    editor.saved()
    no = {"status": 507, "json": {"error": {"code": "no_room", "message": "There is no room on the disk."}}}
    editor.page.route(re.compile(r"/masks/\d+\?x="), lambda route: route.fulfill(**no))
    editor.stroke(90)
    expect(editor.page.get_by_role("alert")).to_contain_text("There is no room on the disk.")
    editor.page.unroute(re.compile(r"/masks/\d+\?x="))
    editor.saved()
    editor.press("z")
    editor.spoken("Undone: Brush")
    assert editor.given(project) == []


def test_a_press_before_the_frame_is_seen_is_refused_in_words(editor, project):
    held = editor.hold("GET", r"/frames/1\?size=display", late=True)
    editor.open(project)
    held.wait()
    editor.press("ArrowRight")
    editor.stroke(60)
    said = editor.page.get_by_role("status").filter(has_text="Frame 2 is not here yet, so nothing was done.")
    expect(said).to_be_visible()
    held.release()
    editor.at(1)
    assert editor.given(project) == [] and editor.objects(project) == []


def test_escape_stops_a_stroke(editor, project):
    editor.open(project)
    mouse = editor.page.mouse
    mouse.move(*editor.point(100, 90))
    mouse.down()
    mouse.move(*editor.point(140, 90), steps=3)
    editor.press("Escape")
    mouse.move(*editor.point(180, 90), steps=3)
    mouse.up()
    assert editor.given(project) == []
    editor.stroke(60)
    assert editor.rows(project, 60, 90) == [1, 0]


@pytest.mark.parametrize("key", ["Shift+Delete", "Delete"])
def test_what_says_that_nothing_is_there_is_undone(editor, project, key):
    editor.open(project)
    editor.stroke(60)
    editor.saved()
    editor.press(key)
    expect(editor.button("Forward")).to_be_disabled()
    editor.press("z")
    expect(editor.button("Forward")).to_be_enabled()
    assert editor.rows(project, 60) == [1] and editor.given(project) == [0]
