"""Sizes, themes, contrast, names, focus; the page's own arithmetic against slow oracles; screenshots on request."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

# Every visible text with its colour and the colours behind it; opacity of an element or one above it.
TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const box = element.getBoundingClientRect();
    if (!node.data.trim() || !element.checkVisibility() || !box.width || element.closest(".unseen, option")) continue;
    if (element.closest("[disabled], [aria-disabled=true]")) continue;
    const behind = [];
    for (let at = element; at; at = at.parentElement) behind.push(getComputedStyle(at).backgroundColor);
    found.push([node.data.trim(), getComputedStyle(element).color, behind]);
  }
  return found;
}"""
NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, [tabindex='0'], canvas")].filter((e) => {
  if (!e.checkVisibility() || e.getAttribute("aria-hidden") === "true") return false;
  return !(e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent).trim();
}).map((e) => e.outerHTML)"""

FOCUSED = """() => {
  const at = document.activeElement.closest("input.unseen")?.nextElementSibling ?? document.activeElement;
  const style = getComputedStyle(at);
  const name = at.getAttribute("aria-label") || at.textContent || at.id;
  return [name, at === document.body ? "solid 2px" : `${style.outlineStyle} ${style.outlineWidth}`];
}"""


def rgba(text: str) -> np.ndarray:
    values = [float(value) for value in text[text.index("(") + 1 : -1].replace(",", " ").split()]
    return np.array([*values[:3], values[3] if len(values) > 3 else 1.0])


def contrast(colour: str, behind: list[str]) -> float:
    """WCAG 2.2; a background that is seen through lies on what is behind it."""
    ground = np.array([255.0, 255, 255])
    for layer in map(rgba, reversed(behind)):
        ground = layer[3] * layer[:3] + (1 - layer[3]) * ground

    def luminance(rgb: np.ndarray) -> float:
        part = rgb / 255
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(rgba(colour)[:3]), luminance(ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def check(page) -> None:
    texts = page.evaluate(TEXTS)
    poor = {
        (text, colour, round(contrast(colour, behind), 2))
        for text, colour, behind in texts
        if contrast(colour, behind) < 4.5
    }
    assert texts and not poor
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width, height", [(1280, 800), (800, 700)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_sizes_and_themes(editor, project, width, height, theme):
    page = editor.page
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    editor.home()
    check(page)
    editor.open(project)
    editor.mark()
    check(page)
    stage = editor.stage.bounding_box()
    assert stage["width"] >= 0.6 * width and stage["height"] >= 0.45 * height
    controls = ("Brush", "Undo", "Play", "Forward", "Overlay", "Cut-out", "Object 1", "Help")
    for control in (*map(editor.button, controls), page.locator("#export-vp9")):
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= height
    editor.press("?")
    check(page)


def test_the_theme_is_chosen_and_kept(editor):
    editor.page.emulate_media(color_scheme="light")
    editor.home()
    editor.button("Light or dark").click()
    expect(editor.page.locator("html")).to_have_attribute("data-theme", "dark")
    editor.page.reload()
    expect(editor.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_theme_is_the_systems_until_one_is_chosen(editor, project):
    editor.page.emulate_media(color_scheme="light")
    editor.open(project)
    light = editor.stage.screenshot()
    editor.page.emulate_media(color_scheme="dark")
    expect(editor.page.locator("html")).to_have_attribute("data-theme", "dark")
    editor.page.wait_for_timeout(200)
    assert editor.stage.screenshot() != light


def test_all_is_reached_by_tab_and_is_seen_to_be(editor, project):
    editor.open(project)
    editor.mark()
    page = editor.page
    seen = set()
    for _ in range(80):
        editor.press("Tab")
        name, outline = page.evaluate(FOCUSED)
        assert outline == "solid 2px", name
        seen.add(name.strip())
    assert {"Brush", "Undo", "Overlay", "Object 1", "Forward", "Play", "Frame", "Help"} <= seen


def module(editor, script: str, *values):
    """What a script that imports the page's modules answers."""
    return editor.page.evaluate(script, list(values))


def test_png_is_read_and_written_to_the_value(editor):
    editor.home()
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(37), np.arange(53)).astype(np.uint8)
    for ids in (smooth, rng.integers(0, 256, (20, 31), np.uint8), np.zeros((5, 7), np.uint8), smooth // 9 * 9):
        buffer = io.BytesIO()
        Image.fromarray(ids).save(buffer, "PNG")
        script = """async ([bytes]) => {
          const png = await import("/static/js/png.js");
          const map = await png.decode(new Uint8Array(bytes).buffer);
          const again = new Uint8Array(await (await png.encode(map)).arrayBuffer());
          return [[map.height, map.width], [...map.ids], [...again]];
        }"""
        size, found, again = module(editor, script, list(buffer.getvalue()))
        assert tuple(size) == ids.shape and (np.array(found) == ids.ravel()).all()
        with Image.open(io.BytesIO(bytes(again))) as image:
            assert image.mode == "L" and (np.array(image) == ids).all()


def test_changes_are_made_taken_back_and_sent_to_the_value(editor):
    """Pixel by pixel: where another id is by now, nothing changes; of its PNG grey is the new id, alpha the old one."""
    editor.home()
    rng = np.random.default_rng(2)
    script = """async ([before, after, now]) => {
      const changes = await import("/static/js/changes.js");
      const png = await import("/static/js/png.js");
      const map = (ids) => ({ ids: Uint8Array.from(ids), width: 9, height: 7 });
      const change = changes.changeOf(map(before), map(after), { x: 0, y: 0, width: 9, height: 7 });
      const { rect, from, to } = change;
      const sent = await png.encode({ ids: to, width: rect.width, height: rect.height }, from);
      const made = [changes.changed(map(now), change, false), changes.changed(map(now), change, true)];
      made.push(changes.changed(made[0], changes.reversed(change), false));
      return [made.map(({ ids }) => [...ids]), rect, [...new Uint8Array(await sent.arrayBuffer())]];
    }"""
    for _ in range(4):
        before, after, now = rng.integers(0, 3, (3, 7, 9))
        after[:2] = before[:2]  # a part is left out of the rectangle
        made, rect, sent = module(editor, script, *(ids.ravel().tolist() for ids in (before, after, now)))
        met = (before != after) & (now == before)
        expected = [np.where(met, after, now), np.where(before != after, after, now)]
        expected.append(np.where((before != after) & (expected[0] == after), before, expected[0]))
        assert [np.reshape(ids, (7, 9)).tolist() for ids in made] == [ids.tolist() for ids in expected]
        with Image.open(io.BytesIO(bytes(sent))) as image:
            grey, alpha = np.array(image).transpose(2, 0, 1)
        part = np.s_[rect["y"] : rect["y"] + rect["height"], rect["x"] : rect["x"] + rect["width"]]
        same = before[part] == after[part]
        assert (grey == np.where(same, 255, after[part])).all() and (alpha == np.where(same, 255, before[part])).all()


def test_painting_equals_slow_oracles(editor):
    """Segments by each pixel's distance, polygons by each pixel's crossings to its left."""
    editor.home()
    height, width = 40, 60
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    script = """async ([points, radius]) => {
      const ids = await import("/static/js/ids.js");
      const [line, area] = [ids.blank(60, 40), ids.blank(60, 40)];
      const table = ids.paintTable(3, 3, false);
      ids.paintSegment(line, points[0], points[1], radius, table);
      ids.paintPolygon(area, points, table);
      return [[...line.ids], [...area.ids]];
    }"""
    for _ in range(8):
        points = rng.uniform(-5, 62, (6, 2)).round(2)
        line, area = module(editor, script, points.tolist(), 4.3)
        (ax, ay), (bx, by) = points[:2]
        along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
        along = along.clip(0, 1)
        distance = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))
        assert (np.reshape(line, (height, width)) == 3 * (distance <= 4.3)).all()
        inside = np.zeros((height, width), bool)
        for (px, py), (qx, qy) in zip(points, np.roll(points, -1, 0)):
            meets = (py <= y) != (qy <= y)
            at = px + (y - py) / (qy - py if qy != py else 1) * (qx - px)
            inside ^= meets & (at < x)
        differs = np.reshape(area, (height, width)) != 3 * inside
        assert differs.mean() < 0.001  # a side through a pixel's very centre


def test_other_objects_are_kept_if_asked(editor, project):
    editor.open(project)
    editor.press("b")
    editor.drag((100, 90), (140, 90))
    editor.saved()
    editor.press("n")
    expect(editor.button("Object 2")).to_have_attribute("aria-pressed", "true")
    editor.page.get_by_label("Keep other objects").check()
    editor.drag((120, 60), (120, 120))
    ids = editor.ids(project, 0)
    assert ids[90, 120] == 1 and ids[65, 120] == 2
    editor.page.get_by_label("Keep other objects").uncheck()
    editor.drag((120, 60), (120, 120))
    assert editor.ids(project, 0)[90, 120] == 2
