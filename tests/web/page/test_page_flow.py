"""The whole way in the browser: load, mark, propagate, correct, propagate again, export each format and open it."""

import json
import re
import zipfile

import av
import numpy as np
from PIL import Image
from playwright.sync_api import expect

from camn.masks import SegmentsWriter

FRAMES, HEIGHT, WIDTH = 20, 180, 320


def upload(editor, clip: bytes) -> str:
    """By the file chooser; the id of the project."""
    editor.home()
    file = {"name": "bunny.mkv", "mimeType": "video/x-matroska", "buffer": clip}
    editor.page.get_by_label("Choose a video, zip or images").set_input_files(file)
    expect(editor.page.locator("#editor")).to_be_visible()
    expect(editor.page.locator("#transport")).to_contain_text(f"/ {FRAMES}")
    editor.at(0)
    return editor.page.url.split("/")[-2]


def name_object(editor, old: str, new: str) -> None:
    editor.page.get_by_role("button", name=old, exact=True).dblclick()
    editor.page.get_by_label(f"Name of {old}").fill(new)
    editor.press("Enter")
    expect(editor.button(new)).to_be_visible()


def mark(editor, project: str) -> None:
    """The bunny by a polygon, the rock by another one and the brush."""
    editor.mark()
    expect(editor.button("Object 1")).to_be_visible()
    bunny = editor.ids(project, 0) == 1
    assert bunny[80:130, 100:130].all() and not bunny[:, :90].any() and not bunny[:, 140:].any()

    editor.press("n")
    expect(editor.button("Object 2")).to_have_attribute("aria-pressed", "true")
    editor.press("p")
    editor.click((210, 78), (250, 76), (250, 100), (214, 100))
    editor.press("Enter")
    editor.press("b")
    editor.drag((255, 90), (290, 95))
    ids = editor.ids(project, 0)
    assert (ids[82:96, 216:248] == 2).all() and ids[90, 256] == ids[95, 289] == 2 and ids[60, 230] == 0
    assert ((ids == 1) == bunny).all()
    name_object(editor, "Object 2", "Rock")


def propagate(editor, project: str) -> None:
    editor.press("f")
    numbers = editor.page.locator("#propagate .numbers")
    expect(numbers).to_have_text(re.compile(r"\d+ of 19 · [\d.]+ frames/s · \d:\d\d left"))
    expect(editor.page.get_by_label("Propagated so far")).to_be_visible()
    expect(editor.page.get_by_text("Starts from the mask of frame")).to_be_visible()
    editor.at(FRAMES - 1)  # the view went along
    assert editor.server.ask("GET", f"/api/projects/{project}")["predicted"] == [[1, FRAMES - 1]]


def correct(editor, project: str) -> None:
    """Rubs the bunny's upper part out on frame 10, and propagates from there."""
    editor.frame.fill("11")
    editor.press("Enter", "e")
    editor.at(10)
    before = editor.ids(project, 19)
    for _ in range(6):
        editor.press("]")
    for y in range(40, 100, 12):
        editor.drag((50, y), (160, y))
    assert not (editor.ids(project, 10, "given")[40:95, 60:150] == 1).any()
    editor.button("Forward").click()
    expect(editor.page.get_by_label("Propagated so far")).to_be_visible()
    expect(editor.page.get_by_text("Starts from the mask of frame")).to_be_visible()
    assert editor.given(project) == [0, 10]
    assert (editor.ids(project, 19) != before).any()


def save(editor, kind: str, folder):
    with editor.page.expect_download() as waiting:
        editor.page.locator(f"#export-{kind}").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def pictures(path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def test_the_whole_way(editor, clip, tmp_path):
    project = upload(editor, clip)
    mark(editor, project)
    propagate(editor, project)
    correct(editor, project)

    masks = save(editor, "masks", tmp_path)
    with zipfile.ZipFile(masks) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        assert len(names) == FRAMES
        with Image.open(archive.open(names[10])) as image:
            assert image.mode == "P"
            assert (np.array(image) == editor.ids(project, 10)).all()
    coco = json.loads(save(editor, "coco", tmp_path).read_text())
    assert {category["name"] for category in coco["categories"]} == {"Object 1", "Rock"}
    overlay = pictures(save(editor, "overlay", tmp_path))
    assert len(overlay) == FRAMES and (overlay[0].height, overlay[0].width) == (HEIGHT, WIDTH)
    prores = pictures(save(editor, "prores", tmp_path))
    assert len(prores) == FRAMES and prores[0].format.name.startswith("yuva444")
    alpha = prores[0].to_ndarray(format="rgba")[..., 3]
    assert ((alpha > 128) == (editor.ids(project, 0) > 0)).mean() > 0.99
    vp9 = save(editor, "vp9", tmp_path)
    assert vp9.suffix == ".webm" and len(pictures(vp9)) == FRAMES


def test_undo_redo_and_keys(editor, project):
    editor.open(project)
    for key, name in (("e", "Eraser"), ("p", "Polygon"), ("c", "Click"), ("b", "Brush")):
        editor.press(key)
        expect(editor.button(name)).to_have_attribute("aria-pressed", "true")
    editor.drag((100, 90), (140, 90))
    assert (editor.ids(project, 0)[90, 102:138] == 1).all()
    editor.drag((100, 120), (140, 120))
    assert (editor.ids(project, 0)[120, 102:138] == 1).all()
    editor.press("z")
    ids = editor.ids(project, 0)
    assert ids[90, 120] == 1 and ids[120, 120] == 0
    editor.press("z")
    assert editor.given(project) == []
    editor.press("Shift+Z", "Shift+Z")
    ids = editor.ids(project, 0)
    assert ids[90, 120] == ids[120, 120] == 1

    editor.press("n")
    expect(editor.button("Object 2")).to_have_attribute("aria-pressed", "true")
    editor.press("1")
    expect(editor.button("Object 1")).to_have_attribute("aria-pressed", "true")
    editor.press("Delete")
    assert not editor.ids(project, 0).any()
    editor.press("z")
    editor.button("Delete Object 1").click()
    expect(editor.button("Object 1")).to_be_hidden()
    editor.press("z")
    expect(editor.button("Object 1")).to_be_visible()
    assert (editor.ids(project, 0)[90, 102:138] == 1).all()


# The page's requests wait so many milliseconds; below 0 they fail.
SLOW = """(wait) => {
  window.quick ??= window.fetch;
  window.fetch = async (...asked) => {
    await new Promise((go) => setTimeout(go, Math.max(0, wait)));
    return wait < 0 ? Promise.reject(new TypeError("no network")) : window.quick(...asked);
  };
}"""


def test_strokes_that_are_faster_than_the_server(editor, project):
    """They make one object, lose nothing of each other, and are undone one by one."""
    editor.open(project)
    editor.page.evaluate(SLOW, 400)
    for y in (60, 90, 120):
        editor.drag((100, y), (140, y))
    ids = editor.ids(project, 0)
    assert [ids[y, 120] for y in (60, 90, 120)] == [1, 1, 1]
    assert len(editor.server.ask("GET", f"/api/projects/{project}")["objects"]) == 1
    editor.press("z", "z")
    editor.page.evaluate(SLOW, 0)
    expect(editor.page.locator("#spoken")).to_have_text("Undone: Brush")
    editor.saved()
    ids = editor.ids(project, 0)
    assert [ids[y, 120] for y in (60, 90, 120)] == [1, 0, 0]
    editor.press("z")
    editor.saved()
    assert editor.given(project) == []


def test_a_stroke_stays_on_its_frame(editor, project):
    """Also where the user goes on before the first object was made for it."""
    editor.open(project)
    editor.page.evaluate(SLOW, 400)
    editor.drag((100, 90), (140, 90))
    editor.press("ArrowRight")
    editor.at(1)
    assert editor.ids(project, 0)[90, 120] == 1
    assert editor.given(project) == [0]


def test_an_undo_that_failed_can_be_tried_again(editor, project):
    editor.open(project)
    editor.drag((100, 90), (140, 90))
    assert editor.given(project) == [0]
    editor.page.evaluate(SLOW, -1)
    editor.press("z")
    expect(editor.page.get_by_role("alert")).to_contain_text("The server does not answer.")
    editor.page.evaluate(SLOW, 0)
    editor.press("z")
    expect(editor.page.locator("#spoken")).to_have_text("Undone: Brush")
    assert editor.given(project) == []


def test_the_player(editor, project):
    editor.open(project)
    editor.press("ArrowRight", "ArrowRight", "ArrowLeft")
    editor.at(1)
    editor.press("End")
    editor.at(FRAMES - 1)
    editor.press("Shift+ArrowLeft")
    editor.at(FRAMES - 11)
    editor.press("Space")
    expect(editor.button("Pause")).to_be_visible()
    editor.at(FRAMES - 1)
    expect(editor.button("Play")).to_be_visible()
    slider = editor.page.get_by_role("slider", name="Frame")
    box = slider.bounding_box()
    editor.page.mouse.click(box["x"] + box["width"] * 5.5 / FRAMES, box["y"] + 10)
    editor.at(5)
    expect(slider).to_have_attribute("aria-valuetext", f"Frame 6 of {FRAMES}, no mask")
    editor.press("?")
    expect(editor.page.get_by_role("dialog")).to_contain_text("Play, pause")
    editor.press("Escape")
    expect(editor.page.get_by_role("dialog")).to_have_count(0)


# All messages that come, as they go by themselves.
TOLD = """() => {
  window.told = [];
  const add = (changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach((one) => told.push(one.textContent)));
  new MutationObserver(add).observe(document.querySelector("#messages"), { childList: true });
}"""


def test_backward_and_both_ways(editor, project):
    editor.open(project, 10)
    editor.mark()
    editor.page.evaluate(TOLD)
    editor.press("r")
    expect(editor.page.get_by_label("Propagated so far")).to_be_visible()
    editor.at(0)
    expect(editor.page.get_by_text("Starts from the mask of frame")).to_be_visible()
    assert "Propagated: 10 frames." in "".join(editor.page.evaluate("window.told"))
    assert editor.server.ask("GET", f"/api/projects/{project}")["predicted"] == [[0, 9]]
    editor.press("ArrowUp", "ArrowDown")
    editor.at(10)
    editor.button("Both").click()
    expect(editor.page.locator("#propagate .numbers")).to_contain_text("of 19")
    expect(editor.page.get_by_text("Starts from the mask of frame")).to_be_visible()
    assert editor.server.ask("GET", f"/api/projects/{project}")["predicted"] == [[0, 9], [11, 19]]


def test_colours_and_opacity(editor, project):
    editor.open(project)
    editor.mark()
    editor.page.get_by_label("Colour of Object 1").fill("#00aa55")
    expect(editor.page.get_by_label("Colour of Object 1")).to_have_value("#00aa55")
    editor.page.wait_for_function(
        "async (id) => (await (await fetch(`/api/projects/${id}`)).json()).objects[0].colour === '#00aa55'", arg=project
    )
    seen = []
    for opacity in ("5", "50", "100"):
        editor.page.get_by_label("Opacity").fill(opacity)
        editor.page.mouse.move(1, 1)
        editor.page.wait_for_timeout(100)
        seen.append(editor.pixel(112, 70))
    green = [pixel[1] - pixel[0] for pixel in seen]
    assert green[0] < green[1] < green[2] and np.abs(np.subtract(seen[2], (0, 0xAA, 0x55))).max() < 3


def test_views(editor, project):
    editor.open(project)
    editor.mark()
    seen = []
    for name in ("Overlay", "Outline", "Cut-out", "Frame"):
        editor.button(name).click()
        expect(editor.button(name)).to_have_attribute("aria-pressed", "true")
        editor.page.mouse.move(1, 1)
        seen.append(editor.stage.screenshot())
    assert len(set(seen)) == 4


def test_a_mask_file(editor, project, make):
    editor.open(project, 3)
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[50:100, 60:130] = 7
    file = {"name": "mask.png", "mimeType": "image/png", "buffer": make.png(ids)}
    editor.page.get_by_label("Mask file", exact=True).set_input_files(file)
    expect(editor.page.get_by_role("status").filter(has_text="Loaded for frame 4.")).to_be_visible()
    assert (editor.ids(project, 3) == ids).all()
    editor.press("z")
    expect(editor.page.get_by_text("Mark the objects on this frame first")).to_be_visible()
    assert editor.given(project) == []


def test_masks_of_more_frames_than_are_undone(editor, server, make, tmp_path):
    project = server.project(("clip.mkv", make.clip(33)))
    with SegmentsWriter(tmp_path / "segments.json") as writer:
        for index in range(33):
            writer.add(index, f"{index:06d}", make.square(index))
    editor.open(project)
    editor.page.get_by_label("Mask file", exact=True).set_input_files(tmp_path / "segments.json")
    expect(editor.page.get_by_role("status").filter(has_text="too much to be undone by Z")).to_be_visible()
    expect(editor.button("Undo")).to_be_disabled()
    assert editor.given(project) == list(range(33))


def test_a_mask_file_of_another_size(editor, project, make):
    editor.open(project)
    ids = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
    ids[20:50, 30:60] = 2
    file = {"name": "mask.png", "mimeType": "image/png", "buffer": make.png(ids)}
    editor.page.get_by_label("Mask file", exact=True).set_input_files(file)
    editor.page.get_by_role("dialog", name="Scale the mask?").get_by_role("button", name="Scale it").click()
    expect(editor.button("Forward")).to_be_enabled()
    assert (editor.ids(project, 0) == ids.repeat(2, 0).repeat(2, 1)).all()
