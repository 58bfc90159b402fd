"""Pictures brought to the page: folders, archives, class lists, and what is shown of them."""

from __future__ import annotations

import contextlib
import io
import time

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import expect

from clip_tta_core import engine, hosting
from clip_tta_core.control import Progress, Stopped
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.settings import split_names
from clip_tta_core.ui.session.site import Site
from tests.conftest import zipped
from tests.ui.conftest import eventually, make_log, serious_violations, serve
from tests.ui.fakes import fake_engine
from tests.ui.page.test_browser import press, wait_for

LONG = "a very long name " * 12  # 204 characters: more than a tar's header takes


def png(colour: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (24, 16), (colour, 60, 120)).save(buffer, "PNG")
    return buffer.getvalue()


def said(page, purpose: str = "pictures"):
    return page.locator(f"#ct-upload-{purpose} .read")


def wait_for_upload(page, text: str, purpose: str = "pictures") -> None:
    page.wait_for_function(
        "([at, text]) => document.querySelector(at).textContent.includes(text)",
        arg=[f"#ct-upload-{purpose} .read", text],
        timeout=30_000,
    )


@pytest.fixture
def files(tmp_path, monkeypatch):
    """What lies in the folder for uploads."""
    folder = tmp_path / "uploads"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return lambda: [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def room(files):
    """A page of its own: (site, address)."""
    site = Site(engine.catalog(), make_log(), run=fake_engine(delay=0.01))
    page, address = serve(site)
    yield site, address
    page.close(verbose=False)


@pytest.fixture
def connect(room):
    clients = []

    def make() -> Client:
        clients.append(Client(room[1], verbose=False))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_an_archive_with_a_folder_for_each_class_runs_and_leaves_no_file(connect, files, tmp_path):
    path = tmp_path / "pets.zip"
    path.write_bytes(zipped({f"{kind}/{k}.png": png(k) for kind in ("cat", "dog") for k in range(3)}))
    client, settings = connect(), FIRST.settings() | {"batches": 2, "batch_size": 4}
    view, news = client.predict({"files": [handle_file(path)]}, settings, api_name="/upload_pictures")
    assert view["counts"] == [["cat", 3], ["dog", 3]] and view["said"] == "6 pictures, all with a label."
    assert news["source"] == "upload" and news["class_names"] == "cat\ndog"
    assert not files()
    last = client.predict(settings | news, api_name="/run")
    assert last["status"]["state"] == "done" and last["gallery"]["classes"] == ["cat", "dog"]


def test_one_visitors_pictures_are_not_anothers(connect, tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    mine, other, settings = connect(), connect(), FIRST.settings() | {"class_names": "cat, dog"}
    mine.predict({"files": [handle_file(path)]}, settings, api_name="/upload_pictures")
    refused = other.predict(settings | {"source": "upload"}, api_name="/run")
    assert "at least one picture is needed" in refused["message"]["text"]


@pytest.mark.parametrize("path", ["/etc/hostname", {"path": "/etc/hostname"}])
def test_only_what_was_uploaded_is_read(connect, path):
    view, _ = connect().predict({"files": [path]}, FIRST.settings(), api_name="/upload_pictures")
    assert "at least one file is needed" in view["said"]


def test_a_file_object_that_points_elsewhere_is_refused(room):
    stranger = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
    call = f"{room[1]}gradio_api/call/upload_pictures"  # a client of Gradio's would send the file itself
    event = httpx.post(call, json={"data": [{"files": [stranger]}, FIRST.settings()]}).json()["event_id"]
    answer = httpx.get(f"{call}/{event}", timeout=30).text
    assert "event: error" in answer and "event: complete" not in answer


@pytest.mark.browser
@pytest.mark.slow
def test_a_folder_keeps_its_folders_and_fills_the_class_list(visit, room, files, tmp_path):
    site, address = room
    names = ["green frog/1.png", f"green frog/{LONG}.png", "猫/一.png", "猫/x.png"]
    for k, name in enumerate(names):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(png(k))
    (tmp_path / "tree" / "notes.txt").write_text("no picture")
    page = visit(address)
    page.locator("#ct-upload-pictures summary").first.click()
    page.set_input_files("#ct-upload-pictures input.folder", tmp_path / "tree")
    wait_for_upload(page, "4 pictures, all with a label.")
    expect(page.locator("[data-field=class_names] textarea")).to_have_value("green frog\n猫")
    expect(page.locator("[data-field=source] select")).to_have_value("upload")
    assert page.locator("#ct-upload-pictures .skipped").text_content().startswith("1 skipped")
    assert page.locator("#ct-upload-pictures .thumbnails").is_visible()
    page.locator("#ct-upload-pictures .skipped summary").click()
    for _ in ("light", "dark"):
        assert not serious_violations(page, "#ct-upload-pictures")
        page.evaluate("document.body.classList.toggle('dark')")
    (upload,) = site.albums._kept.values()
    assert len(upload) == 4 and upload.class_names == ("green frog", "猫")
    shades = {name.rsplit("/", 1)[-1][:8]: image[0, 0, 0] for name, image in
              zip(upload.pictures.names, upload.pictures.images, strict=True)}  # fmt: skip
    assert shades == {"1.png": 0, LONG[:8]: 1, "一.png": 2, "x.png": 3}, "every name with its own picture"
    assert not files()
    # Counted again as the list is typed; the folders stay on offer.
    area = page.locator("[data-field=class_names] textarea")
    page.locator("[data-section=model] > summary").click()
    area.fill("Green_Frog\ntoad\n")
    area.press("Tab")
    wait_for_upload(page, "4 pictures, 2 with a label.")
    page.get_by_role("button", name="Take the 2 folder names as classes").click()
    wait_for_upload(page, "4 pictures, all with a label.")
    press(page, "Run")
    wait_for(page, "Finished")
    page.get_by_role("button", name="Remove these pictures").click()
    expect(page.locator("[data-field=source] select")).to_have_value("rendered")
    expect(said(page)).to_have_text("")
    assert not len(site.albums)


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_says_which_folders_are_classes_and_takes_others(visit, url, tmp_path):
    for name in ("pets/cat/1.png", "pets/dog/1.png", "cars/van/1.png"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True)
        (tmp_path / "tree" / name).write_bytes(png())
    page = visit(url)
    page.locator("#ct-upload-pictures summary").first.click()
    page.set_input_files("#ct-upload-pictures input.folder", tmp_path / "tree")
    notes, level = page.locator("#ct-upload-pictures .notes"), page.locator("#ct-upload-pictures .level")
    area = page.locator("[data-field=class_names] textarea")
    expect(notes).to_have_text("Classes are the folders cat, dog, van, level 3 from the top.", timeout=30_000)
    expect(area).to_have_value("cat\ndog\nvan")
    level.locator("select").select_option(label="cars, pets")
    expect(notes).to_have_text("Classes are the folders cars, pets, level 2 from the top.", timeout=30_000)
    expect(area).to_have_value("cars\npets")
    expect(page.locator("#ct-upload-pictures .counts li")).to_have_text(["cars1", "pets2"])
    page.locator("[data-section=model] > summary").click()
    area.fill("pets\nunicorn")
    area.press("Tab")
    expect(notes).to_contain_text("1 of 2 names found no folder: unicorn.", timeout=30_000)
    assert not serious_violations(page, "#ct-upload-pictures")


@pytest.mark.browser
@pytest.mark.slow
def test_a_visitor_chooses_which_folders_of_the_data_folder_are_classes(visit, tmp_path, monkeypatch, files):
    monkeypatch.setenv("CLIPTTA_DATA", str(tmp_path))
    for name in ("pets/cat/1.png", "pets/dog/1.png", "cars/van/1.png"):
        (tmp_path / "own" / name).parent.mkdir(parents=True)
        (tmp_path / "own" / name).write_bytes(png())
    served, address = serve(Site(engine.catalog(), make_log(), run=fake_engine()))
    try:
        page = visit(address)
        page.locator("[data-field=source] select").select_option("dataset:folder")
        expect(said(page)).to_have_text("In the data folder: 3 pictures, all with a label.")
        page.locator("#ct-upload-pictures .level select").select_option(label="cars, pets")
        expect(page.locator("[data-field=class_names] textarea")).to_have_value("cars\npets")
        expect(page.locator("#ct-upload-pictures .counts li")).to_have_text(["cars1", "pets2"])
        assert not serious_violations(page, "#ct-upload-pictures")
        page.locator("[data-field=source] select").select_option("rendered")
        expect(said(page)).to_have_text("")
    finally:
        served.close(verbose=False)


@pytest.mark.browser
@pytest.mark.slow
def test_example_photographs_are_one_click_and_photo_clip_reads_them(visit, room):
    """They come with Gradio, in a folder for each class; what the model sees stands below them."""
    page = visit(room[1])
    page.locator("#ct-upload-pictures summary").first.click()
    page.locator("#ct-upload-pictures [data-do=examples]").click()
    expect(said(page)).to_have_text("5 pictures, all with a label.")
    names = page.locator("#ct-upload-pictures .counts li span").all_inner_texts()
    assert names == ["bus", "leopard", "lion", "skyscraper"]
    expect(page.locator("[data-field=model] select")).to_have_value("photo-clip")
    seen = page.locator("#ct-upload-pictures .seen figcaption")
    expect(seen).to_contain_text("32 × 32 pixels")
    expect(page.locator("#ct-upload-pictures .offer")).to_be_hidden()
    page.locator("[data-field=corruption] select").select_option("fog")
    expect(seen).to_contain_text("Shown here: fog 5.", timeout=30_000)


def test_photo_clip_is_offered_for_part_of_the_classes(visit, room, tmp_path):
    page = visit(room[1])
    (tmp_path / "mine.zip").write_bytes(
        zipped({f"{name}/1.png": png() for name in ("cat", "dog", "umbrella")})
    )
    page.locator("#ct-upload-pictures summary").first.click()
    page.locator("#ct-upload-pictures input.files").set_input_files(tmp_path / "mine.zip")
    offer = page.locator("#ct-upload-pictures .offer")
    expect(offer).to_contain_text("photo-CLIP knows 2 of your 3 classes")
    offer.get_by_role("button").click()
    expect(page.locator("[data-field=model] select")).to_have_value("photo-clip")
    expect(offer).to_be_hidden()
    expect(page.locator("#ct-upload-pictures .counts li span")).to_have_text(["cat", "dog"])


def test_a_second_upload_is_the_unknowns_and_all_go_with_the_visitor(visit, room, tmp_path):
    site, address = room
    for k, name in enumerate(("dog.png", "umbrella.png")):
        (tmp_path / name).write_bytes(png(k))
    page = visit(address)
    page.set_input_files("#ct-upload-pictures input.files", tmp_path / "dog.png")
    wait_for_upload(page, "1 picture, none with a label. Type your classes")
    page.set_input_files("#ct-upload-unknowns input.files", tmp_path / "umbrella.png")
    wait_for_upload(page, "1 picture.", "unknowns")
    expect(page.locator("[data-field=unknown_source] select")).to_have_value("upload")
    expect(page.locator("[data-field=source] select")).to_have_value("upload")
    assert len(site.albums) == 2
    seen, real = [], site.engine
    site.engine = lambda config, control: seen.append(config) or real(config, control)
    page.locator("[data-section=model] > summary").click()
    area = page.locator("[data-field=class_names] textarea")
    area.fill("cat, dog")
    area.press("Tab")
    press(page, "Run")
    wait_for(page, "Finished")
    known, unknown = seen[0].pictures, seen[0].unknown_pictures
    assert known.names == ("dog.png",) and unknown.names == ("umbrella.png",)
    assert known.class_names == ("cat", "dog") and np.array_equal(known.labels, [-1])
    page.close()
    assert eventually(lambda: not len(site.albums))


@pytest.mark.browser
@pytest.mark.slow
def test_the_class_box_says_what_is_wrong_while_one_types_and_takes_a_file(visit, url):
    page = visit(url)
    page.locator("[data-section=model] > summary").click()
    area, note = page.locator("[data-field=class_names] textarea"), page.locator(".names .help")
    area.press_sequentially("cat\ndog, cat\n\n, newt")
    assert note.text_content() == (
        "3 classes. Each must be listed once; remove the repetition of “cat”. "
        "Every class needs a name; empty entries skipped: 2. "
        "Words that this CLIP does not know: “dog”, “newt”; use others, or choose a larger CLIP."
    )
    area.fill("cat")
    assert "At least two are needed" in note.text_content()
    listed = {"name": "c.txt", "mimeType": "text/plain", "buffer": "\ufeffokapi\r\ntapir\r\n".encode()}
    page.set_input_files(".names input[type=file]", listed)
    page.wait_for_function("document.querySelector('.names textarea').value === 'okapi\\ntapir'")
    page.locator("[data-field=model] select").select_option("ViT-B-32/openai")
    assert note.text_content().startswith("2 classes. One per line")
    page.locator("[data-field=templates] select").select_option("*")
    own = page.locator("[data-field=templates] textarea")
    own.press_sequentially("a sketch of a {}\nno hole")
    help = page.locator("[data-field=templates] .help")
    assert help.text_content() == "Each line must hold {} once; “no hole” does not."
    own.fill("a sketch of a {}\na {} at night")
    assert help.text_content().startswith("One template a line")


LISTS = (
    '["okapi", "tapir, Malayan", "gnu"]',
    '{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}',
    "id,name\n0,okapi\n1,tapir\n2,gnu\n3,emu",
    "names:\n  0: okapi\n  1: tapir",
    "0: okapi\n1: tapir\n2: gnu",
    "okapi, tapir\ngnu",
)


@pytest.mark.browser
@pytest.mark.slow
def test_the_number_of_classes_is_what_a_run_will_have(visit, url):
    page = visit(url)
    page.locator("[data-section=model] > summary").click()
    box, help = page.locator("[data-field=class_names] textarea"), page.locator(".names .help")
    for text in LISTS:
        box.fill(text)
        expect(help).to_contain_text(f"{len(split_names(text))} classes")
        box.fill('["okapi", "tapir" {]')
        expect(help).to_contain_text("begins as JSON or Python and cannot be read")


@pytest.mark.browser
@pytest.mark.slow
def test_a_download_is_told_as_it_goes_and_can_be_stopped(visit, files):
    def downloading(config, control):
        with contextlib.suppress(Stopped):
            for k in range(1, 2000):
                control.announce(Progress(step=k, steps=2000, doing="downloading ViT-B/32: 3 of 12 MB"))
                time.sleep(0.05)
        yield from ()

    page_object, address = serve(Site(engine.catalog(), make_log(), run=downloading))
    try:
        page = visit(address)
        press(page, "Run")
        wait_for(page, "Downloading ViT-B/32: 3 of 12 MB")
        done = "parseFloat(document.querySelector('.timeline input').style.getPropertyValue('--done'))"
        before = page.evaluate(done)
        page.wait_for_function(f"{done} > {before}")
        press(page, "Stop")
        wait_for(page, "Stopped")
    finally:
        page_object.close(verbose=False)


@pytest.mark.browser
@pytest.mark.slow
def test_pause_and_step_are_shown_where_they_work(visit, monkeypatch, files):
    monkeypatch.setattr(hosting, "has_controls", lambda model: model == "mini-clip")
    page_object, address = serve(Site(engine.catalog(), make_log(), run=fake_engine()))
    try:
        page = visit(address)
        pause, step = (page.locator(f"[data-do={name}]") for name in ("pause", "step"))
        why = page.get_by_text("it cannot be paused or stepped")
        assert pause.is_visible() and step.is_visible() and why.is_hidden()
        page.locator("[data-section=model] > summary").click()
        for model in ("ViT-B-32/openai", "*"):
            page.locator("[data-field=model] select").select_option(model)
            if model == "*":
                page.locator("[data-field=model] textarea").fill("RN101/openai")
                page.locator("[data-field=model] textarea").press("Tab")
            assert pause.is_hidden() and step.is_hidden() and why.is_visible()
        page.locator("[data-field=model] select").select_option("mini-clip")
        assert pause.is_visible() and step.is_visible() and why.is_hidden()
    finally:
        page_object.close(verbose=False)
