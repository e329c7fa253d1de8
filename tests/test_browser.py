from pathlib import Path
from typing import Any

import browser as pages


def test_a_page_is_shown_and_what_it_asks_for_is_told(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<title>one</title><p id=here>two</p><img src='missing.png'><script>nowhere()</script>", encoding="utf-8"
    )
    browser.get((tmp_path / "a.html").as_uri())
    assert browser.title == "one"
    assert browser.find_element("id", "here").text == "two"
    asked = pages.requests(browser)
    assert [address.rsplit("/", 1)[1] for address in asked] == ["a.html", "missing.png"]
    assert any("nowhere is not defined" in line for line in pages.complaints(browser))
