"""Objects by clicks: on them, on what is not them, boxes, readings, dots; what is taken back, refused, and dropped.

The network's masks are better or worse; what is held here is what any of them must do: an object is where was clicked,
and is not where was clicked away.
"""

import base64
import io
import json
import re

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

FRAMES, HEIGHT, WIDTH = 20, 180, 320
RABBIT, STONES = (112, 95), (240, 90)


@pytest.fixture
def asked(editor) -> list[dict]:
    """What the page asks by clicks, with what is answered. Frames are not looked at before: hovering asks nothing."""
    found: list[dict] = []

    def hear(response):
        if re.search("/clicks$", response.url) and response.ok:
            found.append(json.loads(response.request.post_data) | response.json())

    editor.page.on("response", hear)
    editor.page.route(re.compile("/look$"), lambda route: route.fulfill(json={"ready": False}))
    return found


def dots(question: dict) -> list[tuple[int, int, bool]]:
    return [(click["x"], click["y"], click["positive"]) for click in question["clicks"]]


def mask_of(candidate: dict) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    with Image.open(io.BytesIO(base64.b64decode(candidate["mask"]))) as part:
        pixels = np.array(part) > 0
    mask[candidate["y"] :, candidate["x"] :][: pixels.shape[0], : pixels.shape[1]] = pixels
    return mask


def far(mask: np.ndarray, x: float, y: float) -> tuple[int, int]:
    """A pixel well inside a mask, far from x, y."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    rows, columns = np.nonzero(inside >= min(4, inside.max()))
    at = np.argmax(np.hypot(rows - y, columns - x))
    return int(columns[at]), int(rows[at])


def centre(x: int, y: int) -> tuple[float, float]:
    return x + 0.5, y + 0.5


def alert(editor, text: str) -> None:
    expect(editor.page.get_by_role("alert").filter(has_text=text)).to_be_visible()


def test_drop_click_follow_and_correct_by_a_click(editor, clip, tmp_path, asked):
    """From the first page to the first frame that was followed: three actions, of which each is one line here."""
    (path := tmp_path / "bunny.mkv").write_bytes(clip)
    editor.home()
    editor.drop(path)
    editor.at(0)
    editor.click(RABBIT)
    expect(editor.button("Forward")).to_be_enabled()
    editor.press("f")
    editor.at(FRAMES - 1)
    expect(editor.page.get_by_label("Propagated so far")).to_be_hidden()
    project = editor.page.url.split("/")[-2]
    assert editor.objects(project) == [1] and editor.ids(project, 0)[95, 112] == 1
    editor.frame.fill("2")
    editor.press("Enter")
    editor.at(1)
    followed = editor.ids(project, 1)
    assert followed[95, 112] == 1
    x, y = far(followed == 1, *RABBIT)
    editor.page.mouse.click(*editor.point(*centre(x, y)), button="right")
    corrected = editor.ids(project, 1)
    assert corrected[y, x] == 0 and editor.given(project) == [0, 1] and editor.objects(project) == [1]
    with Image.open(io.BytesIO(base64.b64decode(asked[-1]["mask"]))) as begun:
        assert ((np.array(begun) > 0) == (followed == 1)).all()
    editor.press("z")
    assert (editor.ids(project, 1) == followed).all() and editor.given(project) == [0]


def test_clicks_add_and_take_away_and_one_is_taken_back(editor, project, asked):
    editor.open(project, tool="c")
    editor.click(centre(*RABBIT))
    first = editor.ids(project, 0) == 1
    assert first[95, 112] and (first == mask_of(asked[-1]["candidates"][0])).all()
    assert min(editor.pixel(*centre(*RABBIT))) > 200  # the middle of a plus
    x, y = far(first, *RABBIT)
    editor.page.mouse.click(*editor.point(*centre(x, y)), button="right")
    second = editor.ids(project, 0) == 1
    assert not second[y, x] and second[95, 112] and dots(asked[-1]) == [(*RABBIT, True), (x, y, False)]
    u, v = far(second, *RABBIT)
    with editor.held("Alt"):
        editor.click(centre(u, v))
    third = editor.ids(project, 0) == 1
    assert not third[v, u] and dots(asked[-1])[2:] == [(u, v, False)]
    editor.press("Control+z")
    editor.spoken("Undone: Click, taking away")
    assert ((editor.ids(project, 0) == 1) == second).all()
    editor.press("Shift+Z")
    editor.spoken("Redone: Click, taking away")
    assert ((editor.ids(project, 0) == 1) == third).all()
    editor.press("z", "z", "z", "z")
    expect(editor.button("Object 1")).to_have_count(0)
    assert editor.given(project) == [] and editor.objects(project) == []
    editor.page.mouse.dblclick(*editor.point(*centre(*STONES)))
    editor.saved()
    assert dots(asked[-1]) == [(*STONES, True)]  # those that were taken back are gone; a double click is one


def test_a_box_by_dragging(editor, project, asked):
    editor.open(project, tool="c")
    editor.drag(centre(68, 8), centre(156, 166))
    found = editor.ids(project, 0) == 1
    assert asked[-1]["box"] == [68, 8, 156, 166] and dots(asked[-1]) == []
    assert found[80:130, 100:130].mean() > 0.8 and found[8:167, 68:157].sum() > 0.9 * found.sum()
    editor.click(centre(*STONES))
    editor.saved()
    assert asked[-1]["box"] == [68, 8, 156, 166] and dots(asked[-1]) == [(*STONES, True)]
    editor.spoken("Object 1: a box and 1 click.")
    with editor.held("Alt"):
        editor.drag((100, 60), (180, 90))  # moves the frame
    editor.button("Fit the frame into the window").click()
    editor.press("Escape")
    with editor.held("Shift"):
        editor.click(centre(*STONES))
    found = editor.ids(project, 0)
    assert found[90, 240] == 0 and asked[-1]["box"] is None and asked[-1]["mask"]  # begins from what is there now


def test_readings_of_one_click_by_tab(editor, project, asked):
    editor.open(project, tool="c")
    reading = editor.page.locator("#reading")
    editor.click(RABBIT)
    expect(reading).to_have_text("1 of 3 (Tab)")
    masks = [mask_of(one) for one in asked[-1]["candidates"]]
    assert len(masks) == 3 and any((masks[0] != one).any() for one in masks[1:])
    for at in (1, 2, 0, 1):
        editor.press("Tab")
        expect(reading).to_have_text(f"{at + 1} of 3 (Tab)")
        assert ((editor.ids(project, 0) == 1) == masks[at]).all()
    editor.press("Shift+Tab")
    expect(reading).to_have_text("1 of 3 (Tab)")
    editor.saved()
    editor.press("z")
    expect(reading).to_have_text("2 of 3 (Tab)")
    assert ((editor.ids(project, 0) == 1) == masks[1]).all() and len(asked) == 1
    x, y = far(masks[1], *RABBIT)
    with editor.held("Shift"):
        editor.click(centre(x, y))
    expect(reading).to_be_hidden()
    assert editor.ids(project, 0)[y, x] == 0 and asked[-1]["candidate"] == 1
    editor.press("Escape", "Tab")  # nothing to choose from: it goes on to the next control
    assert editor.page.evaluate("document.activeElement.id") != "stage"


def test_dots_are_moved_and_deleted(editor, project, asked):
    editor.open(project, tool="c")
    editor.click(centre(*RABBIT))
    first = editor.ids(project, 0)
    editor.click(centre(110, 130))
    editor.saved()
    editor.drag(centre(110, 130), centre(115, 120))
    editor.saved()
    assert dots(asked[-1]) == [(*RABBIT, True), (115, 120, True)]
    with editor.held("Shift"):
        editor.click(centre(*STONES))
    editor.saved()
    editor.drag(centre(*STONES), centre(115, 120))  # for and against one pixel
    alert(editor, "115,120: the same pixel is clicked for the opposite")
    editor.page.mouse.move(*editor.point(*centre(*STONES)))
    editor.press("Delete")  # it is still there
    editor.saved()
    assert dots(asked[-1]) == [(*RABBIT, True), (115, 120, True)]
    editor.click(centre(115, 120))
    assert (editor.ids(project, 0) == first).all() and dots(asked[-1]) == [(*RABBIT, True)]
    editor.page.mouse.move(*editor.point(*centre(*RABBIT)))
    editor.press("Backspace")
    assert not editor.ids(project, 0).any() and len(asked) == 6  # without dots nothing is asked
    editor.press("z")
    assert (editor.ids(project, 0) == first).all()


def test_the_next_object(editor, marked, asked):
    """Enter ends one; a click on another takes from those on which was clicked alone, and gives back what it took."""
    editor.open(marked, tool="c")
    before = editor.ids(marked, 0)
    reading = editor.page.locator("#reading")
    editor.press("Enter")
    expect(reading).to_have_text("Next: a new object")
    expect(editor.button("Object 1")).to_have_attribute("aria-pressed", "false")
    editor.press("1")
    expect(reading).to_be_hidden()
    expect(editor.button("Object 1")).to_have_attribute("aria-pressed", "true")
    editor.press("Enter", "Escape")
    expect(reading).to_be_hidden()
    editor.press("Enter")
    editor.click(centre(*RABBIT))
    ids = editor.ids(marked, 0)
    assert ids[95, 112] == 3 and all(((ids == id) == (before == id)).all() for id in (1, 2))
    assert asked[-1]["mask"] is None
    editor.click(centre(220, 120))  # in the middle of the second
    ids = editor.ids(marked, 0)
    assert ids[120, 220] == 3 and ((ids == 1) == (before == 1)).all() and (ids[before == 2] != 0).all()
    editor.press("Delete")
    ids = editor.ids(marked, 0)
    assert ((ids == 2) == (before == 2)).all() and editor.objects(marked) == [1, 2, 3]
    editor.press("z", "z", "z")
    expect(editor.button("Object 3")).to_have_count(0)  # it goes with its first click: the next one makes it again
    expect(reading).to_have_text("Next: a new object")
    assert (editor.ids(marked, 0) == before).all()


def test_clicks_on_a_new_object_never_land_in_another(editor, marked, asked):
    """Neither those made while others wait for their answers, nor the next one after one that found nothing."""
    editor.open(marked, tool="c")
    editor.press("1")
    held = editor.hold("POST", "/clicks$")
    editor.click(centre(*RABBIT))
    held.wait()
    editor.press("Enter")
    editor.click(centre(20, 20))
    editor.click(centre(40, 20))
    held.release()
    ids = editor.ids(marked, 0)
    assert ids[20, 20] == ids[20, 40] == 3 and editor.objects(marked) == [1, 2, 3]
    assert [dots(one) for one in asked[1:]] == [[(20, 20, True)], [(20, 20, True), (40, 20, True)]]
    assert asked[0]["mask"] and asked[1]["mask"] is asked[2]["mask"] is None
    editor.press("Enter")
    nothing = {"candidates": [{"score": 0.1, "x": 0, "y": 0, "mask": None}]}
    editor.page.route(re.compile("/clicks$"), lambda route: route.fulfill(json=nothing), times=1)
    editor.click(centre(300, 20))
    alert(editor, "No object was found there")
    expect(editor.page.locator("#reading")).to_have_text("Next: a new object")
    editor.click(centre(300, 20))
    assert editor.ids(marked, 0)[20, 300] == 4 and asked[-1]["mask"] is None


def test_a_dot_that_waits_for_its_answer_can_be_deleted(editor, project, asked):
    editor.open(project, tool="c")
    editor.click(centre(*RABBIT))
    editor.click(centre(110, 130))
    editor.saved()
    held = editor.hold("POST", "/clicks$")
    editor.drag(centre(110, 130), centre(115, 120))
    held.wait()
    editor.click(centre(115, 120))
    held.release()
    editor.saved()
    assert dots(asked[-1]) == [(*RABBIT, True)]


def test_with_another_tool_in_hand_no_reading_is_shown(editor, project, asked):
    editor.open(project, tool="c")
    held = editor.hold("POST", "/clicks$")
    editor.click(centre(*RABBIT))
    held.wait()
    editor.press("b")
    held.release()
    editor.saved()
    assert editor.ids(project, 0)[95, 112] == 1 and len(asked) == 1
    expect(editor.page.locator("#reading")).to_be_hidden()
    editor.press("z", "Shift+Z")
    editor.spoken("Redone: Click")
    expect(editor.page.locator("#reading")).to_be_hidden()


def test_what_cannot_be_asked_changes_nothing(editor, project):
    editor.open(project, tool="c")
    editor.click(centre(50, -5))
    alert(editor, "50,-5 is outside the frame, which is 320x180")
    editor.button("Clicks take away").click()
    editor.click(centre(*RABBIT))
    alert(editor, "Click 112,95 says only where the object is not")
    editor.button("Clicks add").click()
    editor.drag(centre(50, 50), centre(90, 50))
    alert(editor, "Box 50,50,90,50 has no area")
    assert editor.objects(project) == [] and editor.given(project) == []
    expect(editor.button("Undo")).to_be_disabled()
    expect(editor.page.get_by_role("alert")).to_have_count(1)  # the last one, until something is marked
    editor.press("b")
    editor.stroke(90)
    expect(editor.page.get_by_role("alert")).to_have_count(0)


def test_an_answer_that_comes_too_late_is_dropped(editor, project):
    editor.open(project, tool="c")
    held = editor.hold("POST", "/clicks$")
    editor.click(centre(*RABBIT))
    held.wait()
    editor.press("ArrowRight")
    editor.at(1)
    expect(editor.page.get_by_role("status").filter(has_text="it was dropped")).to_be_visible()
    held.release()
    editor.press("ArrowLeft")
    editor.at(0)
    held = editor.hold("POST", "/clicks$")
    editor.click(centre(*RABBIT))
    held.wait()
    editor.press("Escape")
    assert editor.objects(project) == [] and editor.given(project) == []
    held.release()
    editor.click(centre(*STONES))
    assert editor.ids(project, 0)[90, 240] == 1 and editor.given(project) == [0]


class Slow:
    """Answers to clicks that a test lets come, by a clock that it sets."""

    def __init__(self, editor, mask: np.ndarray, png):
        candidate = {"score": 0.9, "x": 200, "y": 20, "mask": base64.b64encode(png(mask)).decode()}
        self.editor, self.answer, self.asked, self.waiting = editor, {"candidates": [candidate]}, [], []
        editor.page.add_init_script("window.clock = 0; performance.now = () => window.clock;")
        editor.page.route(re.compile("/clicks$"), self.hear)

    def hear(self, route):
        self.asked.append(dots(json.loads(route.request.post_data))[0][:2])
        self.waiting.append(route)

    def come(self, after: int) -> None:
        """The one that waits, after so many milliseconds."""
        self.editor.page.evaluate("(after) => { window.clock += after; }", after)
        self.waiting.pop().fulfill(json=self.answer)
        assert not self.waiting  # one at a time

    def hover(self, x: int, y: int) -> None:
        self.editor.page.mouse.move(*self.editor.point(*centre(x, y)))

    def until(self, true) -> None:
        for _ in range(4000):
            if true():
                return
            self.editor.page.wait_for_timeout(30)
        raise AssertionError(self.asked)


def test_what_a_click_would_take_is_shown_while_that_is_quick(editor, project, make):
    """One question at a time, the latest one next; after two slow answers only clicks are asked for."""
    slow = Slow(editor, np.full((20, 30), 255, np.uint8), make.png)
    with editor.page.expect_response(re.compile("/look$")) as looked:
        editor.open(project, tool="c")
    assert looked.value.json() == {"ready": True}
    before = editor.pixel(215, 30)
    slow.until(lambda: slow.hover(112, 95) or slow.hover(112, 96) or slow.waiting)  # the page has heard of it, too
    slow.until(lambda: (slow.waiting and slow.come(after=20)) or editor.pixel(215, 30) != before)
    slow.hover(20, 20)
    slow.until(lambda: slow.asked[-1] == (20, 20) or (slow.waiting and slow.come(after=20)))
    slow.hover(30, 20)
    slow.hover(40, 20)
    slow.come(after=150)
    slow.until(lambda: slow.waiting)
    assert slow.asked[-2:] == [(20, 20), (40, 20)]
    expect(editor.page.locator("#slow")).to_be_hidden()
    slow.come(after=150)
    expect(editor.page.locator("#slow")).to_have_text("No preview: too slow here")
    slow.hover(50, 20)
    assert editor.objects(project) == []
    editor.click(centre(60, 60))
    slow.until(lambda: slow.waiting)
    slow.come(after=0)
    assert (editor.ids(project, 0)[20:40, 200:230] == 1).all()
    assert slow.asked[-3:] == [(20, 20), (40, 20), (60, 60)]


def test_a_pointer_that_rests_sees_it_when_the_frame_is_known(editor, project):
    held = editor.hold("POST", "/look$")
    editor.open(project, tool="c")
    held.wait()
    editor.page.mouse.move(*editor.point(*centre(*RABBIT)))
    with editor.page.expect_request(re.compile("/clicks$")) as asked:
        held.release()
    assert asked.value.post_data_json["rough"] and dots(asked.value.post_data_json) == [(*RABBIT, True)]


def test_taps_add_and_by_the_switch_take_away(screen, project):
    phone = screen(viewport={"width": 390, "height": 844}, has_touch=True, device_scale_factor=2)
    phone.open(project, tool="c")
    phone.page.touchscreen.tap(*phone.point(*centre(*RABBIT)))
    found = phone.ids(project, 0) == 1
    assert found[95, 112]
    phone.button("Clicks take away").tap()
    x, y = far(found, *RABBIT)
    phone.page.touchscreen.tap(*phone.point(*centre(x, y)))
    again = phone.ids(project, 0) == 1
    assert again[95, 112] and not again[y, x]
