"""Files of a run: names, kinds, and a saved run that opens again with all that was shown."""

import base64
import json

import pytest

from clip_tta_core import engine, export
from clip_tta_core.logs import open_log
from clip_tta_core.records import Contender, RunConfig
from clip_tta_core.sources.rendered import TASK
from clip_tta_core.ui.session import keep
from clip_tta_core.ui.session.compare import Table
from clip_tta_core.ui.session.experiment import check_names
from clip_tta_core.ui.session.play import Play
from clip_tta_core.ui.session.settings import defaults, to_config
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import make_log
from tests.ui.fakes import fake_engine


@pytest.fixture
def play(log) -> Play:
    return Play(Site(engine.catalog(), log, run=fake_engine()))


@pytest.mark.parametrize("kind", keep.WRITERS)
def test_every_file_has_a_name_of_its_run_and_something_in_it(kind, log):
    file = keep.keep(kind, log)
    assert file.name.startswith(export.file_stem(log)) and len(base64.b64decode(file.data)) > 500


@pytest.mark.parametrize("kind", keep.FIGURES)
def test_every_figure_has_a_name_of_its_chart(kind, log):
    names = {keep.keep_figure(kind, log, chart, "ece").name for chart in ("", "curves", "classes")}
    stem = export.file_stem(log)
    assert names == {f"{stem}.{kind}", f"{stem}-curves-ece.{kind}", f"{stem}-classes.{kind}"}


def test_without_a_comparison_there_is_nothing_to_keep():
    for table in (None, Table(("tent",), 20, "a stream")):
        with pytest.raises(ValueError, match="press Compare first"):
            keep.keep_table("csv", table, engine.catalog())


def test_a_saved_run_opens_with_all_that_was_shown(play):
    again = Contender("TENT, again", "tent", {"lr": 0.01})
    saved = make_log(RunConfig(contenders=(Contender("zero_shot", "zero_shot"), again), batches=3, seed=7))
    settings, view = play.open_saved(export.to_json(saved), "visitor")
    assert set(view["serials"]) >= {"curves", "classes", "scores", "results", "sentence", "gallery", "status"}
    assert view["gallery"]["step"] == view["status"]["done"] == 3
    assert settings["seed"] == 7 and to_config(settings).contenders[1] == again
    assert export.to_csv(play.site.log("visitor")) == export.to_csv(saved), "downloads are those of the file"


@pytest.mark.parametrize("text", ["", "[]", "[" * 10_000, '{"format": "clip-tta-run/99"}', "{}"])
def test_what_is_no_saved_run_is_answered_with_a_sentence(text, play):
    settings, view = play.open_saved(text, "visitor")
    assert settings is None and view["message"]["text"].startswith("Run file: ")
    assert play.site.log("visitor") is play.site.recorded


@pytest.mark.parametrize("field", ["titles", "series", "answers", "sizes", "predicted", "class_names"])
def test_a_file_whose_numbers_do_not_fit_is_answered_with_a_sentence(field, play, log):
    plain = json.loads(export.to_json(log))
    plain[field] = type(plain[field])()
    _, view = play.open_saved(json.dumps(plain), "visitor")
    assert "curves" in view["serials"] or view["message"]["text"].startswith("Run file: ")


def test_a_run_without_a_batch_is_no_saved_run(play):
    empty = make_log(RunConfig(batches=1))
    empty.sizes.clear()
    with pytest.raises(ValueError, match="one batch at least"):
        keep.opened(export.to_json(empty))


def test_the_settings_beside_a_table_are_those_of_a_run_and_name_its_own_classes():
    copies = [{"label": "TENT again", "method": "tent", "settings": {"lr": 0.01}}]
    wanted = defaults() | {"class_names": "cat\nAfrican grey parrot", "copies": copies, "seed": 7}
    wanted |= {"batches": 2, "batch_size": 8, "corruption": "fog"}
    log = make_log(to_config(wanted))
    file = keep.keep("settings", log)
    assert file.name == f"{export.file_stem(log)}-settings.json"
    plain = json.loads(base64.b64decode(file.data))
    assert to_config(plain["settings"]) == to_config(wanted)
    check_names(plain["settings"])  # as /experiment does
    assert plain["classes"] == ["cat", "African grey parrot"] and plain["made"]["torch"]
    assert (
        json.loads(base64.b64decode(keep.keep("settings", make_log()).data))["classes"][:2] == list(TASK)[:2]
    )


def test_settings_that_are_no_longer_possible_are_told():
    log = make_log(RunConfig(batches=1))
    log.settings["severity"] = "very"
    with pytest.raises(ValueError, match="^Settings: this page cannot run those of this run"):
        keep.keep("settings", log)


def test_a_run_with_a_start_can_be_set_again():
    copies = ({"label": "TENT alone", "method": "tent", "settings": {}, "from_start": False},)
    wanted = defaults() | {
        "methods": {"zero_shot": {}, "tent": {}},
        "copies": list(copies),
        "start": "clipood",
    }
    wanted |= {"start_settings": {"steps": 3}, "shots": 4}
    log = open_log(to_config(wanted))
    assert [one.label for one in log.contenders] == ["zero_shot", "CLIPood, 4 shots", "tent", "TENT alone"]
    again = keep.settings_of(log)
    for name in ("methods", "copies", "start", "start_settings", "shots"):
        assert again[name] == wanted[name], name
