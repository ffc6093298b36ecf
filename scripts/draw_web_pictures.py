"""Goes the whole way on the page of `camn serve` with the demo clip; pictures of each step come into docs/images/web.

    python scripts/draw_web_pictures.py [OUT]

Takes some minutes. Chromium is needed, see `make chromium`.
"""

import io
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from serving import Server  # noqa: E402

DEMO = ROOT / "src" / "camn" / "assets" / "demo" / "bigbuckbunny.mp4"
SIZE, MARGIN = (1280, 720), 12
WIDTH, FLAT = 1080, 56  # of the pictures, small enough for a repository: width, colours of the page, kept exactly


def reduced(picture: Image.Image) -> Image.Image:
    """In 256 colours: the most frequent ones are the page's, the others share the rest."""
    picture = picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS)
    counts = picture.getcolors(picture.width * picture.height) or []
    flat = [colour for _, colour in sorted(counts, reverse=True)[:FLAT]]
    rest = picture.quantize(256 - len(flat)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in flat for value in colour] + rest)  # type: ignore
    return picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


class Tour:
    def __init__(self, page: Page, out: Path):
        self.page, self.out, self.taken = page, out, 0

    def shot(self, name: str) -> None:
        self.taken += 1
        with Image.open(io.BytesIO(self.page.screenshot())) as image:
            picture = reduced(image.convert("RGB"))
        picture.save(self.out / f"{self.taken:02}-{name}.png", optimize=True)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Of the frame, on the screen."""
        box = self.page.locator("#stage").bounding_box()
        assert box
        scale = min((box["width"] - 2 * MARGIN) / SIZE[0], (box["height"] - 2 * MARGIN) / SIZE[1])
        left, top = (box["width"] - SIZE[0] * scale) / 2, (box["height"] - SIZE[1] * scale) / 2
        return box["x"] + left + x * scale, box["y"] + top + y * scale

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.page.wait_for_timeout(250)

    def drag(self, *points: tuple[float, float], release: bool = True) -> None:
        self.page.mouse.move(*self.point(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.point(*point), steps=12)
        if release:
            self.release()

    def click(self, x: float, y: float, button: Literal["left", "right"] = "left") -> None:
        self.page.mouse.click(*self.point(x, y), button=button)
        self.released()

    def release(self) -> None:
        self.page.mouse.up()
        self.released()

    def released(self) -> None:
        """What was done has come to the server."""
        expect(self.page.locator("#stage[data-saved=true]")).to_be_visible(timeout=60_000)
        self.page.wait_for_timeout(300)

    def seek(self, frame: int) -> None:
        self.page.get_by_label("Frame", exact=True).and_(self.page.locator("input")).fill(str(frame + 1))
        self.press("Enter")
        expect(self.page.locator(f"#stage[data-shown='{frame}']")).to_be_visible()
        self.page.wait_for_timeout(600)

    def name(self, old: str, new: str) -> None:
        self.page.get_by_role("button", name=old, exact=True).dblclick()
        self.page.get_by_label(f"Name of {old}").fill(new)
        self.press("Enter")

    def go_on(self) -> None:
        self.page.get_by_role("button", name="Continue").click()
        expect(self.page.get_by_label("Propagated so far")).to_be_visible(timeout=60_000)
        self.propagated()

    def propagated(self) -> None:
        expect(self.page.get_by_label("Propagated so far")).to_be_hidden(timeout=300_000)
        self.page.wait_for_timeout(500)


def load(tour: Tour, address: str) -> None:
    tour.page.goto(address)
    expect(tour.page.get_by_role("heading", name="Drop a video here")).to_be_visible()
    tour.shot("open")
    tour.page.get_by_label("Choose a video, zip or images").set_input_files(DEMO)
    expect(tour.page.locator("#transport")).to_contain_text(re.compile(r"/ [2-9]\d of 132"))
    tour.page.wait_for_timeout(300)
    tour.shot("read")
    expect(tour.page.get_by_text("/ 132", exact=True)).to_be_visible(timeout=60_000)
    tour.seek(100)


def mark(tour: Tour) -> None:
    tour.click(440, 400)
    tour.shot("click")
    tour.press("Tab")
    tour.released()
    tour.shot("another-reading")
    tour.press("Shift+Tab")
    tour.released()
    tour.click(330, 470, button="right")
    tour.shot("click-on-what-is-not-it")
    tour.drag((262, 30), (636, 676))
    tour.press("Enter")
    tour.click(1000, 400)
    tour.name("Object 1", "Rabbit")
    tour.name("Object 2", "Rocks")
    tour.press("n", "p")
    polygon(tour, (255, 90), (310, 85), (318, 150), (262, 155))
    tour.shot("polygon")
    tour.press("Enter")
    tour.name("Object 3", "Flowers")
    tour.press("1", "b", "]", "]", "]")
    tour.drag((290, 222), (250, 212), (205, 207), (180, 205), release=False)
    tour.shot("brush")
    tour.release()


def polygon(tour: Tour, *corners: tuple[float, float]) -> None:
    for corner in corners:
        tour.page.mouse.click(*tour.point(*corner))
        tour.page.wait_for_timeout(60)


def propagate(tour: Tour) -> None:
    tour.page.get_by_role("button", name="Both").click()
    expect(tour.page.locator("#propagate .numbers")).to_have_text(re.compile(r"^5\d of"), timeout=120_000)
    tour.shot("propagate")
    tour.page.get_by_role("button", name="Cancel", exact=True).click()
    expect(tour.page.locator("#propagate .notice")).to_contain_text("Cancelled at frame")
    tour.page.wait_for_timeout(600)
    tour.shot("cancelled")
    tour.go_on()
    tour.press("End", "Shift+D")
    tour.page.wait_for_timeout(900)
    tour.shot("doubtful")


def correct(tour: Tour, server: Server) -> None:
    tour.seek(30)
    tour.press("1", "c")
    tour.click(420, 420)
    tour.shot("correct-by-a-click")
    tour.press("Escape", "r")
    expect(tour.page.locator("#propagate .numbers")).to_have_text(re.compile(r"^1\d of"), timeout=120_000)
    tour.shot("propagate-again")
    server.process.kill()
    expect(tour.page.get_by_text("The server does not answer.")).to_be_visible()
    tour.shot("server-killed")
    server.start()
    expect(tour.page.locator("#propagate .notice")).to_contain_text("Interrupted at frame", timeout=60_000)
    tour.page.wait_for_timeout(900)
    tour.shot("started-again")
    tour.go_on()


def look(tour: Tour) -> None:
    tour.seek(100)
    tour.press("v")
    tour.shot("outline")
    tour.press("v")
    tour.shot("cut-out")
    with tour.page.expect_download(timeout=120_000):
        tour.page.locator("#export-prores").click()
        tour.page.locator("#export-overlay").click()
        expect(tour.page.locator("#exports")).to_contain_text(re.compile(r"[1-9]\d? %"))
        tour.shot("export")
    tour.page.wait_for_timeout(3000)
    tour.press("v", "v")
    tour.seek(0)
    tour.page.get_by_label("Mask file", exact=True).set_input_files(DEMO.parent / "first.png")
    expect(tour.page.get_by_text("Loaded for frame 1.")).to_be_visible(timeout=60_000)
    tour.page.wait_for_timeout(900)
    tour.shot("mask-file")
    tour.press("?")
    tour.shot("keys")
    tour.press("Escape")
    tour.page.emulate_media(color_scheme="light")
    tour.page.set_viewport_size({"width": 800, "height": 700})
    tour.page.wait_for_timeout(800)
    tour.shot("light-800")
    tour.page.set_viewport_size({"width": 1280, "height": 800})
    tour.page.locator(".brand").click()
    tour.page.wait_for_timeout(800)
    tour.shot("projects")


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "web"
    out.mkdir(parents=True, exist_ok=True)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder), "--short-side", 192)
        try:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            tour = Tour(browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark"), out)
            load(tour, server.address)
            mark(tour)
            propagate(tour)
            correct(tour, server)
            look(tour)
            browser.close()
        finally:
            server.process.terminate()
            server.process.wait()


if __name__ == "__main__":
    main()
