"""The page by touch, on a phone, by a trackpad, on fine screens."""

import numpy as np
import pytest
from playwright.sync_api import expect

FRAMES = 20


PICTURE = """async () => {
  await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  return document.querySelector("#stage").toDataURL();
}"""


@pytest.fixture
def phone(screen, project):
    editor = screen(viewport={"width": 390, "height": 844}, has_touch=True, device_scale_factor=2)
    editor.open(project)
    return editor


def touches(editor, *steps: list[tuple[float, float]]) -> None:
    """Where the fingers are, in CSS pixels, step by step; at the end none is."""
    devtools = editor.page.context.new_cdp_session(editor.page)
    for n, fingers in enumerate(steps):
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(fingers)]
        devtools.send("Input.dispatchTouchEvent", {"type": "touchMove" if n else "touchStart", "touchPoints": points})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_pinch_zooms_and_never_paints(phone, project):
    (x, y), (right, _) = phone.point(140, 90), phone.point(180, 90)
    before = phone.page.evaluate(PICTURE)
    begun = [[(x + 3 * n, y)] for n in range(4)]  # the first finger moves before the second one comes
    spread = [[(x + 9 - 8 * n, y - 5 * n), (right + 8 * n, y + 5 * n)] for n in range(6)]
    left = [[(x + 9 * n, y + 9 * n)] for n in range(4)]  # one is lifted, the other moves on
    touches(phone, *begun, *spread, *left)
    assert phone.given(project) == []
    assert phone.server.ask("GET", f"/api/projects/{project}")["objects"] == []
    assert phone.page.evaluate(PICTURE) != before
    phone.button("Fit the frame into the window").click()
    touches(phone, *([(x + 8 * n, y)] for n in range(4)))
    assert phone.ids(project, 0)[90, 142] == 1


def test_a_phone(phone):
    page = phone.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert phone.stage.bounding_box()["width"] >= 380
    for control in ("Brush", "Load a mask file for this frame", "Undo", "Cut-out", "Play", "Forward", "Help"):
        phone.button(control).scroll_into_view_if_needed()
        box = phone.button(control).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_space_drags_the_frame_and_plays_where_it_is_tapped(editor, project):
    editor.open(project)
    before = editor.page.evaluate(PICTURE)
    editor.page.keyboard.down("Space")
    editor.stroke(90)
    editor.page.keyboard.up("Space")
    assert editor.page.evaluate(PICTURE) != before and editor.given(project) == []
    expect(editor.button("Play")).to_be_visible()
    editor.press("Space")
    editor.at(FRAMES - 1)


def test_a_wheel_zooms_and_a_trackpad_moves(editor, marked):
    """By where the squares lie: a pixel's size tells of zoom, its place of what was moved."""
    editor.open(marked)
    editor.button("Cut-out").click()
    where = """() => {
      const canvas = document.querySelector("#stage");
      const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let [left, right, top] = [Infinity, -1, Infinity];
      for (let i = 0; i < data.length; i += 4) {
        const grey = data[i] === 139 && data[i + 1] === 143 || data[i] === 166 && data[i + 1] === 170;
        if (!grey) continue;
        const [x, y] = [(i / 4) % width, Math.floor(i / 4 / width)];
        [left, right, top] = [Math.min(left, x), Math.max(right, x), Math.min(top, y)];
      }
      return [left, right, top];
    }"""
    turn = """async ([deltaX, deltaY, wheelDeltaY, ctrlKey]) => {
      const stage = document.querySelector("#stage");
      const { x, y, width, height } = stage.getBoundingClientRect();
      const wish = { deltaX, deltaY, ctrlKey, clientX: x + width / 2, clientY: y + height / 2, cancelable: true };
      const event = new WheelEvent("wheel", wish);
      Object.defineProperty(event, "wheelDeltaY", { value: wheelDeltaY });
      stage.dispatchEvent(event);
      await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    }"""
    editor.page.evaluate(turn, [0, 120, -120, False])  # a notch towards the user: smaller
    first = editor.page.evaluate(where)
    editor.page.evaluate(turn, [-30, -20, 60, False])
    moved = editor.page.evaluate(where)
    assert np.subtract(moved, first).tolist() == [30, 30, 20]
    editor.page.evaluate(turn, [0, -40, 120, False])  # within the same gesture
    assert np.subtract(editor.page.evaluate(where), moved).tolist() == [0, 0, 40]
    editor.page.evaluate(turn, [0, 10, -30, True])  # a pinch
    pinched = editor.page.evaluate(where)
    assert pinched[1] - pinched[0] < first[1] - first[0]


def test_the_size_of_the_brush_is_how_wide_it_paints(editor, project):
    editor.open(project)
    expect(editor.page.locator("#options output")).to_have_text("24 px")
    editor.stroke(90)
    column = editor.ids(project, 0)[:, 120]
    assert abs(int(column.sum()) - 24) <= 1


def test_strips_have_no_seams_on_fine_screens(screen, marked):
    """A hatch means doubtful."""
    for ratio in (1.5, 2.25):
        editor = screen(device_scale_factor=ratio)
        editor.open(marked)
        editor.press("ArrowRight", "ArrowLeft")
        expect(editor.page.locator("#stage[data-masked='true']")).to_be_visible()
        row = editor.page.evaluate("""() => {
          const strip = document.querySelector(".strip");
          return [...strip.getContext("2d").getImageData(0, strip.height >> 1, strip.width, 1).data];
        }""")
        alpha = np.array(row).reshape(-1, 4)[:, 3]
        filled = np.flatnonzero(alpha)
        assert len(filled) > 20 and (np.diff(filled) == 1).all() and len(set(alpha[filled[1:-1]])) == 1, ratio
