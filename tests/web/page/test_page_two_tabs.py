"""Two tabs that mark the same frame: neither loses what it did, and each undoes its own alone."""

import re

from playwright.sync_api import expect


def test_an_object_that_another_tab_deleted(screen, project):
    one, two = screen(), screen()
    one.open(project)
    one.stroke(60)
    one.saved()
    one.press("n")
    expect(one.button("Object 2")).to_have_attribute("aria-pressed", "true")
    two.open(project)
    two.button("Delete Object 2").click()
    expect(one.button("Object 2")).to_be_hidden()
    one.stroke(90)
    expect(one.page.get_by_role("status").filter(has_text="this is Object 1 now")).to_be_visible()
    assert one.rows(project, 60, 90) == [1, 1]
    one.page.get_by_label("Keep other objects").check()
    two.button("Delete Object 1").click()
    expect(one.button("Object 1")).to_be_hidden()
    one.stroke(60)  # where the deleted one was there is nothing to keep
    assert one.rows(project, 60) == [3]


def one_that_painted(screen, project):
    """Two tabs of a project; the first has painted on a frame, and the second shows it."""
    one, two = screen(), screen()
    one.open(project)
    one.stroke(60)
    one.saved()
    two.open(project)
    expect(two.page.locator("#stage[data-masked='true']")).to_be_visible()
    return one, two


def test_two_tabs_undo_their_own(screen, project):
    one, two = one_that_painted(screen, project)
    two.stroke(120)
    assert two.rows(project, 60, 120) == [1, 1]
    one.press("z")  # the stroke that made the frame's first mask
    one.spoken("Undone: Brush")
    assert one.rows(project, 60, 120) == [0, 1]
    one.press("Shift+Z")
    one.spoken("Redone: Brush")
    assert one.rows(project, 60, 120) == [1, 1]
    one.press("Shift+Delete")
    expect(one.button("Undo")).to_have_attribute("title", "Undo: Clear the mask")
    expect(two.page.get_by_role("slider", name="Frame")).to_have_attribute("aria-valuetext", re.compile("no mask"))
    two.stroke(90)
    two.saved()
    one.press("z")
    one.spoken("Undone: Clear the mask")
    assert one.rows(project, 60, 90, 120) == [1, 1, 1]


def test_two_tabs_change_objects(screen, project):
    """An undo gives back a name or a colour, not both, and nothing that another tab has changed or deleted since."""
    one, two = screen(), screen()
    one.open(project)
    one.press("n", "n")
    expect(one.button("Object 2")).to_be_visible()
    two.open(project)
    expect(two.button("Object 2")).to_be_visible()
    one.button("Object 1").dblclick()
    one.page.get_by_label("Name of Object 1").fill("Dog")
    one.press("Enter")
    two.page.get_by_label("Colour of Dog").fill("#00aa55")
    expect(one.page.get_by_label("Colour of Dog")).to_have_value("#00aa55")
    one.press("z")
    expect(two.page.get_by_label("Colour of Object 1")).to_have_value("#00aa55")
    two.button("Delete Object 1").click()
    expect(one.button("Object 1")).to_be_hidden()
    two.button("Delete Object 2").click()
    expect(one.button("Object 2")).to_be_hidden()
    one.press("Shift+Z")
    one.spoken("Redone: Change Object 1")
    one.press("z", "z", "z")
    expect(one.button("Undo")).to_be_disabled()
    expect(one.page.get_by_role("alert")).to_have_count(0)
    assert one.objects(project) == []


def test_two_tabs_draw_at_once(screen, project):
    one, two = one_that_painted(screen, project)
    mouse = one.page.mouse
    mouse.move(*one.point(100, 90))
    mouse.down()
    mouse.move(*one.point(140, 90), steps=3)
    two.stroke(120)
    two.saved()
    mouse.up()
    assert one.rows(project, 60, 90, 120) == [1, 1, 1]
    one.press("z")
    one.spoken("Undone: Brush")
    assert one.rows(project, 60, 90, 120) == [1, 0, 1]
