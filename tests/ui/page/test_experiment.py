"""The endpoints for scripts: plain numbers, and errors that the client sees."""

import contextlib
import io

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from clip_tta_core import engine
from clip_tta_core.ui.session import form, script
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.settings import defaults

CATALOG = engine.catalog()
SHORT = {"batches": 3, "batch_size": 8, "seed": 5}


@pytest.fixture(scope="module")
def client(url):
    return Client(url, verbose=False)


def test_every_batch_is_one_plain_record(client):
    job = client.submit(SHORT, api_name="/experiment")
    job.result(timeout=60)
    records = job.outputs()
    assert [(one["batch"], one["batches"]) for one in records] == [(1, 3), (2, 3), (3, 3)]
    assert set(records[0]["methods"]) == {"zero_shot", "tent", "cliptta"}
    assert all(isinstance(one["methods"]["tent"]["accuracy"], float) for one in records)
    assert records[0]["methods"]["tent"]["auroc"] is None


def test_a_comparison_is_one_plain_record_for_every_batch_of_each_method(client):
    again = {"label": "TENT, slow", "method": "tent", "settings": {"lr": 1e-5}}
    settings = SHORT | {"copies": [again]}
    job = client.submit(settings, ["tent", "zero_shot", "TENT, slow"], "protocol", api_name="/compare")
    job.result(timeout=60)
    records = job.outputs()
    turns = [(one["contender"], one["batch"], one["batches"]) for one in records]
    assert turns == [(who, k, 3) for who in ("zero_shot", "tent", "TENT, slow") for k in (1, 2, 3)]
    assert isinstance(records[-1]["measures"]["accuracy"], float) and records[-1]["measures"]["auroc"] is None
    assert records[3]["settings"] == {"lr": 1e-3, "steps": 10} and not records[3]["problem"]
    assert (records[-1]["method"], records[-1]["settings"]) == ("tent", {"lr": 1e-5})


WRONG = [
    ({"batchez": 1}, "Unknown setting 'batchez'. Did you mean 'batches'"),
    ({"corruption": "fgo"}, "Did you mean 'fog'"),
    ({"batches": "many"}, "batches must be a number"),
    ({"lesson": "sorted"}, "a lesson is no setting of a run, got 'sorted'"),
    ({"episodic": "no"}, "episodic must be true or false"),
    ({"copies": [{"label": "a", "method": "tent", "knobs": {}}]}, "Unknown entry of a method 'knobs'"),
]


@pytest.mark.parametrize("settings, said", [*WRONG, ({"methods": {"tent": {"lr": 7}}}, "lr must be")])
def test_what_is_wrong_is_an_error_that_the_client_sees(client, settings, said):
    with pytest.raises(AppError, match=said):
        client.predict(settings, api_name="/experiment")


@pytest.mark.parametrize(
    "settings, methods, knobs, said",
    [
        *((settings, ["tent"], "defaults", said) for settings, said in WRONG),
        ({}, ["tnet"], "defaults", "Did you mean 'tent'"),
        ({}, ["tent"], "protokol", "Did you mean 'protocol'"),
        ({"methods": {"tent": {"lr": 7}}}, ["tent"], "play", "lr must be"),
    ],
)
def test_a_comparison_refuses_as_an_experiment_does(client, settings, methods, knobs, said):
    with pytest.raises(AppError, match=said):
        client.predict(SHORT | settings, methods, knobs, api_name="/compare")


def test_the_api_page_says_every_value_that_is_allowed(client):
    described = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    for name in ("/experiment", "/compare"):
        said = described[name]["description"]
        for choices in (CATALOG.corruptions, CATALOG.styles, CATALOG.orders, CATALOG.methods):
            assert all(one.name in said for one in choices)
        fields = {one.name for section in form.sections(CATALOG) for one in section.fields}
        assert all(f" {field}: " in said for field in fields | {"methods", "copies"})
        assert "severity: 1 to 5." in said and "Example of" in said
        assert "seed: 0 to 4294967295." in said, "as it has to be typed"


def test_the_api_page_has_what_is_meant_for_scripts_and_nothing_else(client):
    described = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(described) == {"/experiment", "/compare"}


def test_the_script_for_what_is_set_up_runs_and_gives_what_it_says(client, url):
    settings = FIRST.settings() | SHORT | {"lesson": "", "corruption": "fog"}
    code = script.snippet(settings).replace("{address}", url)
    assert "'severity'" not in code and "'corruption': 'fog'" in code, "only what differs from the defaults"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "snippet", "exec"), {})
    lines = out.getvalue().splitlines()
    lines = [line for line in lines if line[:1].isdigit()]
    assert [line.split()[0] for line in lines] == ["1", "2", "3"] and "accuracy" in lines[0]


def test_the_script_raises_what_went_wrong(url):
    """Its loop would just end: that is how the client tells a loop over a job of an error."""
    code = script.snippet(FIRST.settings() | SHORT | {"lesson": "", "corruption": "fog"})
    code = code.replace("{address}", url).replace("'fog'", "'fgo'")
    with pytest.raises(AppError, match="Did you mean 'fog'"), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "snippet", "exec"), {})


@pytest.mark.parametrize("settings", [{"methods": {}}, {"batches": 0}, 5])
def test_there_is_no_script_for_what_cannot_run(settings):
    with pytest.raises(ValueError):
        script.snippet(settings)


def test_no_script_sends_uploaded_pictures():
    with pytest.raises(ValueError, match="^Script: uploaded pictures belong to this visit"):
        script.snippet(defaults() | {"source": "upload"})


@pytest.mark.browser
def test_the_page_shows_a_script_for_its_settings_and_where_all_is_said(visit, url):
    page = visit(url)
    page.locator("[data-field=corruption] select").select_option("fog")
    page.get_by_role("button", name="Use it from a script").click()
    code = page.locator("#ct-exports pre")
    code.wait_for(state="visible")
    assert f'Client("{url}")' in code.text_content() and "'corruption': 'fog'" in code.text_content()
    assert "{address}" not in code.text_content()
    with page.expect_popup() as opened:
        page.locator("#ct-exports .script a").click()
    described = opened.value.locator("body").text_content()
    assert all(f'"{name}"' in described for name in ("/experiment", "/compare")) and '"/run"' not in described
