"""The page that shows the latest pair: what a browser sees of it, and who is not answered."""

import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import browser as pages
import numpy as np
import pytest

from temclean.commands.live.growing import Pair
from temclean.commands.live.view import View


@pytest.fixture
def view() -> Iterator[View]:
    with View() as one:
        yield one


def ask(view: View, path: str, method: str = "GET", host: str | None = None) -> tuple[int, dict[str, str], bytes]:
    """Return the code, the headers and the body of an answer."""
    port = int(view.address.rsplit(":", 1)[1].rstrip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def halves(raw: float, clean: float, shape: tuple[int, int] = (40, 64)) -> Pair:
    """Return a frame of two values, left and right, and a result that spans the range from 0 to 100."""
    before, after = np.full(shape, raw), np.full(shape, clean)
    after[:, -2], after[:, -1] = 0, 100
    return Pair(before, after)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.1:9", "localhost:8888"])
def test_this_computer_is_answered_by_its_own_names(view: View, host: str) -> None:
    code, headers, body = ask(view, "/", host=host)
    assert code == 200
    assert b"<title>temclean watch</title>" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "192.168.0.7", "x@127.0.0.1"]
)
@pytest.mark.parametrize("path", ["/", "/state?after=0", "/pair/1"])
def test_a_name_that_was_pointed_here_is_refused(view: View, host: str, path: str) -> None:
    view.show("secret", halves(1, 2), 0.1)
    code, _, body = ask(view, path, host=host)
    assert code == 403
    assert b"secret" not in body


@pytest.mark.parametrize(
    "path",
    ["/..", "/../etc/passwd", "/%2e%2e/", "/?x", "/watch.html", "/state", "/pair/9", "/pair/0", "/favicon.ico"],
)
def test_nothing_else_is_served(view: View, path: str) -> None:
    view.show("a", halves(1, 2), 0.1)
    assert ask(view, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_sent(view: View, method: str) -> None:
    assert ask(view, "/", method)[0] == 501


def test_it_listens_on_the_loopback_only(view: View) -> None:
    assert view._server.server_address[0] == "127.0.0.1"
    port = view._server.server_address[1]
    with socket.socket() as other:
        other.bind(("127.0.0.2", port))  # which would be taken if it listened everywhere


def test_a_port_that_is_taken_is_one_line(view: View, run: Any, tmp_path: Any) -> None:
    done = run("watch", tmp_path, "-m", "g", "--view", "--port", view._server.server_address[1])
    assert done.code == 2
    assert "give another --port" in done.err.splitlines()[-1]


def test_numbers_are_those_of_the_frames(view: View) -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(5, 1, (7, 9)), rng.integers(0, 4000, (7, 9)).astype(">u2")
    for number in range(3):
        view.show(f"frame {number}", Pair(before + number, after), 0.25)
    state = json.loads(ask(view, "/state?after=0")[2])
    assert (state["number"], state["name"], state["rows"], state["columns"], state["lag"]) == (3, "frame 2", 7, 9, 0.25)
    code, _, body = ask(view, "/pair/3")
    shown = np.frombuffer(body, "<f4").reshape(2, 7, 9)
    assert code == 200
    assert np.array_equal(shown[0], (before + 2).astype(np.float32))
    assert np.array_equal(shown[1], after.astype(np.float32))
    assert ask(view, "/pair/2")[0] == 404


def test_large_frames_are_shown_as_means_of_squares(view: View) -> None:
    frame = np.arange(2050 * 1100, dtype=np.float64).reshape(2050, 1100)
    view.show("large", Pair(frame, frame), 0)
    state = json.loads(ask(view, "/state?after=0")[2])
    assert (state["rows"], state["columns"]) == (683, 366)
    shown = np.frombuffer(ask(view, "/pair/1")[2], "<f4")
    assert shown[0] == pytest.approx(frame[:3, :3].mean())
    assert shown[366] == pytest.approx(frame[3:6, :3].mean())


def wait(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end, "the page has not changed"
        time.sleep(0.02)


def pixel(browser: Any, column: int, row: int) -> list[int]:
    """Return red, green, blue and opacity of a pixel of the page's canvas."""
    found = "document.getElementById('canvas').getContext('2d').getImageData(arguments[0], arguments[1], 1, 1).data"
    return list(browser.execute_script(f"return [...{found}]", column, row))


def slide(browser: Any, name: str, value: int) -> None:
    browser.execute_script(f"{name}.value = {value}; {name}.dispatchEvent(new Event('input'))")


def test_a_browser_shows_the_pair_and_what_comes_after_it(browser: Any, view: View) -> None:
    def text(name: str) -> str:
        return str(browser.find_element("id", name).text)

    browser.get(view.address)
    assert text("name") == "waiting for the first frame"
    view.show("first <b>.tif", halves(60, 20), 0.31)
    wait(lambda: text("name") == "first <b>.tif")
    assert text("size") == "40 x 64"
    assert text("lag") == "0.31 s behind"
    assert browser.find_element("id", "picture").is_displayed()

    # Black is at 0, white at 100: the raw frame, 60, is left of the line, the result, 20, right of it.
    wait(lambda: pixel(browser, 10, 5) == [153, 153, 153, 255])
    assert pixel(browser, 50, 5) == [51, 51, 51, 255]
    slide(browser, "wipe", 1000)
    assert pixel(browser, 50, 5) == [153, 153, 153, 255]
    slide(browser, "wipe", 0)
    assert pixel(browser, 10, 5) == [51, 51, 51, 255]
    slide(browser, "white", 50)
    assert pixel(browser, 10, 5) == [102, 102, 102, 255]
    browser.find_element("id", "reset").click()
    assert pixel(browser, 10, 5) == [51, 51, 51, 255]

    view.show("second.tif", halves(10, 80, (30, 64)), 0.2)
    wait(lambda: text("name") == "second.tif")
    wait(lambda: pixel(browser, 10, 5) == [204, 204, 204, 255])
    assert re.fullmatch(r"[\d.e+]+ frames a second", text("rate"))

    asked = pages.requests(browser)
    assert asked
    assert all(address.startswith((view.address, "data:")) for address in asked), asked
    assert not pages.complaints(browser)
