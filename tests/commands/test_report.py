"""``--report``: what the page shows, in a browser too; what stands in names is text; what is left behind."""

import base64
import hashlib
import json
import os
import re
import shutil
import sys
import tracemalloc
from collections.abc import Callable, Generator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import browser as pages
import numpy as np
import pytest
from PIL import Image

from temclean import io
from temclean.commands import batch
from temclean.commands.records import Result
from temclean.commands.views import curves, plates, verdicts
from temclean.commands.views.pair import Pair
from temclean.commands.views.plates import Plate
from temclean.commands.views.report import Report
from temclean.errors import FileError

Run = Callable[..., Any]
DATA = Path(__file__).parents[1] / "data"
OPTIONS = ("-m", DATA / "network.onnx", "--device", "cpu")
HOSTILE = "<script>document.title='mine'<script>&\"'><img src=x onerror=alert(1)>.tif"


class Page(HTMLParser):
    """A page as any reader of HTML sees it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.inside = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        self.texts[self.inside] = self.texts.get(self.inside, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def save(path: Path, shape: tuple[int, ...] = (64, 80)) -> Path:
    frame = np.random.default_rng(3).normal(1000, 100, shape).astype("f4")
    return io.write(path, io.Image.from_array(frame, 0.1, "nm"), frame.reshape(-1, *shape[-2:]))


@pytest.fixture
def report(run: Run, tmp_path: Path) -> Path:
    """Return a page about three images, one of a name that no page should obey, and a file that is none."""
    for name in ("a.tif", "b.tif", HOSTILE if sys.platform != "win32" else "c.tif"):
        save(tmp_path / "in" / name, (900, 40) if name == "b.tif" else (64, 80))
    (tmp_path / "in" / "broken.tif").write_text("no image")
    page = tmp_path / "out" / "of today" / "page.html"
    assert run("denoise", tmp_path / "in", "-o", tmp_path, *OPTIONS, "--report", page, "--blend", "0.25").code == 1
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]
    return page


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()


@pytest.mark.skipif(sys.platform == "win32", reason="no such names on Windows")
def test_names_are_text_and_only_its_own_script_may_run(report: Path) -> None:
    page = Page(report)
    assert len(page.all("script")) == 1
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert all(str(each["src"]).startswith("data:image/jpeg") for each in page.all("img"))
    assert HOSTILE in page.texts["h2"]
    policy = next(str(each["content"]) for each in page.all("meta") if "http-equiv" in each)
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.texts[tag].encode()).digest()).decode()
        assert allowed[f"{tag}-src"] == f"'sha256-{digest}'"
    assert allowed["default-src"] == "'none'"


def test_it_says_what_was_done(report: Path) -> None:
    page = Page(report)
    said = " ".join(page.texts.values())
    assert "3 of 4 images are denoised, 1 failed" in said
    assert "is not the TIFF file" in said
    for fact in ("0.25", "input sha256", "network", "80 x 64 pixels, float32, TIFF"):
        assert fact in said, fact
    assert len(page.all("article")) == 3
    assert len(page.all("svg")) == 6
    middles = [each for each in page.all("figure") if each.get("class") == "middle"]
    assert len(middles) == 1  # only the one that had to be reduced


def shows(browser: Any, name: str) -> bool:
    """Return whether a page comes to show this article, or none; it learns of its address a moment later."""
    from selenium.webdriver.support.wait import WebDriverWait

    script = "return (document.querySelector('article.shown')?.id || '') === arguments[0]"
    return bool(WebDriverWait(browser, 10, 0.02).until(lambda _: browser.execute_script(script, name)))


def cut(browser: Any) -> float:
    """Return how many percent of the restored picture are cut away from the left."""
    script = "return getComputedStyle(document.querySelector('article.shown .restored')).clipPath"
    found = re.fullmatch(r"inset\(0px 0px 0px ([\d.]+)%\)", browser.execute_script(script))
    assert found
    return float(found[1])


def test_in_a_browser_the_slider_moves_and_nothing_leaves_the_page(browser: Any, report: Path) -> None:
    from selenium.webdriver import ActionChains, Keys

    pages.requests(browser), pages.complaints(browser)
    browser.get(report.as_uri())
    assert browser.title == "temclean: page"
    assert shows(browser, "")
    browser.find_elements("css selector", "#overview a")[1].click()
    assert shows(browser, "i2")
    assert cut(browser) == 50
    slider = browser.find_element("css selector", "article.shown input")
    width = slider.size["width"]
    ActionChains(browser).move_to_element(slider).click_and_hold().move_by_offset(width // 4, 0).release().perform()
    assert cut(browser) == pytest.approx(75, abs=3)
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()  # it has the focus
    assert shows(browser, "i2")
    ActionChains(browser).send_keys(Keys.ESCAPE, "b").perform()
    assert cut(browser) == 0
    ActionChains(browser).send_keys("b", ",", ",", ".", Keys.ARROW_RIGHT).perform()
    assert shows(browser, "i3")
    assert cut(browser) == 95
    ActionChains(browser).send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT).perform()
    assert shows(browser, "i1")
    sizes = "return [...document.querySelectorAll('article.shown img')].map((each) => each.naturalWidth)"
    assert min(browser.execute_script(sizes)) > 0  # each picture is there
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert shows(browser, "")
    asked = [address for address in pages.requests(browser) if not address.startswith("data:")]
    assert {address.split("#")[0] for address in asked} == {report.as_uri()}
    assert pages.complaints(browser) == []


def test_in_a_browser_dark_and_on_paper(browser: Any, report: Path) -> None:
    browser.get(f"{report.as_uri()}#i1")

    def seen(medium: str, scheme: str) -> tuple[int, int, int]:
        """Return how bright the ground is, and how many articles and sliders are seen."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": features})
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        count = "return [...document.querySelectorAll(arguments[0])].filter((each) => each.offsetParent).length"
        articles, sliders = (browser.execute_script(count, name) for name in ("article", "input"))
        return sum(map(int, re.findall(r"\d+", ground)[:3])), articles, sliders

    try:
        assert seen("screen", "light") == (3 * 255, 1, 1)
        assert seen("screen", "dark")[0] < 150
        assert seen("print", "dark") == (3 * 255, 3, 0)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


@pytest.fixture
def constant(monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Draw the same pictures of everything, 25 kB each, and return something to draw."""
    frame = np.random.default_rng(0).normal(0, 1, (192, 192))
    pair = Pair(frame, frame, 1, 1, None, None, {})
    drawn = [Plate(each.kind, each.width, each.height, each.content + bytes(25_000)) for each in plates.draw(pair)]
    monkeypatch.setattr(plates, "draw", lambda _: drawn)
    return Pair(frame[:8, :8], frame[:8, :8], 1, 1, None, None, {})


def many(path: Path, pair: Pair, count: int = 200, **options: Any) -> None:
    with Report(path, {}, count, **options) as report:
        for number in range(count):
            report.add(Result(f"{number}.tif", f"{number}_g.tif", "done"), pair)


def test_many_images_lie_beside_the_page_and_in_no_memory(browser: Any, tmp_path: Path, constant: Pair) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    path = tmp_path / "a #1.html"
    tracemalloc.start()
    many(path, constant)
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()
    pictures = list((tmp_path / "a #1_files").iterdir())
    assert len(pictures) == 800
    assert path.stat().st_size < 1_000_000
    pages.requests(browser), pages.complaints(browser)
    browser.get(path.as_uri())
    assert (
        browser.execute_script("return performance.timing.domInteractive - performance.timing.navigationStart") < 10_000
    )
    browser.get(f"{path.as_uri()}#i150")
    loaded = "return document.querySelector('.shown .raw').naturalWidth === 192"
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(loaded))
    asked = [address for address in pages.requests(browser) if address != path.as_uri().split("#")[0]]
    assert all(address.startswith(tmp_path.as_uri()) for address in asked if not address.startswith("data:"))
    assert len(asked) < 300  # not all 800
    assert pages.complaints(browser) == []


def test_a_page_that_is_replaced_takes_its_pictures_along(tmp_path: Path, constant: Pair) -> None:
    path, beside = tmp_path / "a.html", tmp_path / "a_files"
    many(path, constant, 100)
    before = set(beside.iterdir())
    (beside / "mine.jpg").touch()
    many(path, constant, 90, renew=True)
    after = set(beside.iterdir())
    assert not before & after
    assert len(after) == 361
    many(path, constant, 2, replace=True)
    assert [each.name for each in beside.iterdir()] == ["mine.jpg"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.html", "a_files", "in"]


def test_what_a_killed_run_has_left_goes(tmp_path: Path, constant: Pair) -> None:
    path = tmp_path / "a.html"
    report = Report(path, {}, 1)
    with report:
        report.add(Result("0.tif", "0_g.tif", "done"), constant)
        (left,) = tmp_path.glob(".a.html.*.part")
        shutil.copytree(left, left.with_name(left.name.replace(f"-{os.getpid()}-", "-99999999-")))
    assert len(list(tmp_path.glob(".a.html.*"))) == 1
    many(path, constant, 1, replace=True)
    assert not list(tmp_path.glob(".a.html.*"))


def test_what_is_in_the_way_of_a_page_stays(run: Run, tmp_path: Path) -> None:
    source, path = save(tmp_path / "in" / "a.tif"), tmp_path / "a.html"
    path.write_text("mine")
    for options in ((), ("--resume",)):
        done = run("denoise", source, *OPTIONS, "--report", path, *options)
        assert done.code == 2
        assert "--overwrite" in done.err
    assert path.read_text() == "mine"
    assert [each.name for each in source.parent.iterdir()] == ["a.tif"]
    assert run("denoise", source, *OPTIONS, "--report", path, "--overwrite").code == 0
    assert run("denoise", source, *OPTIONS, "--report", path, "--resume").code == 0
    assert "1 of them by an earlier run" in path.read_text(encoding="utf-8")
    done = run("denoise", source, *OPTIONS, "--report", tmp_path / "a.tif")
    assert done.code == 2
    assert ".html" in done.err


def test_what_was_done_before_an_interrupt_is_shown(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        save(tmp_path / "in" / f"{number}.tif")
    whole = batch.run

    def stopped(*arguments: Any, **options: Any) -> Generator[Result]:
        results = whole(*arguments, **options)
        yield next(results)
        yield next(results)
        results.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "run", stopped)
    page = tmp_path / "page.html"
    assert run("denoise", tmp_path / "in", *OPTIONS, "--report", page).code == 130
    said = " ".join(Page(page).texts.values())
    assert "2 of 5 images are denoised" in said
    assert "interrupted: 3 images were not reached" in said
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in", "page.html"]


def test_dry_runs_and_runs_that_never_began_leave_nothing(run: Run, tmp_path: Path) -> None:
    source, page = save(tmp_path / "in" / "a.tif"), tmp_path / "page.html"
    assert run("denoise", source, *OPTIONS, "--report", page, "--dry-run").code == 0
    assert run("denoise", source, "-m", "nonsense", "--report", page).code == 2
    assert [each.name for each in tmp_path.iterdir()] == ["in"]


def test_what_cannot_be_drawn_is_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Pair) -> list[Plate]:
        raise MemoryError

    monkeypatch.setattr(plates, "draw", broken)
    done = run("denoise", save(tmp_path / "in" / "a.tif"), *OPTIONS, "--json", "--report", tmp_path / "page.html")
    found = json.loads(done.out)
    assert (done.code, found["status"]) == (0, "done")
    assert "no pictures of it: not enough memory" in found["warnings"][-1]
    page = Page(tmp_path / "page.html")
    assert (len(page.all("article")), len(page.all("img"))) == (1, 0)
    assert "1 of 1 images are denoised" in page.texts["p"]


def test_pictures_are_those_of_the_image() -> None:
    frame = np.random.default_rng(1).normal(0, 1, (90, 120)).cumsum(axis=0)
    drawn = {each.kind: each for each in plates.draw(Pair(frame, frame, 1, 1, None, None, {}))}
    assert set(drawn) == {"small", "raw", "restored", "residual"}
    picture = np.asarray(Image.open(BytesIO(drawn["raw"].content))).astype(float)
    assert picture.shape == (drawn["raw"].height, drawn["raw"].width) == frame.shape
    assert np.corrcoef(picture.ravel(), frame.ravel())[0, 1] > 0.98
    assert (np.asarray(Image.open(BytesIO(drawn["residual"].content))) == 128).all()


@pytest.mark.parametrize("side", [33, 256])
def test_spectra_have_the_variance_of_white_noise_and_peaks_of_waves(side: int) -> None:
    draw = np.random.default_rng(2)
    mean = np.mean([curves.spectrum(draw.normal(5, 3, (side, side + 40)))[1] for _ in range(20)], axis=0)
    assert mean[side // 8 :] == pytest.approx(np.full(len(mean[side // 8 :]), 9), rel=0.15)
    across = np.cos(2 * np.pi * np.arange(side) / 6)
    found, power = curves.spectrum(np.broadcast_to(across, (side, side)))
    assert found[power.argmax()] == pytest.approx(1 / 6, abs=1 / side)
    assert found[-1] == pytest.approx((side // 2) / side)


def test_histograms_hold_nearly_all_pixels() -> None:
    frame = np.random.default_rng(4).normal(0, 1, (100, 100))
    found = curves.histograms(frame, frame / 2)
    assert 0.995 < found.raw.sum() <= 1
    assert found.restored.sum() == pytest.approx(1)
    assert found.restored.max() == pytest.approx(2 * found.raw.max(), rel=0.2)  # half as wide is twice as high


def test_doubtful_spots_are_counted_and_ringed(tmp_path: Path) -> None:
    table = tmp_path / "a_g_support.csv"
    rows = ["0,5,5,3,lost", "1,30,70,-4,unsupported", "1,60,20,9,supported", "1,80,80,8,lost", "1,10,10,1,weak"]
    table.write_text("\n".join(["frame,x_px,y_px,support,verdict", *rows]), encoding="utf-8")
    found = verdicts.of(["a_g_support.tif", str(table)], 1)
    assert found is not None
    assert found.counts == {"unsupported": 1, "supported": 1, "lost": 1, "weak": 1}
    frame = np.zeros((100, 120))
    drawn = plates.marked(Pair(frame, frame, 2, 3, None, None, {}), found.doubts)
    colours = np.asarray(Image.open(BytesIO(drawn.content))).astype(int)
    red = np.argwhere(colours[..., 0] - colours[..., 2] > 120)
    assert red[red[:, 0] > 40].mean(axis=0) == pytest.approx([70, 30], abs=1)
    assert np.argwhere(colours[..., 2] - colours[..., 0] > 60).mean(axis=0) == pytest.approx([80, 80], abs=1)
    assert abs(np.diff(colours[10:30, 50:70], axis=2)).max() < 20  # none around what is supported
    path = tmp_path / "page.html"
    with Report(path, {}, 1) as report:
        result = Result("a.tif", "a_g.tif", "done", evidence=(str(table),), notes=("of 3 spots",))
        report.add(result, Pair(frame, frame, 2, 3, None, None, {}))
    page = Page(path)
    assert [each["alt"] for each in page.all("img") if each["class"] == "support"] == ["support"]
    assert all(each in page.texts["dd"] for each in ("of 3 spots", "row 70.0, column 30.0"))
    assert verdicts.of([], 1) is verdicts.of([str(tmp_path / "none_support.csv")], 1) is None
    table.write_text("x_px,y_px,support,verdict\nmany,1,2,lost\n", encoding="utf-8")
    assert verdicts.of([str(table)], 1) is None


def test_a_picture_that_finds_no_room_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(np.random.default_rng(1).random((64, 64)), np.zeros((64, 64)), 1, 1, None, None, {})
    result = Result("a.tif", "a_g.tif", "done")
    with Report(tmp_path / "page.html", {}, 2) as report:
        with monkeypatch.context() as full:
            full.setattr(Path, "write_bytes", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                report.add(result, pair)
        report.add(result)
        report.add(result, pair)
    assert len(Page(tmp_path / "page.html").all("article")) == 2
    assert report._count["done"] == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_is_told_of_by_the_page_and_nothing_stays(tmp_path: Path) -> None:
    page = tmp_path / "out" / "page.html"
    report = Report(page, {}, 1)

    def fill() -> None:
        with report:
            report.add(Result("a.tif", "a_g.tif", "done"))
            report._files["articles"].close()
            report._files["articles"] = Path("/dev/full").open("w+")  # noqa: SIM115  the report closes it
            report._files["articles"].write("no room")

    with pytest.raises(FileError, match="cannot be written"):
        fill()
    assert not list(page.parent.iterdir())
