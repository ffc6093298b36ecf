"""Jobs in the browser: cancelled, reloaded, killed with the server, seen from a second tab; files that are no video."""

import re

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

NETWORK = ("--model", "camn-mobile", "--short-side", "240", "--threads", "1")  # slow enough to be watched
SOME = re.compile(r"^[1-9]\d* of \d+ · ")  # frames are done


@pytest.fixture(scope="module")
def server(serve):
    return serve(*NETWORK)


def begin(editor, project: str) -> None:
    """A propagation that is under way."""
    editor.open(project)
    editor.mark()
    editor.button("Forward").click()
    running(editor)


def running(editor) -> None:
    expect(editor.page.locator("#propagate .numbers")).to_have_text(SOME)
    expect(editor.button("Cancel")).to_be_visible()


def done(editor) -> None:
    expect(editor.page.locator("#propagate .notice")).to_be_hidden()
    expect(editor.button("Cancel")).to_be_hidden()


def predicted(editor, project: str) -> list:
    return editor.server.ask("GET", f"/api/projects/{project}")["predicted"]


def test_cancel_and_continue(editor, project):
    begin(editor, project)
    editor.button("Cancel").click()
    expect(editor.page.locator("#propagate .notice")).to_contain_text(re.compile(r"Cancelled at frame \d+"))
    [[first, last]] = predicted(editor, project)
    assert first == 1 and last < 19
    editor.button("Continue").click()
    done(editor)
    assert predicted(editor, project) == [[1, 19]]
    editor.page.reload()
    expect(editor.button("Object 1")).to_be_visible()
    done(editor)  # it is the newest job that is spoken of


def test_reload(editor, project):
    begin(editor, project)
    editor.page.reload()
    running(editor)
    done(editor)
    assert predicted(editor, project) == [[1, 19]]


def test_two_tabs(tab, project):
    one, two = tab(), tab()
    two.open(project)
    begin(one, project)
    running(two)
    expect(two.button("Object 1")).to_be_visible()
    two.button("Cancel").click()
    expect(one.page.locator("#propagate .notice")).to_contain_text("Cancelled")
    two.open(project)
    two.press("End", "b")
    two.at(19)
    two.drag((100, 90), (140, 90))
    two.saved()
    one.press("End")
    expect(one.page.get_by_role("slider", name="Frame")).to_have_attribute("aria-valuetext", re.compile("your mask"))


# Of each moment: the frame that is shown, and whether a mask is over it.
WATCH = """() => {
  window.seen = [];
  const { dataset } = document.querySelector("#stage");
  const look = () => { window.seen.push([Number(dataset.shown), dataset.masked]); requestAnimationFrame(look); };
  look();
}"""


def test_a_propagation_is_followed_by_frames_with_their_masks(editor, project):
    editor.open(project)
    editor.mark()
    editor.saved()
    editor.page.evaluate(WATCH)
    editor.button("Forward").click()
    editor.at(19)
    seen = editor.page.evaluate("window.seen")
    assert len({frame for frame, _ in seen}) > 5
    assert {masked for _, masked in seen} == {"true"}


def test_who_waits_is_told_for_what(editor, project, server, clip):
    other = server.project(("bunny.mkv", clip))
    editor.open(other)
    editor.mark()
    editor.saved()
    jobs = [server.ask("POST", f"/api/projects/{other}/propagate", {"frame": 0})["id"]]
    editor.open(project)
    editor.mark()
    editor.button("Forward").click()
    expect(editor.page.locator("#propagate .numbers")).to_have_text("Waiting: 1 job before it")
    server.ask("DELETE", f"/api/jobs/{jobs[0]}")
    running(editor)


def test_doubtful_and_lost_stretches(serve, tab, make):
    """Of a network that knows nothing: each stretch of the server is a button, which goes there; so does D."""
    server = serve()
    project = server.project(("clip.mkv", make.clip(12)))
    server.ask("POST", f"/api/projects/{project}/objects", {"name": "square"})
    server.ask("PUT", f"/api/projects/{project}/masks/0", make.png(make.square()))
    server.job(server.ask("POST", f"/api/projects/{project}/propagate", {"frame": 0})["id"])
    strip = server.ask("GET", f"/api/projects/{project}/confidence")["objects"]["1"]
    troubles = sorted((first, last, kind) for kind in ("lost", "doubtful") for first, last in strip[kind])
    assert troubles
    editor = tab(server)
    editor.open(project)
    marks = editor.page.locator(".stretch")
    expect(marks).to_have_count(len(troubles))
    for mark, (first, last, kind) in zip(marks.all(), troubles):
        frames = f"frame {first + 1}" if first == last else f"frames {first + 1} to {last + 1}"
        expect(mark).to_have_accessible_name(f"square is {kind} on {frames}")
    marks.last.click()
    editor.at(troubles[-1][0])
    editor.press("Home", "d")
    editor.at(troubles[0][0] or troubles[1][0])


def test_the_server_is_killed(serve, tab, clip, tmp_path):
    """And started again: the page finds it, nothing is lost, the propagation goes on."""
    folder = tmp_path / "projects"
    server = serve(*NETWORK, projects=folder)
    project = server.project(("bunny.mkv", clip))
    editor = tab(server)
    begin(editor, project)
    before = editor.ids(project, 0)
    job = {"id": "0" * 12, "project": project, "kind": "export", "state": "running", "place": 0, "done": 1, "total": 20,
           "frame": None, "rate": 1, "left": 19, "error": None, "asked": {"kind": "vp9"}, "file": None}  # fmt: skip
    editor.page.route("**/exports", lambda route: route.fulfill(json=job))  # one that is surely not done
    editor.page.locator("#export-vp9").click()
    expect(editor.page.locator("#exports")).to_contain_text("5 %")
    editor.page.get_by_label("Follow").uncheck()  # a frame whose picture has not come yet cannot be painted on
    frame = int(editor.page.get_by_label("Frame", exact=True).and_(editor.page.locator("input")).input_value())
    expect(editor.page.locator(f"#stage[data-shown='{frame - 1}']")).to_be_visible()
    server.kill()
    banner = editor.page.get_by_text("The server does not answer.")
    expect(banner).to_be_visible()
    editor.press("b")
    editor.drag((10, 10), (60, 10))
    waits = editor.page.get_by_role("alert").filter(has_text="Marking has to wait until the server is back.")
    expect(waits).to_be_visible()

    editor.server = serve(*NETWORK, "--port", str(server.port), projects=folder)
    expect(banner).to_be_hidden()
    expect(editor.page.locator("#propagate .notice")).to_contain_text("Interrupted at frame")
    expect(editor.page.get_by_role("alert").filter(has_text="export again")).to_be_visible()
    assert (editor.ids(project, 0) == before).all()
    [[first, last]] = predicted(editor, project)
    assert first == 1 and last < 19
    editor.button("Continue").click()
    running(editor)
    done(editor)
    assert predicted(editor, project) == [[1, 19]]


def test_killed_while_one_waits(serve, tab, clip, make):
    """It had no frame yet: it is started again as it was asked for, both ways."""
    server = serve(*NETWORK)
    other, project = server.project(("long.mkv", make.clip(100))), server.project(("bunny.mkv", clip))
    server.ask("POST", f"/api/projects/{other}/objects", {})
    server.ask("PUT", f"/api/projects/{other}/masks/0", make.png(make.square()))
    server.ask("POST", f"/api/projects/{other}/propagate", {"frame": 0})
    editor = tab(server)
    editor.open(project, 9)
    editor.mark()
    editor.button("Both").click()
    expect(editor.page.locator("#propagate .numbers")).to_have_text("Waiting: 1 job before it")
    server.kill()
    editor.server = serve(*NETWORK, "--port", str(server.port), projects=server.projects)
    expect(editor.page.locator("#propagate .notice")).to_contain_text("Interrupted: the server was stopped.")
    editor.button("Start again").click()
    running(editor)
    done(editor)
    assert predicted(editor, project) == [[0, 8], [10, 19]]


def test_projects_are_renamed_and_deleted(editor, project):
    editor.home()
    card = editor.page.get_by_role("listitem").filter(has_text="test").first
    expect(card).to_contain_text("20 frames")
    card.get_by_role("button", name="Rename test").click()
    editor.page.get_by_label("Name", exact=True).fill("Bunny in the grass")
    editor.press("Enter")
    expect(editor.page.get_by_role("link", name="Bunny in the grass")).to_be_visible()
    assert editor.server.ask("GET", f"/api/projects/{project}")["name"] == "Bunny in the grass"
    editor.button("Delete Bunny in the grass").click()
    editor.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(editor.page.get_by_role("link", name="Bunny in the grass")).to_have_count(0)
    assert editor.server.call("GET", f"/api/projects/{project}").status == 404


def test_what_is_no_video(editor):
    before = editor.server.ask("GET", "/api/projects")
    editor.home()
    file = {"name": "letter.mp4", "mimeType": "video/mp4", "buffer": b"Dear reader" * 100}
    editor.page.get_by_label("Choose a video, zip or images").set_input_files(file)
    expect(editor.page.get_by_role("alert")).to_be_visible()
    expect(editor.page.locator("#home")).to_be_visible()
    assert editor.server.ask("GET", "/api/projects") == before


def test_a_folder_dropped(editor, make, tmp_path):
    """Its images alone, not those of the folders in it, by their numbers; more than a browser lists at once (100)."""
    folder = tmp_path / "shot"
    (folder / "more").mkdir(parents=True)
    for n in range(104):
        (folder / f"frame{n}.png").write_bytes(make.png(make.picture(n % 40)))
    for name in ("more/frame200.png", ".hidden.png", "notes.txt"):
        (folder / name).write_bytes((folder / "frame0.png").read_bytes())
    editor.home()
    editor.drop(folder)
    expect(editor.page.get_by_text("/ 104", exact=True)).to_be_visible()
    editor.at(0)
    id = editor.page.url.split("/")[-2]
    found = editor.server.ask("GET", f"/api/projects/{id}")
    assert (found["name"], found["count"]) == ("shot", 104)
    image = editor.server.call("GET", f"/api/projects/{id}/frames/11?size=full").ids  # not frame101
    assert abs(image.astype(int) - make.picture(11)).mean() < 4


def test_a_folder_of_other_things_dropped(editor, tmp_path):
    (tmp_path / "empty").mkdir()
    editor.home()
    editor.drop(tmp_path / "empty")
    expect(editor.page.get_by_role("alert")).to_contain_text("no files in it")


def test_a_folder_chosen(editor, make, tmp_path):
    folder = tmp_path / "chosen"
    (folder / "more").mkdir(parents=True)
    for name in ("1.ppm", "2.ppm", "more/3.ppm"):
        height, width = make.picture(0).shape[:2]
        (folder / name).write_bytes(b"P6 %d %d 255\n" % (width, height) + make.picture(int(name[-5])).tobytes())
    editor.home()
    editor.page.get_by_label("Choose a folder of frames").set_input_files(folder)
    expect(editor.page.locator("#transport")).to_contain_text("/ 2")
    editor.at(0)


def drop_files(editor, place: str, files: list) -> None:
    """files: [name, type, bytes] of each, as a file manager lets go of them."""
    editor.page.evaluate(
        """([place, files]) => {
          const data = new DataTransfer();
          for (const [name, type, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name, { type }));
          document.querySelector(place).dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }""",
        [place, [[name, type, list(data)] for name, type, data in files]],
    )


def test_images_dropped(editor, make):
    """They are put in order of their names."""
    editor.home()
    drop_files(editor, "#drop", [(f"frame{n}.png", "image/png", make.png(make.picture(n))) for n in (2, 10, 1)])
    expect(editor.page.locator("#transport")).to_contain_text("/ 3")
    editor.at(0)


def test_dropped_on_an_open_project(editor, project):
    """A mask file is loaded for the shown frame; of what is none it is said where it can be opened."""
    editor.open(project)
    editor.press("ArrowRight", "ArrowRight")
    editor.at(2)
    found = editor.server.ask("GET", f"/api/projects/{project}")
    mask = np.zeros((found["height"], found["width"]), np.uint8)
    mask[10:60, 20:90] = 1
    coded = cv2.imencode(".png", mask)[1].tobytes()
    drop_files(editor, "#stage", [("letter.rtf", "text/rtf", b"Dear reader")])
    hint = editor.page.get_by_role("status").filter(has_text="go to all projects first")
    expect(hint).to_be_visible()
    drop_files(editor, "#stage", [("mask.png", "image/png", coded)])
    expect(editor.page.get_by_role("status").filter(has_text="Loaded for frame 3")).to_be_visible()
    assert (editor.ids(project, 2) == mask).all()


def test_a_video_that_could_not_be_read_is_read_again(serve, tab, make, tmp_path):
    server = serve(limits="'frames': 10", projects=tmp_path / "projects")
    id = server.ask("POST", "/api/projects", {"name": "shot"})["id"]
    server.call("PUT", f"/api/projects/{id}/upload?name=clip.mkv", make.clip(14))
    server.ask("POST", f"/api/projects/{id}/decode")
    server.wait(f"/api/projects/{id}", lambda project: project["state"] == "failed")
    server.stop()
    editor = tab(serve(projects=server.projects))
    editor.home()
    card = editor.page.get_by_role("listitem").filter(has_text="shot")
    expect(card).to_contain_text("more than 10 frames")
    editor.button("Read shot again").click()
    expect(card).to_contain_text("14 frames")
    expect(editor.button("Read shot again")).to_be_hidden()
