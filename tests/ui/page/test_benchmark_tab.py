"""The Benchmark tab in a real browser: what a made-up table looks like, and a real one from start to end."""

from __future__ import annotations

import re
import threading

import pytest
from playwright.sync_api import expect

from clip_tta_core import engine, hosting, limits
from clip_tta_core.records import RunLog
from clip_tta_core.sweep import recorded
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.sizes import SIZES, Size
from clip_tta_core.sweep.tables import STANDARD, TABLES
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import looks, make_log, serious_violations, serve
from tests.ui.fakes import fake_engine

pytestmark = [pytest.mark.browser, pytest.mark.slow]
GAINS = {"zero_shot": 0.0, "tent": -0.2, "sar": 0.0, "tda": 0.02, "clipartt": 0.05, "cliptta": 0.2}


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """The folder of a page of this test's own."""
    monkeypatch.setenv(limits.CELLS, str(tmp_path))
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "recorded")
    return Folder(tmp_path)


@pytest.fixture
def open_tab(visit, cells):
    """Open the tab of a page over an engine: open_tab(engine, query, width)."""
    pages = []

    def open_page(run, query="", width=1280):
        page, address = serve(Site(engine.catalog(), make_log(), run=run))
        pages.append(page)
        drawn = visit(address, f"?tab=benchmark{query}", width)
        expect(drawn.locator("#ct-heat .doing")).to_contain_text("cells", timeout=60_000)
        return drawn

    yield open_page
    for page in pages:
        page.close(verbose=False)


def fill(folder: Folder) -> None:
    """Every cell of the quick table: 40 % and a point for each shift, with the gain of its method."""
    for cell in SIZES["quick"].of(TABLES["mini"].make(folder)).cells():
        accuracy = 0.4 + 0.01 * STANDARD.index(cell.shift.corruption) + GAINS[cell.method]
        folder.put(cell, {"accuracy": accuracy, "seconds": 0.1, "pictures": 256.0})


def column(page, number: int) -> dict[str, str]:
    """{method: text} down a column, in the order of the page."""
    rows = page.locator("#ct-heat tbody tr")
    pairs = rows.evaluate_all(
        "(all, k) => all.map((tr) => [tr.cells[0].innerText, tr.cells[k].innerText])", number
    )
    return dict(pairs)


def blueness(page, method: str, number: int) -> float:
    """Blue minus red of a cell's colour."""
    cell = page.locator("#ct-heat tbody tr").filter(
        has=page.get_by_role("rowheader", name=method, exact=True)
    )
    colour = (
        cell.locator("td")
        .nth(number)
        .evaluate(
            """(td) => { const canvas = document.createElement("canvas").getContext("2d");
        canvas.fillStyle = getComputedStyle(td).backgroundColor; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data]; }"""
        )
    )
    return colour[2] - colour[0]


def test_a_table_shows_its_numbers_colours_and_order(open_tab, cells):
    fill(cells)
    page = open_tab(fake_engine())
    heads = page.locator("#ct-heat thead th").all_inner_texts()
    assert heads == ["Method", "gaussian noise 5", "glass blur 5", "frost 5", "elastic transform 5", "mean"]
    first = column(page, 1)
    assert list(first)[0] == "Zero-shot CLIP" and first["Zero-shot CLIP"] == "40.0"
    assert first["TENT"] == "20.0" and first["CLIPTTA"] == "60.0"
    assert column(page, 5)["CLIPTTA"] == "66.0", "the mean of 0, 4, 8 and 12 above 60"
    assert blueness(page, "CLIPTTA", 0) > blueness(page, "CLIPArTT", 0) > blueness(page, "Zero-shot CLIP", 0)
    assert blueness(page, "TENT", 0) < blueness(page, "Zero-shot CLIP", 0)
    assert blueness(page, "SAR", 0) == pytest.approx(blueness(page, "Zero-shot CLIP", 0)), (
        "as good: no colour"
    )

    page.get_by_role("button", name="mean").click()
    assert list(column(page, 5))[0] == "CLIPTTA" and list(column(page, 5))[-1] == "TENT"
    assert page.locator("#ct-heat th[aria-sort=descending]").inner_text().startswith("mean")
    page.get_by_role("button", name="mean").click()
    assert list(column(page, 5))[0] == "TENT"

    cell = page.get_by_role("button", name="TENT, gaussian noise 5: 20.0 % over 1 seed, −20.0 points")
    cell.focus()
    expect(page.locator(".ct-tip")).to_contain_text("20.0 % over 1 seed")
    cell.click()
    expect(page.locator("#ct-heat .card h3")).to_be_focused()
    assert "sweep mini --size quick" in page.locator("#ct-heat .card code").inner_text()
    page.get_by_role("button", name="Open in Play").click()
    expect(page.get_by_role("tab", name="Play")).to_have_attribute("aria-selected", "true")
    expect(page.locator("[data-field=corruption] select")).to_have_value("gaussian_noise")
    expect(page.locator("[data-field=batches] .box")).to_have_value("4")


def test_a_table_is_kept_as_a_file(open_tab, cells):
    fill(cells)
    page = open_tab(fake_engine())
    with page.expect_download() as news:
        page.locator("#ct-heat [data-do=md]").click()
    assert news.value.suggested_filename == "mini-quick.md"
    assert "| cliptta | 60.0 | 64.0 |" in news.value.path().read_text()


@pytest.mark.parametrize("kind, head", [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_table_is_kept_as_a_picture(open_tab, cells, kind, head):
    fill(cells)
    page = open_tab(fake_engine())
    with page.expect_download(timeout=60_000) as news:
        page.locator(f"#ct-heat [data-do={kind}]").click()
    assert news.value.suggested_filename == f"mini-quick.{kind}"
    assert news.value.path().read_bytes().startswith(head)


def test_methods_and_shifts_are_looked_for_by_name_and_kind(open_tab, cells):
    fill(cells)
    page = open_tab(fake_engine())
    page.locator("#ct-heat [data-of=methods]").fill("cliptta, entropy")
    rows = page.locator("#ct-heat tbody th")
    expect(rows).to_have_text(["Zero-shot CLIP", "CLIPTTA", "SAR", "TENT"], timeout=30_000)
    page.locator("#ct-heat [data-of=shifts]").fill("blur")
    expect(page.locator("#ct-heat thead th")).to_have_text(["Method", "glass blur 5"], timeout=30_000)
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="CLIPTTA, glass blur 5").click()
    expect(page.locator("#ct-heat .card h3")).to_have_text("CLIPTTA, glass blur 5", timeout=30_000)
    page.locator("#ct-heat [data-of=methods]").fill("tnet")
    expect(page.locator("#ct-heat .message")).to_contain_text("no method is called 'tnet'", timeout=30_000)
    expect(rows).to_have_count(4)
    page.locator("#ct-heat [data-of=methods]").fill("")
    expect(rows).to_have_count(6, timeout=30_000)
    expect(page.locator("#ct-heat .message")).to_be_hidden()


def test_advice_stands_below_a_table_of_three_seeds(open_tab, cells):
    for cell in SIZES["seeds"].of(TABLES["mini"].make(cells)).cells():
        cells.put(cell, {"accuracy": 0.4 + GAINS[cell.method] + 0.001 * cell.seed, "seconds": 0.1})
    page = open_tab(fake_engine())
    expect(page.locator("#ct-heat .advice li")).to_have_text(
        ["One seed does not tell one method from another; three seeds may."]
    )
    page.locator("#ct-heat [data-of=size]").select_option("seeds")
    expect(page.locator("#ct-heat .advice li").first).to_have_text(
        "On noise: CLIPTTA, 60%, 20.0 ± 0.0 points above Zero-shot CLIP.", timeout=30_000
    )


def test_a_real_table_from_start_to_heat_map_with_a_stop_between(open_tab, cells, monkeypatch):
    tiny = Size("quick", "Tiny", "Two methods on two shifts.", ("zero_shot", "tent"), 2, 3, 2, True)
    monkeypatch.setitem(SIZES._items, "quick", tiny)
    pressed = threading.Event()

    def run(config, control):
        if len(list(cells.path.glob("*.json"))) == 2:
            pressed.wait(60)  # the third cell does not end before Stop was pressed
        yield from hosting.run(config, control)

    page = open_tab(run)
    start, stop = page.locator("#ct-heat [data-do=start]"), page.locator("#ct-heat [data-do=stop]")
    assert start.inner_text() == "Start"
    start.click()
    expect(page.locator("#ct-heat .doing")).to_contain_text("2 of 8 cells", timeout=60_000)
    stop.click()
    pressed.set()
    expect(start).to_have_text("Go on", timeout=30_000)
    expect(start).to_be_enabled()
    kept = {file.name: file.stat().st_mtime_ns for file in cells.path.glob("*.json")}
    assert 2 <= len(kept) <= 3
    start.click()
    expect(page.locator("#ct-heat [aria-live]")).to_contain_text("8 of 8 cells measured", timeout=120_000)
    after = {file.name: file.stat().st_mtime_ns for file in cells.path.glob("*.json")}
    assert len(after) == 8 and kept.items() <= after.items(), "what was there is not measured again"
    assert "–" not in column(page, 3).values() and set(column(page, 3)) == {"Zero-shot CLIP", "TENT"}
    expect(page.get_by_role("button", name="TENT, gaussian noise 5: ")).to_have_attribute(
        "aria-label", re.compile("± .* over 2 seeds")
    )


def test_a_table_of_a_paper_says_what_it_needs(open_tab):
    page = open_tab(fake_engine())
    page.locator("#ct-heat [data-of=table]").select_option("T8")
    expect(page.locator("#ct-heat .doing")).to_contain_text("ViT-B-16/openai", timeout=30_000)
    expect(page.locator("#ct-heat [data-do=start]")).to_be_disabled()
    ours = page.get_by_label("CLIPTTA+OCE, CIFAR-10 vs SVHN: not measured, papers report 94.6 %")
    expect(ours).to_have_text("(94.6)")


def test_axe_finds_nothing_serious_on_the_tab(open_tab, cells):
    fill(cells)
    page = open_tab(fake_engine())
    page.get_by_role("button", name="CLIPTTA, gaussian noise 5").click()
    expect(page.locator("#ct-heat .card h3")).to_be_focused()
    for look in looks(page):
        assert not serious_violations(page, "#ct-heat"), look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"sideways: {look}"


def test_an_operator_can_do_without_the_tab(visit, monkeypatch):
    monkeypatch.setenv("CLIPTTA_BENCHMARK", "0")
    page, address = serve(Site(engine.catalog(), RunLog(), run=fake_engine()))
    try:
        assert visit(address).get_by_role("tab", name="Benchmark").count() == 0
    finally:
        page.close(verbose=False)
