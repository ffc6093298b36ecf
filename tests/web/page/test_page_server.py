"""What the page says of the server: what it found in a video, what is at work, and how one comes in."""

import http.server
import re
import threading

import pytest
from playwright.sync_api import expect

CHOOSE = "Choose a video, zip or images"


def test_a_video_that_ends_early_is_told_of_as_it_is_opened(editor, clip):
    editor.home()
    file = {"name": "cut.mkv", "mimeType": "video/x-matroska", "buffer": clip[:-3000]}
    editor.page.get_by_label(CHOOSE).set_input_files(file)
    told = editor.page.get_by_role("status").filter(has_text="cut.mkv")
    expect(told).to_have_count(1)
    told.get_by_role("button", name="Close this message").click()
    editor.page.get_by_role("button", name="Rename the project").click()  # a change of the project tells it no more
    editor.page.get_by_label("Name", exact=True).fill("other")
    editor.press("Enter")
    expect(editor.page.locator("#title")).to_contain_text("other")
    expect(told).to_have_count(0)


def test_a_project_whose_answer_is_late_does_not_take_the_place_of_a_later_one(editor, server, clip, make):
    first, second = server.project(("bunny.mkv", clip)), server.project(("clip.mkv", make.clip(7)))
    editor.home()
    late = []
    editor.page.route(f"**/api/projects/{first}", lambda route: route.continue_() if late else late.append(route))
    editor.page.evaluate(f"location.hash = '#/p/{first}/1'")
    while not late:
        editor.page.wait_for_timeout(10)
    editor.page.evaluate(f"location.hash = '#/p/{second}/1'")
    editor.page.evaluate("new Promise(requestAnimationFrame)")
    late[0].continue_()
    expect(editor.page.locator("#transport")).to_contain_text("/ 7")
    expect(editor.page.locator("#stage[data-shown='0']")).to_be_visible()
    assert editor.page.url.endswith(f"#/p/{second}/1")


def test_a_tab_whose_token_is_no_longer_the_servers_says_so(tab, server):
    """As after a restart with another one; it goes on when the new address is opened beside it."""
    editor = tab()
    editor.home()
    editor.page.context.clear_cookies()
    editor.ears.socket.close()
    banner = editor.page.locator("#connection")
    expect(banner).to_contain_text("has another token now. Open the whole address that it printed")
    tab()
    expect(banner).to_be_hidden()


def test_what_is_at_work_before_the_first_frame_is_said(serve, tab, clip):
    """And is cancelled while the network loads."""
    waits = "import time, camn.api\n_open = camn.api.open_model\n"
    waits += "camn.api.open_model = lambda *given: (time.sleep(3), _open(*given))[1]\n"
    server = serve("--threads", "1", "--backend", "auto", first=waits)
    project = server.project(("bunny.mkv", clip))
    editor = tab(server)
    editor.open(project)
    editor.mark()
    editor.button("Forward").click()
    numbers = editor.page.locator("#propagate .numbers")
    expect(numbers).to_have_text("Loading the network…")
    editor.button("Cancel").click()
    expect(editor.page.locator("#propagate .notice")).to_have_text(re.compile("^Cancelled. What was done stays."))
    job = server.ask("GET", "/api/jobs")[0]
    assert (job["state"], job["done"], job["stage"]) == ("cancelled", 0, None)


@pytest.fixture
def elsewhere():
    """Another site, with a link."""
    links: list[str] = []

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(f'<a href="{links[0]}">there</a>'.encode())

        def log_message(self, *said: object) -> None:
            pass

    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://localhost:{site.server_address[1]}/", links
    site.shutdown()
    site.server_close()


@pytest.mark.parametrize("by_link", [False, True])
def test_the_token_opens_the_page_and_leaves_the_address(browser, server, elsewhere, by_link):
    """Also by a link of another site, on which a browser sends no cookie of ours yet."""
    address, links = elsewhere
    links.append(server.address)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/")
    expect(page.get_by_text("This server asks for a token: open the whole address that it printed.")).to_be_visible()
    if by_link:
        page.goto(address)
        page.get_by_text("there").click()
    else:
        page.goto(server.address)
    expect(page.get_by_role("heading", name="Drop a video here")).to_be_visible()
    assert page.url.removesuffix("#/") == f"http://127.0.0.1:{server.port}/"
    expect(page.locator("#connection")).to_be_hidden()
    again = context.new_page()
    again.goto(f"http://127.0.0.1:{server.port}/")
    expect(again.get_by_role("heading", name="Drop a video here")).to_be_visible()
    context.close()
