"""The Corruptions tab: its pictures without a browser, and one visit with one."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from clip_tta_core import engine, plots
from clip_tta_core.clip.loading import classifier, load
from clip_tta_core.corruptions import CORRUPTIONS, corrupt
from clip_tta_core.records import RunConfig
from clip_tta_core.sources.rendered import TASK
from clip_tta_core.ui.session import corruptions as corruptions_tab
from clip_tta_core.ui.session.corruptions import KEPT_UPLOADS, SIDE, Corruptions, families
from clip_tta_core.ui.session.settings import to_config
from clip_tta_core.ui.wire.encode import plain
from tests.ui.conftest import looks, serious_violations

NEAREST = Image.Resampling.NEAREST
CAT = {"object": "cat", "seed": 4}


@pytest.fixture
def room() -> Corruptions:
    return Corruptions()


@pytest.fixture
def photograph(tmp_path):
    """Save a picture that differs from file to file, not square: photograph(7) -> path."""

    def save(number: int = 0) -> str:
        path = tmp_path / f"<b>{number}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (6, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return str(path)

    return save


def test_a_picture_is_forgotten_with_the_last_visitor_who_brought_it(room, photograph):
    first, same = room.read(photograph(1), "ann"), room.read(photograph(1), "bob")
    assert first.key == same.key
    room.leave("ann")
    assert room.subject({"key": first.key}).title == first.title
    other = room.read(photograph(2), "bob")  # in the place of the one before
    for key in (first.key, "nobody's"):
        with pytest.raises(ValueError, match="no longer kept"):
            room.subject({"key": key})
    room.leave("cyd")
    assert room.subject({"key": other.key}).key == other.key
    for number in range(KEPT_UPLOADS + 1):
        room.read(photograph(number), f"visitor {number}")
    for session in ("bob", *(f"visitor {number}" for number in range(KEPT_UPLOADS + 1))):
        room.leave(session)
    assert not room._uploads and not room._owners


def pixels(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_every_corruption_stands_in_one_family_with_its_sentence():
    *corruptions, attack = plain(families())
    assert [one["name"] for one in attack["corruptions"]] == [corruptions_tab.ATTACK]
    listed = [one for family in corruptions for one in family["corruptions"]]
    assert sorted(one["name"] for one in listed) == sorted(CORRUPTIONS)
    assert sum(one["extra"] for one in listed) == 4
    assert all(one["meaning"] == CORRUPTIONS[one["name"]].meaning for one in listed)


def blocks(image: np.ndarray) -> np.ndarray:
    """Means over squares of 8 pixels: JPEG smooths grain inside of them and keeps what they sum up to."""
    return image.astype(float).reshape(SIDE // 8, 8, SIDE // 8, 8, 3).mean(axis=(1, 3))


def test_a_sheet_shows_what_corrupt_makes(room):
    sheet = room.sheet(CAT | {"severity": 5})
    image = room.subject(CAT).image
    assert list(sheet["tiles"]) == [*CORRUPTIONS, corruptions_tab.ATTACK]
    expected = {name: blocks(corrupt(image, name, 5, corruptions_tab.SEED)) for name in CORRUPTIONS}
    for name in CORRUPTIONS:
        shown = blocks(pixels(sheet["tiles"][name]))
        distances = {other: np.abs(shown - made).mean() for other, made in expected.items()}
        assert min(distances, key=distances.__getitem__) == name and distances[name] < 3, name
    assert np.abs(blocks(pixels(sheet["clean"])) - blocks(image)).mean() < 1


def test_the_attack_moves_every_pixel_by_its_radius_and_misleads(room):
    subject = room.subject(CAT)
    before = engine.mislead(subject.image, "cat", RunConfig(attack="linf", attack_epsilon=0.0))
    assert np.array_equal(before, subject.image), "a radius of 0 changes nothing, the size included"
    config = RunConfig(attack="linf", attack_epsilon=8.0)
    small = np.array(Image.fromarray(corruptions_tab.mislead(subject, 4)).resize((64, 64), NEAREST))
    assert np.array_equal(small, engine.mislead(subject.image, "cat", config))
    clean = engine.to_tensor(subject.image[None], 64, torch.device("cpu"))
    change = small - 255 * clean[0].permute(1, 2, 0).numpy()
    assert np.abs(change).max() < 8.51, "the radius, and what rounding to whole levels adds"
    loaded = load("mini-clip")
    frozen = classifier(loaded, tuple(TASK), "single")
    logits = frozen.predict(torch.cat([clean, engine.to_tensor(small[None], 64, loaded.device)])).logits
    answers = [TASK[k] for k in logits.argmax(dim=1)]
    assert answers[0] == "cat" != answers[1]


def test_a_corruption_goes_to_play_without_an_attack_and_an_attack_without_a_corruption():
    for family in families():
        for one in family.corruptions:
            for level, takes in enumerate(one.takes, start=1):
                config = to_config(takes)
                engine.check(config)
                attacked = one.name == corruptions_tab.ATTACK
                assert (config.attack, config.corruption) == (
                    ("linf", "none") if attacked else ("none", one.name)
                )
                assert config.attack_epsilon == 2 ** (level - 1) if attacked else config.severity == level


def test_a_sheet_and_a_ladder_share_their_pictures(room):
    sheet = room.sheet(CAT | {"severity": 3})
    made = corruptions_tab.tile.cache_info().misses
    assert room.sheet(CAT | {"severity": 3}) == sheet
    assert corruptions_tab.tile.cache_info().misses == made
    assert room.ladder(CAT | {"corruption": "snow"})["tiles"][2] == sheet["tiles"]["snow"]


def test_equal_pixels_are_one_subject_and_others_are_not(room):
    assert room.subject(CAT) == room.subject(dict(CAT))
    assert room.subject(CAT) != room.subject(CAT | {"seed": 5})


@pytest.mark.parametrize(
    "wanted, said",
    [
        (CAT | {"severity": 6}, "Severity: must be a whole number from 1 to 5, got 6."),
        (CAT | {"severity": True}, "Severity"),
        (CAT | {"severity": [3]}, "Severity"),
        (CAT, "Severity"),
        ({"object": "cta", "seed": 4, "severity": 3}, "cat"),
        ({"object": ["cat"], "severity": 3}, "object"),
        ({"object": "cat", "seed": -1, "severity": 3}, "Picture number"),
        ({"object": "cat", "seed": "4", "severity": 3}, "Picture number"),
        ({"key": "nobody's", "severity": 3}, "add it again"),
        ([], "mapping"),
        (None, "mapping"),
    ],
)
def test_an_impossible_request_gets_a_sentence(room, wanted, said):
    assert said in room.sheet(wanted)["problem"]


def test_an_unknown_corruption_gets_the_nearest_name(room):
    assert "fog" in room.ladder(CAT | {"corruption": "frog"})["problem"]


def test_a_visitors_picture_is_shown_by_its_key(room, photograph):
    mine = plain(room.read(photograph()))
    assert mine["title"] == "<b>0.png"
    assert room.subject(mine).image.shape == (SIDE, SIDE, 3)
    assert list(room.sheet(mine | {"severity": 1})["tiles"]) == list(CORRUPTIONS), "no label, no attack"
    assert "Unknown corruption 'attack'" in room.ladder(mine | {"corruption": "attack"})["problem"]


def test_what_is_no_picture_gets_a_sentence(room, tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("not a picture")
    assert "notes.png" in plain(room.read(str(path)))["problem"]
    assert plain(room.read(None)) == {}


def test_only_the_last_uploads_are_kept(room, photograph):
    first, *_, last = [plain(room.read(photograph(number))) for number in range(KEPT_UPLOADS + 1)]
    assert "add it again" in room.sheet(first | {"severity": 1})["problem"]
    assert room.subject(last).key == last["key"]


def test_the_sheet_to_keep_is_a_png(room):
    file = room.keep(CAT | {"severity": 3})
    image = Image.open(io.BytesIO(base64.b64decode(file["data"])))
    assert (file["name"], image.format) == ("corruptions-severity-3.png", "PNG")


def test_the_figure_titles_every_picture(room):
    image = room.subject(CAT).image
    figure = plots.corruption_sheet(image, dict.fromkeys(CORRUPTIONS, image), 2)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["As it is", *(one.title for one in CORRUPTIONS.values())]


@pytest.mark.browser
def test_a_visitor_looks_at_all_and_takes_one_to_play(visit, url, photograph):
    from playwright.sync_api import expect

    page = visit(url)
    assert not page.locator("#ct-corruptions").count()  # nothing is made before the tab is opened
    page.get_by_role("tab", name="Corruptions").click()
    sheet = page.locator("#ct-corruptions .sheet")
    expect(sheet).to_have_attribute("data-severity", "3")
    expect(sheet.locator(".tile img[src]")).to_have_count(20)
    assert sheet.locator(".tile img").first.get_attribute("alt") == "cat, Gaussian noise, severity 3"
    before = sheet.locator(".tile img").first.get_attribute("src")

    page.locator("#ct-subject .pick label", has_text="5").click()
    expect(sheet).to_have_attribute("data-severity", "5")
    assert sheet.locator(".tile img").first.get_attribute("src") != before

    page.locator("#ct-own input[type=file]").set_input_files(photograph())
    expect(page.locator("#ct-subject .own")).to_have_text("Yours: b0.png")  # Gradio tidies names
    expect(page.locator("#ct-subject img")).to_have_attribute("alt", "b0.png, as it is")

    expect(sheet.locator("[data-name=attack]")).to_be_hidden()  # nobody said what it shows

    tile = sheet.locator("[data-name=glass_blur] button")
    tile.focus()
    page.keyboard.press("Enter")
    expect(tile).to_have_attribute("aria-expanded", "true")
    expect(sheet.locator(".ladder button.step img[src]")).to_have_count(5)
    sheet.locator(".ladder button.step").nth(3).click()
    sheet.get_by_role("button", name="Take glass blur, severity 4, to Play").click()
    expect(page.get_by_role("tab", name="Play")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#ct-form [data-field=corruption] select")).to_have_value("glass_blur")
    expect(page.locator("#ct-form [data-field=severity] .box")).to_have_value("4")


@pytest.mark.browser
def test_an_attack_goes_to_play_with_its_radius(visit, url):
    from playwright.sync_api import expect

    page = visit(url, "?tab=corruptions")
    sheet = page.locator("#ct-corruptions .sheet")
    expect(sheet).to_have_attribute("data-severity", "3", timeout=30_000)
    sheet.locator("[data-name=attack] button").click()
    expect(sheet.locator(".ladder button.step img[src]")).to_have_count(5, timeout=30_000)
    sheet.locator(".ladder button.step").nth(3).click()
    sheet.get_by_role("button", name="Take adversarial, severity 4, to Play").click()
    expect(page.get_by_role("tab", name="Play")).to_have_attribute("aria-selected", "true", timeout=30_000)
    attack = page.locator("#ct-form [data-field=attack]").get_by_role("radio", name="every pixel")
    expect(attack).to_be_checked(timeout=30_000)
    expect(page.locator("#ct-form [data-field=attack_epsilon] .box")).to_have_value("8")
    expect(page.locator("#ct-form [data-field=corruption] select")).to_have_value("none")


@pytest.mark.browser
def test_axe_finds_nothing_serious_on_the_tab(visit, url):
    page = visit(url, "?tab=corruptions")
    page.wait_for_selector("#ct-corruptions .sheet[data-severity='3']", timeout=30_000)
    page.locator("#ct-corruptions [data-name=fog] button").click()
    page.wait_for_selector("#ct-corruptions .ladder.ready", timeout=30_000)
    for look in looks(page):
        assert not serious_violations(page, "#ct-corruptions"), look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"sideways: {look}"
