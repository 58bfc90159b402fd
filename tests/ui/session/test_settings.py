"""Settings, links and lessons: what is possible gets through, what is not gets a sentence."""

import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from clip_tta_core import engine, hosting
from clip_tta_core.clip import prompts
from clip_tta_core.methods import METHODS
from clip_tta_core.records import RunConfig
from clip_tta_core.ui.session import form, links
from clip_tta_core.ui.session.lessons import FIRST, LESSONS
from clip_tta_core.ui.session.settings import defaults, split_names, to_config, whole
from clip_tta_core.ui.wire.class_list import CLASS_LIST
from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.words import stream as stream_words


def start() -> dict:
    """What a link of the present version says nothing of."""
    return json.loads(json.dumps(links.STARTS[links.VERSION]))


def opened(query: str | dict) -> tuple[dict, str]:
    """The settings of a link and its sentence."""
    params = dict(parse_qsl(query, keep_blank_values=True)) if isinstance(query, str) else query
    found = links.from_query(params)
    assert found is not None
    return found


def test_the_defaults_are_those_of_a_run_config():
    assert to_config(defaults()) == RunConfig()


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"start": ""}, "start must be a name"),
        ({"start_settings": ["lr"]}, "start_settings must be a mapping"),
        ({"shots": 1.5}, "shots must be a whole number"),
        ({"severity": 2.5}, "severity must be a whole number"),
        ({"batches": "many"}, "batches must be a number"),
        ({"batches": True}, "batches must be a number"),
        ({"seed": float("nan")}, "seed must be a number"),
        ({"model": ""}, "model must be a name"),
        ({"model": "m" * 201}, "model must be a name, got 'mmm"),
        ({"corruption": 3}, "corruption must be a name"),
        ({"methods": ["tent"]}, "Methods must be a mapping"),
        ({"class_names": "x" * 300}, "at most"),
        ({"class_names": ",".join(map(str, range(1001)))}, "at most 1000"),
    ],
)
def test_a_value_of_the_wrong_kind_is_answered_with_a_sentence(changes, says):
    with pytest.raises(ValueError, match=says):
        to_config(defaults() | changes)


def test_class_names_come_one_a_line_or_with_commas():
    assert split_names("cat, dog\n\n  green frog ,") == ("cat", "dog", "green frog")


@pytest.mark.parametrize("one", CLASS_LIST.separators)
def test_what_ends_a_name_on_the_page_ends_it_here(one):
    assert split_names(f"cat{one}green frog{one}") == ("cat", "green frog")


def test_what_ends_a_name_here_ends_it_on_the_page():
    parts = {one for one in map(chr, range(32, 0x1_0000)) if len(split_names(f"cat{one}frog")) > 1}
    assert parts <= set(CLASS_LIST.separators)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_lesson_can_run_and_says_what_to_look_for(lesson):
    settings = lesson.settings()
    assert settings.keys() == defaults().keys(), "a lesson sets every control"
    engine.check(to_config(settings))
    assert lesson.look_for.endswith(".") and len(lesson.look_for) < 180


def test_there_are_lessons_enough_and_their_names_differ():
    assert len({lesson.name for lesson in LESSONS}) == len(LESSONS) >= 4


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_link_restores_a_lesson_with_its_name_and_its_settings_without(lesson):
    settings = lesson.settings()
    assert links.to_query(settings) == f"v=1&lesson={lesson.name}"
    assert opened(links.to_query(settings)) == (settings, "")
    nameless = settings | {"lesson": ""}
    assert "lesson" not in links.to_query(nameless)
    assert opened(links.to_query(nameless)) == (nameless, "")


def test_a_link_says_only_what_differs():
    assert links.to_query(start()) == "v=1"
    assert links.to_query(start() | {"corruption": "fog", "seed": 7}) == "v=1&seed=7&corruption=fog"


def test_a_new_link_starts_from_the_present_defaults():
    """When this fails, a default has changed: add a version to STARTS, and old links keep their meaning."""
    assert start() == defaults() | {"methods": FIRST.settings()["methods"]}


def test_a_link_without_a_version_is_one_of_the_first():
    assert opened("corruption=fog&severity=3") == opened("v=1&corruption=fog&severity=3")
    settings, problem = opened("v=99&corruption=fog")
    assert settings["corruption"] == "fog" and problem.startswith("Link: its version must be")


def test_defaults_that_change_later_do_not_change_an_old_link(monkeypatch):
    old = links.to_query(start() | {"corruption": "fog"})
    before = opened(old)
    changed = {"batch_size": 16, "severity": 3, "methods": {"zero_shot": {}, "sar": {}}}
    monkeypatch.setattr(links, "STARTS", links.STARTS | {2: start() | changed})
    monkeypatch.setattr(links, "VERSION", 2)
    assert opened(old) == before and before[0]["batch_size"] == 64
    assert links.to_query(before[0]).startswith("v=2&") and opened(links.to_query(before[0])) == before
    assert links.to_query(start()) == "v=2" and opened("v=2")[0]["methods"] == changed["methods"]


def test_a_default_of_a_knob_that_changes_later_does_not_change_an_old_link(monkeypatch):
    copy = {"label": "again", "method": "eta", "settings": {"lr": 1e-4}}
    new = start() | {"methods": {"eta": {"steps": 3}, "sar": {}}, "copies": [copy]}
    old = links.to_query(new)
    monkeypatch.setattr(links, "STARTS", links.STARTS | {2: start()})
    monkeypatch.setattr(links, "VERSION", 2)
    monkeypatch.setattr(links, "KNOBS", {1: {"eta": {"lr": 0.02, "steps": 2}}})
    settings, problem = opened(old)
    assert not problem
    assert settings["methods"] == {"eta": {"lr": 0.02, "steps": 3}, "sar": {}}
    assert settings["copies"] == [copy | {"settings": {"lr": 1e-4, "steps": 2}}]
    assert opened(links.to_query(new)) == (new, "")
    lesson = FIRST.settings() | {"lesson": "", "seed": 3}
    assert opened(f"v=1&lesson={FIRST.name}&seed=3") == (lesson, ""), "a lesson says all that it sets"


def test_no_default_of_a_knob_has_changed_without_a_word_to_old_links():
    """When this fails, a default has changed: add a version to STARTS, say in KNOBS for each version before
    what it was, and write the new one into the file."""
    known = json.loads((Path(__file__).parent / "knobs.json").read_text("utf-8"))
    now = {name: {knob.name: knob.default for knob in cls.Config.knobs()} for name, cls in METHODS.items()}
    assert {name: now[name] | knobs for name, knobs in known.items()} == {name: now[name] for name in known}


@pytest.mark.parametrize("name", ["seed", "tent.steps", "severity", "shots"])
def test_a_link_with_a_very_large_whole_number_loses_that_setting_alone_and_says_so(name):
    """Four hundred zeros are too many for a float, and for Python to write out."""
    settings, problem = opened(f"{name}=1{'0' * 400}&corruption=fog&batches=3&methods=tent")
    assert settings["corruption"] == "fog" and settings["batches"] == 3 and "tent" in settings["methods"]
    assert problem.startswith("The link asks for something impossible")


def test_copies_of_a_method_survive_in_a_link():
    copies = [
        {"label": "TENT + diversity, 10", "method": "tent", "settings": {"lr": 1e-3, "beta_reg": 1.0}},
        {"label": "<b>&=?.", "method": "tent", "settings": {"optimizer": "sgd"}},
    ]
    settings = start() | {"copies": copies}
    assert opened(links.to_query(settings)) == (settings, "")


@pytest.mark.parametrize(
    "query, kept",
    [
        ("severity=9", "severity"),
        ("severity=loud", "severity"),
        ("corruption=rain", "corruption"),
        ("batches=0", "batches"),
        ("batch_size=1e9", "batch_size"),
        ("methods=", "methods"),
        ("methods=tnet", "methods"),
        ("tent.lr=7", "methods"),
        ("tent.speed=7", "methods"),
        ("unknown_share=2", "unknown_share"),
        ("class_names=cat,cat", "class_names"),
        ("seed=" + "9" * 600, "seed"),
        ("seed=1e400", "seed"),
        ("tent.lr=" + "9" * 600, "methods"),
        ("severity=" + "[" * 3000, "severity"),
        ("sar.lr=0.1", "methods"),
        ("copies=" + "[" * 3000, "copies"),
        ('copies=[["tent","tent",{}]]', "copies"),
        ('copies=[["TENT","tent",{}]]', "copies"),
        ('copies=[["again","tent",{"lr":[1]}]]', "copies"),
        ('copies=[["again","nothing",{}]]', "copies"),
    ],
)
def test_an_impossible_value_in_a_link_keeps_its_default_and_says_so(query, kept):
    settings, problem = opened(query)
    assert settings[kept] == start()[kept]
    assert problem.startswith("The link asks for something impossible")


def test_how_many_values_of_a_link_are_impossible_is_said():
    """One sentence speaks of the first; whoever reads it knows that there are more."""
    assert opened("severity=9")[1].endswith("got 9.")
    assert opened("severity=9&batches=0&corruption=fog")[1].endswith("So does 1 other of its settings.")
    settings, problem = opened("severity=9&batches=0&order=odd&corruption=fog")
    assert problem.endswith("So do 2 others of its settings.") and settings["corruption"] == "fog"


def test_good_values_beside_a_bad_one_are_kept():
    settings, problem = opened({"severity": "9", "corruption": "fog"})
    assert settings["corruption"] == "fog" and settings["severity"] == 5 and "got 9" in problem


@pytest.mark.parametrize(
    "query", ["", "utm_source=moodle", "view=api", "__sign=x&__theme=dark", "tab=compare"]
)
def test_what_is_not_ours_changes_nothing(query):
    assert links.from_query(dict(parse_qsl(query))) is None
    if query:
        assert opened(f"lesson=sorted&{query}") == opened("lesson=sorted")


def test_a_lesson_that_is_not_there_is_said_and_the_rest_applies():
    settings, problem = opened("lesson=nothing&corruption=fog")
    assert settings["corruption"] == "fog" and problem.startswith(
        "Link: its lesson must be one of collapse, "
    )
    for query in ("lesson=nothing", "v=1&lesson=nothing&run=1"):
        settings, problem = opened(query)
        assert settings == FIRST.settings() and problem.startswith("Link: its lesson must be one of")


def test_a_number_that_is_too_large_is_called_that_and_not_something_else():
    _, problem = opened("batches=" + "9" * 23)
    assert "batches must be in [1, " in problem and "got 99999" in problem


def test_run_alone_runs_the_first_lesson():
    assert opened("run=1") == (FIRST.settings(), "")


def test_every_knob_of_every_method_has_a_control():
    catalog = engine.catalog()
    for method, card in zip(catalog.methods, form.cards(catalog), strict=True):
        assert [knob.name for knob in card.knobs] == [knob.name for knob in method.knobs]
        assert all(knob.help for knob in card.knobs)


def test_every_setting_has_a_control(monkeypatch):
    monkeypatch.setattr(form, "devices", lambda: ("cuda", "cpu"))
    fields = {
        field["name"] for section in plain(form.sections(engine.catalog())) for field in section["fields"]
    }
    # Set by lessons, by the list of methods, by fields of their own: one for each knob of each start.
    without = {"lesson", "methods", "copies", "start_settings"}
    knobs = {name for name in fields if "." in name}
    assert fields - knobs == defaults().keys() - without
    assert knobs == {f"{one.name}.{knob.name}" for one in engine.catalog().starts for knob in one.knobs}


def test_devices_are_a_choice_only_where_there_are_two(monkeypatch):
    def names(*found: str) -> list[str]:
        monkeypatch.setattr(form, "devices", lambda: found)
        sections = {section["name"]: section for section in plain(form.sections(engine.catalog()))}
        fields = sections["model"]["fields"]
        return [one["name"] for field in fields if field["name"] == "device" for one in field["options"]]

    assert names("cpu") == [] and names("mps", "cpu") == ["auto", "mps", "cpu"]


def test_a_device_survives_in_a_link():
    query = links.to_query(start() | {"device": "cpu"})
    assert query == "v=1&device=cpu" and opened(query)[0]["device"] == "cpu"
    settings, problem = opened({"device": "tpu"})
    assert settings["device"] == "auto" and "this machine has" in problem


def test_the_usual_sentences_are_the_data_sets_own():
    usual = {
        source: to_config(defaults() | {"source": source}).templates for source in ("rendered", "upload")
    }
    assert usual == {"rendered": "single", "upload": "single"}
    pets = defaults() | {"source": "dataset:pets"}
    assert to_config(pets).templates == "pets"
    assert to_config(pets | {"templates": "eight"}).templates == "eight", "a choice is a choice"


def test_ones_own_sentences_pass_and_survive_in_a_link():
    own = "a sketch of a {}\na {} in the dark"
    settings = start() | {"templates": own}
    engine.check(to_config(settings))
    assert opened(links.to_query(settings)) == (settings, "")
    with pytest.raises(ValueError, match="exactly one {}"):
        engine.check(to_config(start() | {"templates": "a {} and a {}"}))


def test_every_set_of_sentences_has_a_title_and_shows_one():
    assert prompts.TITLES.keys() == prompts.TEMPLATES.keys()
    shown = {one.name: one.help for one in engine.catalog().templates}
    assert "a type of pet" in shown["pets"] and "79 more" in shown["eighty"]


def test_a_gpu_that_is_lent_is_no_choice(monkeypatch):
    monkeypatch.setattr(hosting, "has_controls", lambda model: model == "mini-clip")
    monkeypatch.setattr(form, "devices", lambda: ("cuda", "cpu"))
    assert "device" not in [field.name for field in form.sections(engine.catalog())[-1].fields]


def test_models_that_were_fetched_before_are_marked(monkeypatch):
    monkeypatch.setattr(form, "here", lambda: frozenset({"mini-clip", "ViT-B-32/openai"}))
    fields = [field for section in form.sections(engine.catalog()) for field in section.fields]
    (model,) = (field for field in fields if field.name == "model")
    marked = {one.name for one in model.options if one.title.endswith("✓")}
    assert marked == {"ViT-B-32/openai"}, "of those that ship with the page their group says so"
    (option,) = (one for one in model.options if one.name in marked)
    assert option.help.startswith("On this machine. ")


def test_the_form_is_plain_json():
    catalog = engine.catalog()
    json.dumps(plain([form.sections(catalog), form.cards(catalog)]), allow_nan=False)


def test_what_is_too_long_for_a_link_is_not_cut():
    settings = start() | {
        "source": "upload",
        "class_names": "\n".join(f"thing number {k}" for k in range(400)),
    }
    with pytest.raises(ValueError, match="class_names may have 4,000 characters"):
        links.to_query(settings)
    kept, problem = opened({"class_names": settings["class_names"]})
    assert kept["class_names"] == "" and "send it as a file" in problem


def test_a_link_may_ask_for_pictures_that_its_visitor_adds():
    wanted = {"class_names": "okapi, tapir", "source": "upload", "unknown_source": "upload"}
    settings, problem = opened(wanted)
    assert problem == "" and settings | wanted == settings


def test_an_attack_is_set_and_said():
    config = to_config({"attack": "linf", "attack_epsilon": 4, "attack_iterations": 20, "corruption": "fog"})
    assert (config.attack, config.attack_epsilon, config.attack_iterations) == ("linf", 4.0, 20)
    said = stream_words.stream(config, engine.catalog())
    assert said.startswith("Rendered objects, fog 5 and attacked (linf, 4/255)")


def test_a_whole_number_of_many_digits_is_one():
    assert whole("seed", 10**30) == 10**30
    with pytest.raises(ValueError, match=r"seed must be in \[0, 4294967295\], got 1000000000000000000000"):
        engine.check(to_config({"seed": 10**30}))


@pytest.mark.parametrize(("sign", "digits"), [(1, 400), (-1, 400), (1, 5000)])
def test_numbers_beyond_all_floats_are_refused_by_a_sentence(sign, digits):
    value = sign * 10**digits
    with pytest.raises(ValueError, match="^Run: severity must be a number, got 'one with very many digits'"):
        whole("severity", value)
    with pytest.raises(ValueError, match="lr must be a number in .*, got 'a number with very many digits'"):
        METHODS["tent"].Config.from_values({"lr": value})
    with pytest.raises(ValueError, match="steps must be a whole number in .*very many digits"):
        METHODS["tent"].Config.from_values({"steps": value})


def test_the_precision_of_large_models_can_be_chosen_and_a_wrong_one_is_refused():
    assert to_config({"precision": "bfloat16"}).precision == "bfloat16"
    (field,) = (
        one
        for section in form.sections(engine.catalog())
        for one in section.fields
        if one.name == "precision"
    )
    assert [option.name for option in field.options] == ["auto", "float32", "bfloat16"]
    with pytest.raises(ValueError, match="Precision must be one of auto, float32, bfloat16, got 'int4'"):
        engine.check(to_config({"precision": "int4"}))


def test_a_start_with_its_settings_survives_in_a_link_and_is_said():
    settings = start() | {"start": "clipood", "start_settings": {"steps": 7, "beta": 1.0}, "shots": 4}
    settings["copies"] = [{"label": "alone", "method": "tent", "settings": {}, "from_start": False}]
    query = links.to_query(settings)
    assert "start=clipood" in query and "start.steps=7" in query and "shots=4" in query
    assert opened(query) == (settings, "")
    config = to_config(settings)
    assert [one.from_start for one in config.contenders][-1] is False
    said = stream_words.stream(config, engine.catalog())
    assert "begins with CLIPood, 4 pictures a class" in said


@pytest.mark.parametrize(
    "query",
    [
        "start=clipod",
        "start.steps=3",
        "start=clipood&start.margins=1",
        "start=clipood&start.steps=-1",
        "shots=0",
    ],
)
def test_an_impossible_start_in_a_link_keeps_its_default_and_says_so(query):
    settings, problem = opened(query)
    assert settings["start_settings"] == {} and settings["shots"] == 16
    assert problem.startswith("The link asks for something impossible")
