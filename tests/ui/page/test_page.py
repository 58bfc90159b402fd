"""The page through its API: streams, sentences for bad values, two visitors."""

import base64
import itertools
import json
import threading

import pytest
from gradio.utils import diff
from gradio_client import Client

from clip_tta_core import logs
from clip_tta_core.control import Progress
from clip_tta_core.records import RunLog
from clip_tta_core.ui.session import keep
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.news import News
from clip_tta_core.ui.session.play import Play, shown
from clip_tta_core.ui.session.settings import to_config
from clip_tta_core.ui.session.status import status
from tests.ui.fakes import fake_engine


@pytest.fixture
def connect(url):
    clients = []

    def make() -> Client:
        clients.append(Client(url, verbose=False))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def settings(**changes) -> dict:
    return FIRST.settings() | {"batches": 4, "batch_size": 8} | changes


def test_a_run_streams_and_ends(connect):
    seen = list(connect().submit(settings(), api_name="/run"))
    states = [values["status"]["state"] for values in seen]
    assert "running" in states and states[-1] == "done"
    last = seen[-1]
    assert last["status"]["done"] == 4 and last["status"]["share"] == 1
    assert len(last["curves"]["curves"]["accuracy"]["cliptta"].split()) == 4
    assert len(last["sentence"]["steps"].splitlines()) == 4 and all(last["sentence"]["steps"].splitlines())


def test_every_answer_repeats_what_the_run_has_told(site):
    """The browser may skip an answer: the next one must hold all that the skipped one did."""

    answers = list(Play(site).run(settings(), "reader"))
    for earlier, later in itertools.pairwise(answers):
        assert earlier["serials"].keys() <= later["serials"].keys() == later.keys() - {"serials"}
        for part, serial in earlier["serials"].items():
            assert later["serials"][part] > serial or later[part] is earlier[part]


def test_a_new_batch_travels_as_what_it_adds():
    """Gradio sends the difference between two answers; after sixty batches it is no larger than after ten."""
    config = to_config(settings(batches=60))
    log, news = logs.open_log(config), News()
    answers = []
    for report in fake_engine()(config):  # an answer for each, as a page gets them that keeps up
        log.append(report, 0.1 * report.batch_number)
        line = status("running", log, Progress(report.batch_number, report.total), log.elapsed[-1])
        answers.append(news.tell(status=line, **shown(log)))
    sent = {}  # {batches done: letters}
    for earlier, later in itertools.pairwise(answers):
        edits = [edit for edit in diff(earlier, later) if edit[1][0] != "gallery"]
        sent[later["status"]["done"]] = len(json.dumps(edits))
    assert list(sent) == list(range(2, 61))
    early = max(size for done, size in sent.items() if done <= 30)
    assert max(size for done, size in sent.items() if done > 40) < 1.5 * early


def test_the_first_answer_comes_before_any_work(connect):
    job = connect().submit(settings(batches=50), api_name="/run")
    first = next(iter(job))
    assert first["status"]["state"] == "loading"
    job.cancel()


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"methods": {}}, "at least one method"),
        ({"batches": 0}, "batches must be in"),
        ({"severity": 9}, "severity must be in"),
        ({"corruption": "rain"}, "Unknown corruption 'rain'"),
        ({"methods": {"tent": {"lr": 5}}}, "lr must be"),
        ({"class_names": "cat, cat"}, "each must be listed once"),
        ({"source": "upload"}, "at least one picture"),
    ],
)
def test_a_bad_value_is_answered_with_one_sentence(connect, changes, says):
    last = connect().predict(settings(**changes), api_name="/run")
    assert says in last["message"]["text"]
    assert "Traceback" not in last["message"]["text"]
    assert last["status"]["state"] in ("idle", "recorded")


def test_two_visitors_have_two_runs(connect):
    wanted = {0: settings(batches=3), 1: settings(batches=5)}
    got = {}

    def visit(number: int) -> None:
        got[number] = connect().predict(wanted[number], api_name="/run")

    threads = [threading.Thread(target=visit, args=(number,)) for number in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {number: got[number]["status"]["done"] for number in got} == {0: 3, 1: 5}


def test_downloads_are_the_run(site):
    for kind in ("csv", "json", "pictures"):
        file = keep.keep(kind, site.log("nobody"))
        assert file.name.endswith((".csv", ".json")) and base64.b64decode(file.data)
    with pytest.raises(ValueError, match="press Run first"):
        keep.keep("csv", RunLog())
