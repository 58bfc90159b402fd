"""A metric is one entry: computed under its name, declared once, and shown wherever numbers are."""

import csv
import io
import json

import pytest

from clip_tta_core import engine, export
from clip_tta_core.records import RunConfig
from clip_tta_core.ui.session.compare import Compare
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.views import curves, results
from clip_tta_core.ui.wire import measures
from clip_tta_core.ui.wire.measures import Measure
from tests.ui.conftest import make_log, serve
from tests.ui.fakes import fake_engine

NEW = Measure(
    "luck", "Luck, so far", "share", "high", "Made up by a test.", ("curves", "table", "ranking"), full="one"
)


def lucky(config, control=None):
    """The fake engine with one more number."""
    for report in fake_engine()(config, control):
        for outcome in report.outcomes.values():
            outcome.metrics["luck"] = 0.125 * report.batch_number
        yield report


@pytest.fixture
def declared(monkeypatch):
    monkeypatch.setattr(measures, "MEASURES", (*measures.MEASURES, NEW))


@pytest.fixture
def log():
    made = make_log(RunConfig(batches=2, batch_size=8))
    for steps in made.series.values():
        steps["luck"] = [0.125, 0.25]
    return made


def test_play_shows_it(declared, log):
    assert curves(log).curves["luck"]["tent"] == "0.125 0.25 "
    assert NEW in results(log).columns and results(log).values["luck"]["tent"] == "0.125 0.25 "


def test_compare_shows_it(declared):
    compare = Compare(Site(engine.catalog(), make_log(), run=lucky))
    *_, last = compare.start({"batches": 2, "batch_size": 8}, ["zero_shot", "tent"], "defaults", "visitor")
    assert [row.numbers["luck"] for row in last.rows] == [0.25, 0.25]


def test_files_hold_it(log):
    rows = list(csv.DictReader(io.StringIO(export.to_csv(log))))
    assert {row["luck"] for row in rows} == {"0.125", "0.25"}
    assert export.from_json(export.to_json(log)).series["tent"]["luck"] == [0.125, 0.25]
    assert "luck" in json.dumps(json.loads(export.to_json(log)))


@pytest.mark.browser
def test_the_page_shows_it(declared, log, visit):
    page_object, address = serve(Site(engine.catalog(), log, run=lucky))
    try:
        page = visit(address)
        page.locator("#ct-curves select").select_option("luck")
        assert "25.0%" in page.locator("#ct-curves svg").text_content()
        assert "Luck, so far" in page.locator("#ct-results thead").text_content()
        box = page.locator("[data-field=batches] .box")
        box.fill("2")
        box.press("Tab")
        page.get_by_role("tab", name="Compare").click()
        for name in ("zero_shot", "tent"):
            page.wait_for_selector(f"#ct-ranking tr[data-name={name}]")
        page.locator("#ct-ranking tbody input[type=checkbox]").evaluate_all(
            "all => all.filter((one) => !['zero_shot', 'tent'].includes(one.closest('tr').dataset.name))"
            ".forEach((one) => one.click())"
        )
        page.get_by_role("button", name="Compare 2", exact=True).click()
        cell = "#ct-ranking tr[data-name=tent] [data-column=luck]"
        page.wait_for_selector("#ct-ranking [data-do=start]:enabled", timeout=60_000)
        assert page.locator(cell).text_content().startswith("25.0%")
        with page.expect_download() as kept:
            page.locator("#ct-standings [data-do=csv]").click()
        rows = list(csv.DictReader(io.StringIO(kept.value.path().read_text("utf-8"))))
        assert {row["luck"] for row in rows} == {"0.25"}
    finally:
        page_object.close(verbose=False)
