"""Polygons: what ends them, and what is done meanwhile."""

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
    editor.press("Delete")
    assert not editor.ids(project, 0).any()
    expect(editor.button("Forward")).to_be_disabled()  # nothing is marked there


def test_what_is_done_while_a_polygon_waits_for_its_object(editor, project):
    """An arrow key loses nothing, a stroke comes after it."""
    editor.open(project)
    held = editor.hold("POST", r"/objects$")
    editor.press("p")
    editor.click((200, 100), (260, 100), (260, 150), (200, 150))
    editor.press("Enter")
    held.wait()
    editor.press("b")
    editor.stroke(60)
    editor.press("ArrowRight")
    editor.at(1)
    held.release()
    ids = editor.ids(project, 0)
    assert (ids[102:148, 202:258] == 1).all() and ids[60, 120] == 1 and editor.given(project) == [0]
    editor.press("z")
    editor.spoken("Undone: Brush")
    editor.press("z")
    editor.spoken("Undone: Polygon")
    assert editor.given(project) == []
