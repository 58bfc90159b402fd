"""The desk for uploads: what is read becomes the source, what is removed stops being it."""

import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from clip_tta_core import engine
from clip_tta_core.records import RunLog
from clip_tta_core.sources import datasets
from clip_tta_core.sources.datasets import DatasetSource
from clip_tta_core.ui.session.desk import Desk
from clip_tta_core.ui.session.settings import split_names
from clip_tta_core.ui.session.site import Site


@pytest.fixture
def desk() -> Desk:
    return Desk(Site(engine.catalog(), RunLog()))


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "folder" / "cat.png"
    place.parent.mkdir()
    Image.new("RGB", (20, 10), (90, 30, 30)).save(place)
    return str(place)


def test_an_upload_becomes_the_source_and_leaves_no_corruption(desk, path):
    *_, (view, news) = desk.read("pictures", [path], {"class_names": "cat, umbrella"}, "me")
    assert view.kept and view.said.startswith("1 picture")
    clean = {"corruption": "none", "schedule": "constant", "style": "none"}
    assert news == {"source": "upload", "lesson": "", **clean}
    assert desk.recount({"class_names": "cat, dog"}, "me").kept
    assert desk.recount({}, "somebody else").said == ""


@pytest.mark.parametrize(
    "purpose, settings, model",
    [
        ("pictures", {"class_names": "cat, dog"}, "photo-clip"),
        ("pictures", {"class_names": "cat, umbrella"}, None),
        ("pictures", {"class_names": "cat, dog", "model": "ViT-B-32/openai"}, None),
        ("unknowns", {"class_names": "cat, dog"}, None),
    ],
)
def test_photo_clip_takes_over_from_mini_clip_where_it_knows_every_class(
    desk, path, purpose, settings, model
):
    """It knows cats and dogs and no umbrellas."""
    *_, (_, news) = desk.read(purpose, [path], settings, "me")
    assert news.get("model") == model


def test_photo_clip_is_offered_for_the_classes_it_knows(desk, path):
    names = "cat, dog, umbrella"
    *_, (view, _) = desk.read("pictures", [path], {"class_names": names}, "me")
    assert view.offer.said.startswith("photo-CLIP knows 2 of your 3 classes.")
    assert "110 kinds of things" in view.offer.said and "small or hidden things are lost" in view.offer.said
    assert view.offer.settings == {"model": "photo-clip", "class_names": "cat\ndog", "lesson": ""}
    assert desk.recount({"class_names": names, "model": "photo-clip"}, "me").offer is None
    assert desk.recount({"class_names": "cat, umbrella"}, "me").offer is None, "one class is no choice"


def test_what_an_embedded_model_sees_stands_beside_the_pictures(desk, path):
    *_, (view, _) = desk.read("pictures", [path], {"class_names": "cat, dog"}, "me")
    assert view.seen.startswith("data:image/jpeg") and "32 × 32 pixels" in view.sees
    assert "64 × 64" in desk.recount({"class_names": "cat, dog"}, "me").sees
    other = desk.recount({"class_names": "cat, dog", "model": "ViT-B-32/openai"}, "me")
    assert other.seen is None and other.sees == ""


def roughness(view) -> float:
    """How far the pixels of what is seen are from one colour, in levels."""
    sheet = Image.open(io.BytesIO(base64.b64decode(view.seen.partition(",")[2]))).convert("RGB")
    return float(np.asarray(sheet).std(axis=(0, 1)).mean())


def test_ones_own_pictures_are_shown_under_the_shift_that_is_set(desk, path):
    """What a run will make of them, for every model; of one's own settings that are impossible, nothing."""
    list(desk.read("pictures", [path], {"class_names": "cat, dog"}, "me"))
    chosen = {"class_names": "cat, dog", "model": "photo-clip"}
    clean, noisy = (
        desk.recount({**chosen, **more}, "me")
        for more in ({}, {"corruption": "gaussian_noise", "severity": 5})
    )
    assert "Shown here" not in clean.sees and noisy.sees.endswith("Shown here: gaussian noise 5.")
    assert roughness(clean) < 1 < 5 < roughness(noisy), "the picture is of one colour"
    mixed = desk.recount({**chosen, "schedule": "mixed"}, "me")
    assert mixed.sees.endswith("Shown here: 15 corruptions at severity 5 (all mixed).")
    large = {**chosen, "model": "ViT-B-32/openai"}
    assert desk.recount(large, "me").seen is None, "it would be what came"
    shown = desk.recount({**large, "corruption": "gaussian_noise"}, "me")
    assert shown.sees == "The middle square of each, as the stream shows it. Shown here: gaussian noise 5."
    assert roughness(shown) > 5
    assert "Shown here" not in desk.recount({**chosen, "corruption": "nosuch"}, "me").sees


def test_an_earlier_upload_is_gone_once_a_new_one_is_read(desk, path, tmp_path):
    list(desk.read("pictures", [path], {}, "me"))
    broken = tmp_path / "other" / "broken.png"
    broken.parent.mkdir()
    broken.write_bytes(b"none")
    *_, (view, news) = desk.read("pictures", [str(broken)], {}, "me")
    assert not view.kept and news is None and desk.albums.get("me", "pictures") is None


def test_a_visitor_who_leaves_while_it_is_read_leaves_nothing(desk, path):
    reading = desk.read("unknowns", [path], {}, "me")
    next(reading)
    reading.close()
    assert desk.albums.get("me", "unknowns") is None


def test_the_class_list_follows_the_level_that_is_chosen_unless_it_is_ones_own(desk, tmp_path):
    for name in ("pets/cat/1.png", "pets/dog/1.png", "cars/van/1.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        Image.new("RGB", (20, 10)).save(tmp_path / "set" / name)
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set")
    *_, (view, news) = desk.read("pictures", [archive], {}, "me")
    assert view.level == 1 and news["class_names"] == "cat\ndog\nvan"
    view, news = desk.choose_level(0, {"class_names": "cat, dog, van"}, "me")
    assert view.level == 0 and news["class_names"] == "cars\npets"
    assert view.counts == (("cars", 1), ("pets", 2)) and view.folders == ()
    view, news = desk.choose_level(1, {"class_names": "dog, horse"}, "me")
    assert news is None and view.counts == (("dog", 1),) and view.folders == ("cat", "dog", "van")
    assert desk.choose_level(0, {}, "somebody else") is None


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPTTA_DATA", str(tmp_path))
    datasets._open.cache_clear()
    for name in ("pets/cat/1.png", "pets/dog/1.png", "cars/van/1.png"):
        (tmp_path / "own" / name).parent.mkdir(parents=True)
        Image.new("RGB", (20, 10)).save(tmp_path / "own" / name)
    return {"source": "dataset:folder"}


def test_which_folders_are_classes_is_chosen_in_the_data_folder_as_in_an_upload(desk, own_folder):
    view = desk.recount(own_folder, "me")
    assert view.said == "In the data folder: 3 pictures, all with a label." and not view.kept
    assert view.levels == ((0, "cars, pets"), (1, "cat, dog, van")) and view.level == 1
    view, news = desk.choose_level(0, own_folder, "me")
    assert (
        view.level == 0 and view.counts == (("cars", 1), ("pets", 2)) and news["class_names"] == "cars\npets"
    )
    source = DatasetSource("folder", split_names(news["class_names"]))
    assert source.class_names == ("cars", "pets") and source.labels.tolist() == [0, 1, 1], "so does a run"
    assert desk.recount(own_folder | news, "me").level == 0, "and it is told again after another change"
    assert desk.choose_level(7, own_folder | news, "me")[0].level == 1, "no such level: the likeliest"
    assert desk.recount({"source": "rendered"}, "me").said == ""


def test_a_data_folder_that_cannot_be_read_is_answered_with_a_sentence(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPTTA_DATA", str(tmp_path))
    datasets._open.cache_clear()
    assert "looked for 'own/*'" in desk.recount({"source": "dataset:folder"}, "me").said
    view, news = desk.choose_level(0, {"source": "dataset:folder"}, "me")
    assert "looked for 'own/*'" in view.said and news is None


def test_a_visitor_who_leaves_when_it_has_been_read_leaves_nothing_either(desk, path):
    reading = desk.read("pictures", [path], {}, "me")
    assert next(view for view, news in reading if view.kept)
    assert desk.albums.get("me", "pictures") is not None
    reading.close()  # before the answer has been taken
    assert desk.albums.get("me", "pictures") is None


def test_what_is_removed_is_no_longer_the_source(desk, path):
    list(desk.read("unknowns", [path], {}, "me"))
    view, news = desk.remove("unknowns", {"unknown_source": "upload"}, "me")
    assert not view.said and news == {"unknown_source": "none"}
    assert desk.remove("unknowns", {"unknown_source": "textures"}, "me")[1] is None
