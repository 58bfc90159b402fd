"""The names of the page's parts agree wherever they stand: Python, the wire, scripts, style sheets."""

import inspect
import re

import pytest
from gradio.queueing import Queue

from clip_tta_core import engine
from clip_tta_core.records import RunConfig
from clip_tta_core.ui.page.layout import LOOK, build
from clip_tta_core.ui.page.parts import Part
from clip_tta_core.ui.page.theme import ASSETS, css
from clip_tta_core.ui.session.play import Play
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.wire.parts import ON_THE_BOARD, PARTS
from tests.ui.conftest import make_log
from tests.ui.fakes import fake_engine

SCRIPTS = ASSETS / "js" / "parts" if (ASSETS / "js" / "parts").is_dir() else ASSETS / "js"
OPEN = make_log(RunConfig(batches=2, batch_size=8, unknown_source="objects"))


@pytest.fixture(scope="module")
def page():
    return build(Site(engine.catalog(), OPEN, run=fake_engine()))


@pytest.fixture(scope="module")
def parts(page) -> list[Part]:
    return [block for block in page.blocks.values() if isinstance(block, Part)]


def test_every_part_stands_on_the_page(parts):
    assert {part.name for part in parts} == set(PARTS)


def test_every_part_has_its_script_and_every_script_its_part():
    names = {path.stem for path in SCRIPTS.glob("*.js")} - {"shared", "wire"}
    assert names == set(PARTS)


def test_what_the_server_tells_is_what_the_board_passes_on():
    told = Play(Site(engine.catalog(), OPEN)).first_paint()
    assert told.keys() - {"serials"} == set(ON_THE_BOARD) == told["serials"].keys()


def test_a_part_triggers_the_events_it_declares_and_has_a_listener_for_each(page, parts):
    for part in parts:
        text = (SCRIPTS / f"{part.name}.js").read_text("utf-8")
        literal = set(re.findall(r"""trigger\(\s*["'](\w+)["']""", text))
        assert literal <= set(PARTS[part.name].events), part.name
        heard = {name for fn in page.fns.values() for number, name in fn.targets if number == part._id}
        assert heard <= set(PARTS[part.name].events), part.name
    everything = {name for fn in page.fns.values() for _, name in fn.targets}
    assert {name for spec in PARTS.values() for name in spec.events} <= everything


def test_a_part_asks_the_server_for_functions_it_is_served(parts):
    for part in parts:
        text = (SCRIPTS / f"{part.name}.js").read_text("utf-8")
        assert set(re.findall(r"\bserver\.(\w+)", text)) <= set(PARTS[part.name].serves), part.name


def test_style_sheets_speak_of_parts_that_exist():
    named = set(re.findall(r"[.#]ct-([a-z-]+)", css()))
    page = {"styles", "header", "columns", "left", "right", "run", "pair", "bar", "three-ways"}
    within = {"stale", "tip", "meaning", "own", "ladder", "present", "embed"}  # what scripts add
    assert named - page - within <= set(PARTS) | {"upload-pictures", "upload-unknowns"}


def test_gradios_queue_looks_for_work_as_rarely_as_we_ask(page):
    """There is no public setting. Where Gradio moves this one, the page costs a run 7 % again."""
    assert page._queue.sleep_when_free == LOOK
    assert "asyncio.sleep(self.sleep_when_free)" in inspect.getsource(Queue), "Gradio no longer reads it"
