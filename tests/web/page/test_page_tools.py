"""Polygons, boxes and scribbles: what ends them, what they find, and what is done meanwhile."""

import json
import re

import numpy as np
from playwright.sync_api import expect

HEIGHT, WIDTH = 180, 320


def test_polygons_with_corners_close_together(editor, project):
    """They close by the first corner, a double click, or Enter alone; Z takes the last corner back."""
    editor.open(project)
    editor.press("p")
    angles = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    for x, y in zip(160 + 20 * np.cos(angles), 90 + 20 * np.sin(angles)):
        editor.click((x, y))
    editor.press("Enter")
    inside = np.hypot(*(np.mgrid[:HEIGHT, :WIDTH] + 0.5 - np.array([90, 160])[:, None, None])) < 20
    found = editor.ids(project, 0) == 1
    assert (found & inside).sum() / (found | inside).sum() > 0.95
    editor.click((20, 20), (60, 20), (300, 170))
    editor.press("z")
    editor.click((60, 60), (20, 60), (20, 20))
    ids = editor.ids(project, 0)
    assert (ids[22:58, 22:58] == 1).all() and ids[90, 160] == 1 and ids[160, 290] == 0
    editor.click((240, 20), (300, 20), (300, 60))
    editor.page.mouse.dblclick(*editor.point(240, 60))
    assert (editor.ids(project, 0)[22:58, 242:298] == 1).all()
    expect(editor.button("Undo")).to_have_attribute("title", "Undo: Polygon")


def cut_out(editor, found: np.ndarray | None, png) -> list[dict]:
    """What GrabCut answers from now on, and what it is asked; None: the real one."""
    asked: list[dict] = []

    def answer(route):
        asked.append(json.loads(route.request.post_data))
        if found is None:
            return route.fallback()
        route.fulfill(status=200, content_type="image/png", body=png(found))

    editor.page.unroute_all()
    editor.page.route(re.compile("grabcut$"), answer)
    return asked


def test_a_box_takes_nothing_away_outside_of_it_and_says_what_it_did_not_find(editor, project, make):
    editor.open(project)
    editor.press("x")
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    cut_out(editor, found, make.png)
    editor.drag((20, 20), (80, 80))
    expect(editor.page.get_by_role("alert")).to_contain_text("No object was found there")
    assert editor.given(project) == []
    found[30:60, 30:60] = 255
    cut_out(editor, found, make.png)
    editor.drag((20, 20), (80, 80))
    assert (editor.ids(project, 0)[30:60, 30:60] == 1).all()
    found[:] = 0
    found[100:150, 200:260] = 255
    cut_out(editor, found, make.png)
    editor.drag((190, 90), (280, 160))
    ids = editor.ids(project, 0)
    assert (ids[30:60, 30:60] == 1).all() and (ids[100:150, 200:260] == 1).all()
    found[:] = 0
    found[100:102, 200:202] = 255
    cut_out(editor, found, make.png)
    editor.drag((190, 90), (280, 160))
    expect(editor.page.get_by_role("status").filter(has_text="Only a sliver")).to_be_visible()
    ids = editor.ids(project, 0)
    assert (ids[30:60, 30:60] == 1).all() and ids[90:160].sum() == 4
    editor.press("z")
    editor.press("Delete")
    expect(editor.button("Forward")).to_be_disabled()  # nothing is marked there


def test_what_is_done_while_an_object_is_cut_out(editor, project, make):
    """An arrow key loses nothing, a stroke comes after it, a second scribble is asked for, too."""
    editor.open(project)
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    found[100:150, 200:260] = 255
    asked = cut_out(editor, found, make.png)
    held = editor.hold("POST", r"/objects$")
    editor.press("x")
    editor.drag((190, 90), (280, 160))
    held.wait()
    editor.press("b")
    editor.stroke(60)
    editor.press("ArrowRight")
    editor.at(1)
    held.release()
    ids = editor.ids(project, 0)
    assert (ids[100:150, 200:260] == 1).all() and ids[60, 120] == 1 and editor.given(project) == [0]
    editor.press("s")
    editor.drag((210, 110), (250, 110))
    editor.drag((210, 140), (250, 140))
    editor.saved()
    assert [len(one.get("strokes") or []) for one in asked] == [0, 1, 2]
    clean = editor.stage.screenshot()
    editor.press("z")
    editor.spoken("Undone: Scribble")
    editor.page.mouse.move(1, 1)
    assert editor.stage.screenshot() != clean
    editor.drag((210, 120), (250, 120))
    editor.saved()
    assert len(asked[-1]["strokes"]) == 1  # those before it are no longer in force
