"""Real photographs and odd files through the real page and the real engine."""

from __future__ import annotations

import logging
from pathlib import Path

import open_clip
import pytest
import skimage
from gradio_client import Client, handle_file
from safetensors.torch import save_file

from clip_tta_core import engine, hosting
from clip_tta_core.clip import loading
from clip_tta_core.ui.page import examples
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.site import Site
from tests.conftest import zipped
from tests.sources.test_uploads import ARCHIVES, READ, REFUSED, photograph_tree
from tests.ui.conftest import make_log, serve

PHOTOGRAPHS = {  # of those that come with the package, and what they show in words that mini-CLIP knows
    "astronaut.png": "flag",
    "chelsea.png": "cat",
    "coffee.png": "cup",
    "rocket.jpg": "arrow",
    "camera.png": "hand",
    "motorcycle_left.png": "wheel",
    "clock_motion.png": "clock",
    "moon.png": "moon",
}
CLASSES = "cat, cup, clock, moon, wheel, flag, arrow, hand"


def photograph(name: str) -> bytes:
    return (Path(skimage.__file__).parent / "data" / name).read_bytes()


def example(name: str) -> bytes:
    """A photograph that Gradio ships."""
    return (examples.FOLDER / name).read_bytes()


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """The page with the real engine: (site, address, folder for uploads)."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("uploads")
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        site = Site(engine.catalog(), make_log(), run=hosting.run)
        page, address = serve(site)
        yield site, address, folder
        page.close(verbose=False)


@pytest.fixture
def client(room):
    visitor = Client(room[1], verbose=False)
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """ViT-B/32 with weights by chance, in a file of its own."""
    path = tmp_path_factory.mktemp("weights") / "vit-b-32.safetensors"
    model = open_clip.create_model("ViT-B-32", load_weights=False)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    yield f"ViT-B-32@{path}"
    with loading._guard:  # 600 MB that no other test needs
        for key in [key for key in loading._shelf if key[0].endswith(str(path))]:
            del loading._shelf[key]


@pytest.fixture(params=["mini-clip", "ViT-B-32"])
def model(request):
    return request.param if request.param == "mini-clip" else request.getfixturevalue("checkpoint")


def settings(**changes) -> dict:
    methods = {"zero_shot": {}, "tent": {"lr": 1e-4, "steps": 1}, "cliptta": {"lr": 1e-4, "steps": 1}}
    return FIRST.settings() | {"methods": methods, "batches": 2, "batch_size": 4} | changes


@pytest.mark.slow
@pytest.mark.parametrize("labels", [True, False], ids=["labelled", "unlabelled"])
def test_eight_photographs_run_through_the_page(client, tmp_path, model, labels):
    if labels:
        files = [tmp_path / "photographs.zip"]
        files[0].write_bytes(
            zipped({f"{word}/{name}": photograph(name) for name, word in PHOTOGRAPHS.items()})
        )
    else:
        files = [tmp_path / name for name in PHOTOGRAPHS]
        for file in files:
            file.write_bytes(photograph(file.name))
    chosen = settings(model=model, class_names="" if labels else CLASSES)
    view, news = client.predict(
        {"files": [handle_file(file) for file in files]}, chosen, api_name="/upload_pictures"
    )
    assert view["said"] == f"8 pictures, {'all' if labels else 'none'} with a label." and not view["skipped"]
    last = client.predict(chosen | news, api_name="/run")
    assert last["message"]["text"] == "" and last["status"]["state"] == "done" and last["status"]["done"] == 2
    accuracy = last["results"]["values"]["accuracy"]
    assert set(accuracy) == {"zero_shot", "tent", "cliptta"}
    for shares in accuracy.values():
        assert all((share != "-") == labels for share in shares.split()), "a dash where no label is known"
    assert last["curves"]["labelled"] == labels and "changed" in last["results"]["values"]
    assert set(last["gallery"]["answers"]) == set(accuracy) and last["gallery"]["sprite"].startswith("data:")
    assert sorted(last["gallery"]["classes"]) == sorted(CLASSES.split(", "))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mini-clip", "ViT-B-32"])
@pytest.mark.parametrize("labels", [True, False], ids=["labelled", "unlabelled"])
def test_two_hundred_photographs_run_through_the_page(client, tmp_path, request, name, labels):
    classes = ("star", "cat", "cup", "telephone", "sun")  # words that mini-CLIP knows
    tree = photograph_tree(classes)
    flat = {member.replace("/", "_"): content for member, content in tree.items()}
    file = tmp_path / "photographs.zip"
    file.write_bytes(zipped(tree if labels else flat))
    clip = name if name == "mini-clip" else request.getfixturevalue("checkpoint")
    chosen = settings(model=clip, class_names=", ".join(classes), batch_size=50, batches=4)
    chosen["methods"] = {"zero_shot": {}} if name == "ViT-B-32" else chosen["methods"]
    view, news = client.predict({"files": [handle_file(file)]}, chosen, api_name="/upload_pictures")
    assert view["said"].startswith("200 pictures") and not view["skipped"]
    last = client.predict(chosen | news, api_name="/run")
    assert last["message"]["text"] == "" and last["status"]["state"] == "done" and last["status"]["done"] == 4
    shares = last["results"]["values"]["accuracy"]["zero_shot"]
    assert all((share != "-") == labels for share in shares.split())


TEN = {  # what comes with scikit-image and Gradio, in words that photo-CLIP knows
    "cat": photograph("chelsea.png"),
    "clock": photograph("clock_motion.png"),
    "cup": photograph("coffee.png"),
    "man": photograph("camera.png"),
    "motorcycle": photograph("motorcycle_left.png"),
    "rocket": photograph("rocket.jpg"),
    "woman": photograph("astronaut.png"),
    "bus": example("bus.png"),
    "lion": example("lion.jpg"),
    "skyscraper": example("tower.jpg"),
}


@pytest.mark.parametrize("labels", [True, False], ids=["labelled", "unlabelled"])
def test_photographs_of_ten_classes_go_through_photo_clip_unasked(client, tmp_path, labels):
    """mini-CLIP is set, and would refuse: photo-CLIP knows all ten, takes over, and does not guess."""
    file = tmp_path / "photographs.zip"
    where = "{name}/1.png" if labels else "{name}.png"
    file.write_bytes(zipped({where.format(name=name): content for name, content in TEN.items()}))
    chosen = settings(class_names="" if labels else ", ".join(TEN), batches=2, batch_size=5)
    assert chosen["model"] == "mini-clip"
    view, news = client.predict({"files": [handle_file(file)]}, chosen, api_name="/upload_pictures")
    assert news["model"] == "photo-clip" and "offer" not in view
    assert view["said"] == f"10 pictures, {'all' if labels else 'none'} with a label."
    assert view["seen"].startswith("data:image/") and "32 × 32 pixels" in view["sees"]
    last = client.predict(chosen | news, api_name="/run")
    assert last["message"]["text"] == "" and last["status"]["state"] == "done" and last["status"]["done"] == 2
    assert sorted(last["gallery"]["classes"]) == sorted(TEN)
    shares = last["results"]["values"]["accuracy"]
    assert set(shares) == {"zero_shot", "tent", "cliptta"}
    for said in shares.values():
        assert all((share != "-") == labels for share in said.split()), "a dash where no label is known"
    if labels:
        assert float(shares["zero_shot"].split()[-1]) > 0.25, "guessing is right on a tenth"


@pytest.mark.slow
def test_a_run_over_photographs_stops(room, client, tmp_path, checkpoint):
    file = tmp_path / "photographs.zip"
    photographs = {f"{k} {name}": photograph(name) for k in range(4) for name in list(PHOTOGRAPHS)[:2]}
    file.write_bytes(zipped(photographs))
    chosen = settings(model=checkpoint, class_names=CLASSES, batch_size=2, batches=4)
    chosen["methods"]["cliptta"]["steps"] = 20
    _, news = client.predict({"files": [handle_file(file)]}, chosen, api_name="/upload_pictures")
    job = client.submit(chosen | news, api_name="/run")
    for values in job:
        # Of a run that has shown nothing the last line is that of the results before it.
        if values["status"]["state"] == "running" and values["status"]["done"]:
            break
    client.predict(api_name="/stop")
    last = job.outputs()[-1] if job.done() else list(job)[-1]
    assert last["status"]["state"] == "stopped" and last["status"]["done"] < 4
    assert not room[0].runs.running()


@pytest.mark.slow
@pytest.mark.browser
def test_all_odd_files_at_once_leave_the_good_ones_and_no_trace(visit, room, tmp_path, caplog, capfd):
    site, address, folder = room
    odd = READ | {name: content for name, (content, _) in REFUSED.items()}
    odd |= {name: content for name, (content, *_) in ARCHIVES.items()}
    odd |= {name: photograph(name) for name in PHOTOGRAPHS}
    assert len(odd) >= 60 + len(PHOTOGRAPHS)
    files = [{"name": name, "mimeType": "application/octet-stream", "buffer": odd[name]} for name in odd]
    page = visit(address)
    page.evaluate("document.querySelectorAll('.ct-upload .section').forEach((one) => { one.open = true; })")
    with caplog.at_level(logging.WARNING):
        page.set_input_files("#ct-upload-pictures input.files", files)
        page.wait_for_function(
            "/pictures, /.test(document.querySelector('#ct-upload-pictures .read').textContent)",
            timeout=60_000,
        )
    upload = list(site.albums._kept.values())[-1]  # earlier visitors may not have been missed yet
    kept = set(upload.pictures.names)
    assert set(PHOTOGRAPHS) <= kept, "the good neighbours"
    reasons = dict(upload.skipped)
    assert {"text.jpg", "phone.heic", "cut.zip", "packed.7z"} <= reasons.keys()
    shown = page.locator("#ct-upload-pictures .skipped li").all_text_contents()
    assert len(shown) == len(upload.skipped) and all(line.rstrip().endswith(".") for line in shown)
    for text in (page.locator("body").text_content(), caplog.text, *capfd.readouterr()):
        assert "Traceback" not in text
    assert not [path for path in folder.rglob("*") if path.is_file()]
    page.locator("[data-section=model] > summary").click()
    area = page.locator("[data-field=class_names] textarea")
    area.fill(CLASSES)
    area.press("Tab")
    page.locator("[data-field=batches] .box").fill("1")
    page.locator("[data-field=batches] .box").press("Tab")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function(
        "document.querySelector('.status .what').textContent.includes('Finished')", timeout=60_000
    )
