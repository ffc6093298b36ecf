"""The page in a real Chromium, before real servers with the shipped network, on the demo clip made small."""

import io
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

import camn

PATIENCE = 120_000  # milliseconds: a busy machine is no failure
expect.set_options(timeout=PATIENCE)
DEMO = Path(camn.__file__).parent / "assets" / "demo" / "bigbuckbunny.mp4"
FIRST, FRAMES, SIZE = 100, 20, (180, 320)
VIEWPORT = {"width": 1280, "height": 800}
MARGIN = 12  # around the frame that is fitted into the stage, in CSS pixels
NETWORK = ("--model", "camn-mobile", "--short-side", "96", "--threads", "1")


def small() -> bytes:
    """A part of the demo clip in a quarter of its size."""
    buffer = io.BytesIO()
    with av.open(str(DEMO)) as source, av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("mjpeg", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuvj420p"
        for frame in islice(source.decode(video=0), FIRST, FIRST + FRAMES):
            picture = frame.reformat(SIZE[1], SIZE[0]).to_ndarray(format="rgb24")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))  # its time begins at 0
        container.mux(stream.encode(None))
    return buffer.getvalue()


class Held:
    """Answers to some requests of a tab that come when a test lets them; the server has done what was asked before.
    late: the requests themselves."""

    def __init__(self, page: Page, method: str, path: str, late: bool = False):
        self.page, self.waiting, self.open = page, [], False

        def hold(route):
            if route.request.method != method or self.open:
                return route.fallback()
            self.waiting.append((route, None if late else route.fetch()))

        self.page.route(re.compile(path), hold)

    def wait(self, count: int = 1) -> None:
        for _ in range(4000):
            if len(self.waiting) >= count:
                return
            self.page.wait_for_timeout(30)
        raise AssertionError("nothing was asked for")

    def release(self) -> None:
        self.open = True
        for route, answer in self.waiting:
            route.fulfill(response=answer) if answer else route.continue_()
        self.waiting = []


class Ears:
    """What a tab hears of the server, as far as a test lets it."""

    def __init__(self, page: Page):
        self.open, self.late = True, []
        page.route_web_socket(re.compile("/api/events"), self.listen)

    def listen(self, socket) -> None:
        self.socket, server = socket, socket.connect_to_server()
        server.on_message(lambda said: socket.send(said) if self.open else self.late.append(said))


class Editor:
    """One tab, and what a test does in it. Points are in pixels of the frame."""

    def __init__(self, page: Page, server: Any):
        self.page, self.server, self.ears = page, server, Ears(page)
        self.stage = page.locator("#stage")
        self.frame = page.get_by_label("Frame", exact=True).and_(page.locator("input"))

    def home(self) -> None:
        self.page.goto(f"http://127.0.0.1:{self.server.port}/")
        expect(self.page.get_by_role("heading", name="Drop a video here")).to_be_visible()

    def open(self, project: str, frame: int = 0, tool: str = "b") -> None:
        """tool: its key."""
        self.page.goto(f"http://127.0.0.1:{self.server.port}/#/p/{project}/{frame + 1}")
        expect(self.page.locator("#editor")).to_be_visible()
        self.at(frame)
        self.press(tool)

    def at(self, frame: int) -> None:
        """The frame is the one that is shown."""
        expect(self.page.locator(f"#stage[data-shown='{frame}']")).to_be_visible()
        expect(self.frame).to_have_value(str(frame + 1))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def point(self, x: float, y: float) -> tuple[float, float]:
        box = self.stage.bounding_box()
        assert box
        (height, width), (room, tall) = SIZE, (box["width"], box["height"])
        scale = min((room - 2 * MARGIN) / width, (tall - 2 * MARGIN) / height)
        return box["x"] + (room - width * scale) / 2 + x * scale, box["y"] + (tall - height * scale) / 2 + y * scale

    def drag(self, *points: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.point(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.point(*point), steps=4)
        mouse.up()

    def click(self, *points: tuple[float, float]) -> None:
        for point in points:
            self.page.mouse.click(*self.point(*point))

    def mark(self) -> None:
        """The bunny of the first frame, roughly, by a polygon."""
        self.press("p")
        self.click((95, 50), (130, 50), (140, 140), (90, 140))
        self.press("Enter")
        expect(self.page.get_by_role("button", name="Forward")).to_be_enabled()

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        self.page.keyboard.down(key)
        yield
        self.page.keyboard.up(key)

    def drop(self, path: Path) -> None:
        """On the first page, as the browser is told by the system of a file or a folder that is let go over it."""
        box = self.page.locator("#drop").bounding_box()
        assert box
        devtools = self.page.context.new_cdp_session(self.page)
        for kind in ("dragEnter", "dragOver", "drop"):
            at = {"x": box["x"] + 40, "y": box["y"] + 40}
            data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
            devtools.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def pixel(self, x: float, y: float) -> tuple[int, ...]:
        """RGB of what is seen there."""
        box, at = self.stage.bounding_box(), self.point(x, y)
        assert box
        with Image.open(io.BytesIO(self.stage.screenshot())) as image:
            return image.convert("RGB").getpixel((at[0] - box["x"], at[1] - box["y"]))  # type: ignore[return-value]

    def saved(self) -> None:
        """What was done has come to the server: the page sends one thing after the other."""
        expect(self.page.locator("#stage[data-saved='true']")).to_be_visible()

    def ids(self, project: str, frame: int, kind: str = "shown") -> np.ndarray:
        self.saved()
        return self.server.call("GET", f"/api/projects/{project}/masks/{frame}?kind={kind}").ids

    def hold(self, method: str, path: str, late: bool = False) -> Held:
        return Held(self.page, method, path, late)

    def stroke(self, y: int) -> None:
        """With the tool in hand, from left to right."""
        self.drag((100, y), (140, y))

    def rows(self, project: str, *at: int) -> list[int]:
        """Of frame 0, ids in the middle of strokes along these rows."""
        ids = self.ids(project, 0)
        return [int(ids[y, 120]) for y in at]

    def spoken(self, text: str) -> None:
        expect(self.page.locator("#spoken")).to_have_text(text)

    def objects(self, project: str) -> list[int]:
        return [one["id"] for one in self.server.ask("GET", f"/api/projects/{project}")["objects"]]

    def given(self, project: str) -> list[int]:
        self.saved()
        return self.server.ask("GET", f"/api/projects/{project}")["given"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        if path is None and not Path(playwright.chromium.executable_path).exists():  # the latter is Playwright's own
            pytest.skip("no Chromium here: `make chromium` installs it, or `apt-get install chromium`")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(serve):
    return serve(*NETWORK)


@pytest.fixture(scope="session")
def clip() -> bytes:
    return small()


@pytest.fixture
def project(server, clip) -> str:
    return server.project(("bunny.mkv", clip))


@pytest.fixture
def marked(server, project, make) -> str:
    """Two objects on frame 0: a square each."""
    ids = np.zeros(SIZE, np.uint8)
    ids[20:60, 20:60], ids[100:140, 200:240] = 1, 2
    for _ in range(2):
        server.ask("POST", f"/api/projects/{project}/objects", {})
    server.ask("PUT", f"/api/projects/{project}/masks/0", make.png(ids))
    return project


@pytest.fixture
def context(browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=VIEWPORT, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


def entered(context: BrowserContext, server: Any) -> Page:
    """A page whose browser has the token."""
    page = context.new_page()
    page.goto(server.address)
    page.goto("about:blank")
    return page


@pytest.fixture
def screen(browser, server) -> Iterator[Callable[..., Editor]]:
    """Opens tabs in windows of their own, also on screens of other kinds: options of a browser's context. (Of two tabs
    in one window that behind is slow to take input.)"""
    contexts: list[BrowserContext] = []

    def open(**options: Any) -> Editor:
        contexts.append(browser.new_context(**{"viewport": VIEWPORT, **options}))
        contexts[-1].set_default_timeout(PATIENCE)
        return Editor(entered(contexts[-1], server), server)

    yield open
    for context in contexts:
        context.close()


@pytest.fixture
def tab(context, server) -> Iterator[Callable[..., Editor]]:
    """Opens tabs. Nothing that they ask for may leave the machine, and none of their scripts may fail."""
    asked: list[str] = []
    failed: list[str] = []
    context.on("request", lambda request: asked.append(request.url))

    def open(of: Any = server) -> Editor:
        page = entered(context, of)
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("console", lambda said: failed.append(said.text) if "Content Security" in said.text else None)
        return Editor(page, of)

    yield open
    foreign = [url for url in asked if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "blob:", "data:"))]
    assert asked and not foreign and not failed


@pytest.fixture
def editor(tab) -> Editor:
    return tab()
