"""Data sets: tiny files in each set's true layout are found, labelled, named and shown at their size."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import shutil
import threading
import zipfile
from http.client import IncompleteRead
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image

from clip_tta_core import comparison, engine
from clip_tta_core.clip import prompts
from clip_tta_core.logs import open_log
from clip_tta_core.records import RunConfig
from clip_tta_core.sources import datasets, fetching, readers
from clip_tta_core.sources.datasets import DATASETS, DatasetSource
from clip_tta_core.stream import Stream

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty data folder, and no network: what is missing stays missing."""
    monkeypatch.setenv(datasets.DATA_VARIABLE, str(tmp_path))

    def offline(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr(fetching, "urlopen", offline)
    return tmp_path


@pytest.fixture
def any_checksum(monkeypatch):
    """Torchvision knows the checksums of the published files, which a tiny stand-in cannot have."""
    for module in ("cifar", "svhn", "flowers102"):
        monkeypatch.setattr(
            getattr(torchvision.datasets, module), "check_integrity", lambda path, md5=None: True
        )


def picture(path: Path, shade: int = 100, size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 0, 0)).save(path)


def lines(path: Path, *content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(content) + "\n")


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


# Each writes a tiny copy and returns what must come out: {class name: pictures}, in the order of the classes.


def cifar(folder: Path, base: str, test: str, meta: str, key: str, names: list[str]) -> dict[str, int]:
    (folder / base).mkdir()
    labels = [k % len(names) for k in range(2 * len(names))]
    content = {"data": noise(len(labels), 3072), key: labels}
    (folder / base / test).write_bytes(pickle.dumps(content))
    (folder / base / meta).write_bytes(pickle.dumps({"label_names": names, "fine_label_names": names}))
    return {name.replace("_", " "): 2 for name in names}


def cifar10(folder):
    names = list(readers.CIFAR10_CLASSES)
    return cifar(folder, "cifar-10-batches-py", "test_batch", "batches.meta", "labels", names)


def cifar100(folder):
    names = ["apple", "aquarium_fish"] + [f"thing {k:02d}" for k in range(98)]
    return cifar(folder, "cifar-100-python", "test", "meta", "fine_labels", names)


def cifar101(folder):
    (folder / "CIFAR-10.1").mkdir()
    np.save(folder / "CIFAR-10.1" / "cifar10.1_v6_data.npy", noise(20, 32, 32, 3))
    np.save(folder / "CIFAR-10.1" / "cifar10.1_v6_labels.npy", (np.arange(20) % 10).astype(np.int32))
    return dict.fromkeys(readers.CIFAR10_CLASSES, 2)


def svhn(folder):
    matlab = pytest.importorskip("scipy.io")
    labels = np.array([[10], [1], [2], [9], [10]], np.uint8)  # the published files write the digit 0 as 10
    matlab.savemat(folder / "test_32x32.mat", {"X": noise(32, 32, 3, 5), "y": labels})
    return {"0": 2, "1": 1, "2": 1} | dict.fromkeys("345678", 0) | {"9": 1}


def dtd(folder):
    for name in ("banded", "polka-dotted"):
        picture(folder / "dtd/dtd/images" / name / f"{name}_0001.jpg")
    lines(folder / "dtd/dtd/labels/test1.txt", "banded/banded_0001.jpg", "polka-dotted/polka-dotted_0001.jpg")
    return {"banded": 1, "polka-dotted": 1}


def eurosat(folder):
    picture(folder / "eurosat/2750/AnnualCrop/AnnualCrop_1.jpg", size=(64, 64))
    picture(folder / "eurosat/2750/SeaLake/SeaLake_1.jpg", size=(64, 64))
    return {"annual crop": 1, "sea lake": 1}


def flowers102(folder):
    matlab = pytest.importorskip("scipy.io")
    for number in (1, 2, 3):
        picture(folder / "flowers-102/jpg" / f"image_{number:05d}.jpg")
    matlab.savemat(folder / "flowers-102/imagelabels.mat", {"labels": np.array([1, 102, 1])})
    matlab.savemat(folder / "flowers-102/setid.mat", {"trnid": [2], "valid": [2], "tstid": [1, 2, 3]})
    names = [name.lower() for name in torchvision.datasets.Flowers102.classes]
    return dict.fromkeys(names, 0) | {names[0]: 2, names[101]: 1}


def food101(folder):
    for name in ("apple_pie", "waffles"):
        picture(folder / "food-101/images" / name / "1.jpg")
    lines(
        folder / "food-101/meta/test.json",
        json.dumps({"apple_pie": ["apple_pie/1"], "waffles": ["waffles/1"]}),
    )
    return {"apple pie": 1, "waffles": 1}


def pets(folder):
    for image in ("Abyssinian_1", "great_pyrenees_7", "great_pyrenees_8"):
        picture(folder / "oxford-iiit-pet/images" / f"{image}.jpg")
    rows = ("Abyssinian_1 1 1 1", "great_pyrenees_7 16 2 9", "great_pyrenees_8 16 2 9")
    lines(folder / "oxford-iiit-pet/annotations/test.txt", *rows)
    return {"abyssinian": 1, "great pyrenees": 2}


def cars(folder):
    matlab = pytest.importorskip("scipy.io")
    base = folder / "stanford_cars"
    for name in ("00001.jpg", "00002.jpg"):
        picture(base / "cars_test" / name)
    (base / "devkit").mkdir()
    names = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)
    matlab.savemat(base / "devkit/cars_meta.mat", {"class_names": names})
    rows = np.array([("00001.jpg", 2), ("00002.jpg", 1)], dtype=[("fname", object), ("class", object)])
    matlab.savemat(base / "cars_test_annos_withlabels.mat", {"annotations": rows})
    return {"AM General Hummer SUV 2000": 1, "Acura RL Sedan 2012": 1}


def aircraft(folder):
    base = folder / "fgvc-aircraft-2013b/data"
    picture(base / "images/0000001.jpg")
    lines(base / "variants.txt", "707-320", "A300B4")
    lines(base / "images_variant_test.txt", "0000001 A300B4")
    return {"707-320": 0, "A300B4": 1}


def caltech101(folder):
    base = folder / "caltech101/101_ObjectCategories"
    for name in ("BACKGROUND_Google", "Faces_easy", "accordion"):
        picture(base / name / "image_0001.jpg")
    return {"faces easy": 1, "accordion": 1}


def sun397(folder):
    picture(folder / "SUN397/a/abbey/sun_aaa.jpg")
    picture(folder / "SUN397/a/apse/indoor/sun_bbb.jpg")
    lines(folder / "SUN397/ClassName.txt", "/a/abbey", "/a/apse/indoor")
    return {"abbey": 1, "indoor apse": 1}


def places365(folder):
    for name in ("airplane_cabin", "airplane_cabin", "zen_garden"):
        base = folder / "places365_standard/val" / name
        picture(base / f"Places365_val_{len(list(base.glob('*'))):08d}.jpg", size=(256, 256))
    return {"airplane cabin": 2, "zen garden": 1}


def imagenette(folder):
    picture(folder / "imagenette2-160/val/n01440764/1.JPEG")
    picture(folder / "imagenette2-160/val/n03888257/1.JPEG")
    return {"tench": 1, "parachute": 1}


def pcam(folder):
    h5py = pytest.importorskip("h5py")
    (folder / "pcam").mkdir()
    for part, content in (("x", noise(3, 96, 96, 3)), ("y", np.array([0, 1, 1]).reshape(3, 1, 1, 1))):
        with h5py.File(folder / f"pcam/camelyonpatch_level_2_split_test_{part}.h5", "w") as file:
            file[part] = content
    return {"healthy lymph node tissue": 1, "lymph node tumor tissue": 2}


def imagenet(folder, base="ImageNet/val"):
    for wnid in ("n01440764", "n04254680"):
        picture(folder / base / wnid / f"{wnid}_1.JPEG")
    return {"tench": 1, "soccer ball": 1}


def imagenet_r(folder):
    return imagenet(folder, "imagenet-r")


def imagenet_a(folder):
    lines(folder / "imagenet-a/README.txt", "n01440764 tench")
    return imagenet(folder, "imagenet-a")


def imagenet_sketch(folder):
    return imagenet(folder, "sketch")


def imagenet_v2(folder):
    for number in (0, 10, 2):  # sorted as text: 0, 10, 2
        picture(folder / readers.IMAGENET_V2 / str(number) / "a.jpeg")
    names = list(readers.imagenet_names().values())
    return dict.fromkeys(names, 0) | {names[number]: 1 for number in (0, 10, 2)}


def domain(base):
    def write(folder):
        for name in ("Alarm_Clock", "dog"):
            picture(folder / base / name / "1.jpg")
        return {"alarm clock": 1, "dog": 1}

    return write


def visda(folder):
    base = folder / "visda-c/validation"
    for name in ("aeroplane/a.jpg", "truck/b.jpg", "truck/c.jpg"):
        picture(base / name)
    lines(base / "image_list.txt", "aeroplane/a.jpg 0", "truck/b.jpg 11", "truck/c.jpg 11")
    return {"aeroplane": 1, "truck": 2}


def own(folder):
    for name in ("BMW_i3", "VW Golf"):
        picture(folder / "own" / name / "1.png")
    return {"BMW i3": 1, "VW Golf": 1}


WRITERS = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "cifar10.1": cifar101,
    "svhn": svhn,
    "dtd": dtd,
    "eurosat": eurosat,
    "flowers102": flowers102,
    "food101": food101,
    "pets": pets,
    "cars": cars,
    "aircraft": aircraft,
    "caltech101": caltech101,
    "sun397": sun397,
    "places365": places365,
    "imagenette": imagenette,
    "pcam": pcam,
    "imagenet": imagenet,
    "imagenet-r": imagenet_r,
    "imagenet-a": imagenet_a,
    "imagenet-v2": imagenet_v2,
    "imagenet-sketch": imagenet_sketch,
    "pacs-photo": domain("PACS/photo"),
    "pacs-art": domain("PACS/art_painting"),
    "pacs-cartoon": domain("PACS/cartoon"),
    "pacs-sketch": domain("PACS/sketch"),
    "office-home-art": domain("OfficeHome/Art"),
    "office-home-clipart": domain("OfficeHome/Clipart"),
    "office-home-product": domain("OfficeHome/Product"),
    "office-home-real": domain("OfficeHome/Real World"),
    "visda-c": visda,
    "folder": own,
}


# Those that are pictures in folders, and nothing else.
TREES = {"eurosat", "caltech101", "imagenette", "folder", "imagenet", "places365"} | {
    name for name in WRITERS if name.startswith(("imagenet-", "pacs-", "office-home-"))
}
OPTIONAL = {"README.txt"}


def test_every_data_set_has_a_tiny_copy():
    assert WRITERS.keys() == {name for name, dataset in DATASETS.items() if not dataset.corrupted}


@pytest.mark.parametrize("name", WRITERS)
def test_a_tiny_copy_in_the_true_layout_is_read(name, folder, any_checksum):
    expected = WRITERS[name](folder)
    source = DatasetSource(name)
    assert source.class_names == tuple(expected)
    counts = np.bincount(source.labels[source.places], minlength=len(expected))
    assert counts.tolist() == list(expected.values())
    items, labels = source.arrange(1000, "sorted", np.random.default_rng(0))
    assert len(items) == sum(expected.values()) and (np.diff(labels) >= 0).all()
    images, names = source.read(items[:3], labels[:3])
    size = DATASETS[name].size
    assert images.shape == (min(3, len(items)), size, size, 3) and images.dtype == np.uint8
    assert all(isinstance(shown, str) and shown for shown in names)
    assert any(choice.name == f"dataset:{name}" for choice in datasets.choices())


@pytest.mark.parametrize("damage", [b"", b"<html>404</html>\n", bytes(1000)], ids=["empty", "page", "zeros"])
@pytest.mark.parametrize("name", [name for name in WRITERS if name not in TREES])
def test_lists_that_are_damaged_are_answered_with_a_sentence(name, damage, folder, any_checksum):
    """Each file that is no picture in turn: the set is read without it, or its title begins one sentence."""
    WRITERS[name](folder)
    listings = [p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".jpg", ".JPEG", ".jpeg")]
    assert listings
    for path in listings:
        whole = path.read_bytes()
        path.write_bytes(damage)
        datasets._open.cache_clear()
        try:
            source = DatasetSource(name)
            source.read(source.places[:1], source.labels[source.places[:1]])
        except ValueError as error:
            assert str(error).startswith(f"{DATASETS[name].title}: ") and str(error).endswith(".")
            assert "\n" not in str(error)
        else:
            assert path.name in OPTIONAL, f"{path.name} was never read"
        path.write_bytes(whole)


def test_a_compressed_list_with_wrong_bytes_is_answered_with_a_sentence(folder, any_checksum):
    matlab = pytest.importorskip("scipy.io")
    path = folder / "test_32x32.mat"
    matlab.savemat(path, {"X": noise(32, 32, 3, 5), "y": np.ones((5, 1), np.uint8)}, do_compression=True)
    content = bytearray(path.read_bytes())
    content[-len(content) // 2 :: 7] = bytes(len(content[-len(content) // 2 :: 7]))
    path.write_bytes(content)
    with pytest.raises(ValueError, match="SVHN: its files in .* cannot be read"):
        DatasetSource("svhn")


@pytest.mark.parametrize("name", DATASETS)
def test_a_missing_data_set_says_in_one_sentence_what_was_looked_for_and_where(name, folder):
    with pytest.raises(ValueError) as error:
        DatasetSource(name, corruption="fog")
    text = str(error.value)
    assert DATASETS[name].title in text and f"looked for '{DATASETS[name].needs[0]}' in {folder}" in text
    assert "\n" not in text and text.endswith(".")


FOUND = {  # data set -> what its published folder is called elsewhere
    "office-home-real": [
        *("OfficeHome/Real_World", "office_home/RealWorld", "Office-Home/real world", "OfficeHome/Real"),
        *("OfficeHomeDataset_10072016/Real World", "OfficeHome/OfficeHomeDataset/Real World"),
        "OfficeHome/images/Real_World",
    ],
    "pacs-photo": ["PACS/dct2_images/dct2_images/photo", "PACS/Raw images/photo", "PACS/P"],
    "folder": ["Own", "OWN"],
    "office-home-clipart": ["OfficeHome/Clip Art", "officehome/clipart"],
    "pacs-art": ["PACS/art painting", "pacs/PACS/ArtPainting", "PACS_dataset/images/art_painting"],
    "caltech101": [
        "caltech-101/101_ObjectCategories",
        "caltech-101",
        "101_ObjectCategories/101_ObjectCategories",
    ],
    "eurosat": ["EuroSAT/2750", "2750", "EuroSAT_RGB", "eurosat", "eurosat/2750/2750"],
    "imagenet": [
        *("imagenet/images/val", "ILSVRC/Data/CLS-LOC/val", "imagenet-1k/val", "imagenet"),
        *("ILSVRC2012_val", "ILSVRC2012/ILSVRC2012_img_val"),
    ],
    "imagenet-v2": ["imagenetv2/imagenetv2-matched-frequency-format-val", "ImageNet-V2", "ImageNetV2"],
    "imagenet-r": ["ImageNet-R", "imagenet-rendition/imagenet-r", "imagenet_r/imagenet_r"],
    "imagenet-a": ["imagenet-adversarial/imagenet-a", "ImageNet-A"],
    "imagenet-sketch": ["ImageNet-Sketch/sketch", "imagenet-sketch/images", "imagenet_sketch"],
    "imagenette": ["imagenette2-320", "imagenette/imagenette2-160", "Imagenette-160"],
    "visda-c": ["VisDA-C/validation", "visda-2017/validation"],
    "dtd": ["dtd", "DTD/dtd/dtd", "describable_textures"],
    "pets": ["oxford_pets", "Oxford-IIIT-Pet"],
    "food101": ["food101", "Food-101/food-101"],
    "aircraft": ["fgvc_aircraft", "fgvc-aircraft-2013b/fgvc-aircraft-2013b/data"],
}


@pytest.mark.parametrize(("name", "place"), [(name, place) for name in FOUND for place in FOUND[name]])
def test_a_set_is_found_under_the_names_that_its_folders_have_elsewhere(name, place, folder):
    published = {"office-home-real": "office-home-art", "office-home-clipart": "office-home-art"}
    writer = WRITERS[published.get(name, name)]
    (folder / "published").mkdir()
    expected = writer(folder / "published")
    base = DATASETS[published.get(name, name)].base
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder / "published" / base, folder / place)
    assert f"dataset:{name}" in [choice.name for choice in datasets.choices()]
    source = DatasetSource(name)
    assert list(source.class_names) == list(expected)
    images, _ = source.read(source.places[:1], source.labels[:1])
    assert images[..., 0].min() > 90, "a picture that is there"


@pytest.mark.parametrize(
    ("there", "name", "lacks"),
    [
        (
            "ImageNet/val/ILSVRC2012_val_00000001.JPEG",
            "imagenet",
            "lie flat and must be sorted into a folder for each",
        ),
        ("PACS/photo/dog/1.jpg", "pacs-cartoon", "PACS is there and lacks 'cartoon'"),
        ("OfficeHome/Art/Bike/1.jpg", "office-home-product", "OfficeHome is there and lacks 'Product'"),
        (
            "oxford_flowers/jpg/image_00001.jpg",
            "flowers102",
            "oxford_flowers is there and lacks 'imagelabels.mat'",
        ),
        (
            "stanford_cars/cars_train/1.jpg",
            "cars",
            "stanford_cars is there and lacks 'cars_test_annos_withlabels.mat'",
        ),
    ],
)
def test_of_a_set_that_is_there_in_part_the_sentence_says_what_is_missing(
    there, name, lacks, folder, monkeypatch
):
    picture(folder / there)
    without = dataclasses.replace(DATASETS[name], archives=())
    monkeypatch.setitem(DATASETS._items, name, without)
    assert f"dataset:{name}" in [choice.name for choice in datasets.choices()]
    with pytest.raises(ValueError, match=lacks):
        DatasetSource(name)


JUNK = [
    "__MACOSX/{}/._1.jpg",
    "@eaDir/x.jpg",
    "{}/@eaDir/1.jpg/thumb.jpg",
    ".ipynb_checkpoints/1.jpg",
    "{}/._1.jpg",
]


@pytest.mark.parametrize(
    "name",
    ["eurosat", "caltech101", "imagenet", "imagenette", "imagenet-r", "pacs-photo", "sun397", "visda-c"],
)
def test_what_systems_leave_is_in_no_published_set(name, folder):
    expected = WRITERS[name](folder)
    place = folder / DATASETS[name].base
    below = next(path for path in sorted(place.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg")).parent
    for junk in JUNK:
        picture(place / junk.format(below.relative_to(place)))
    (place / "@eaDir" / "sun_1.jpg").mkdir()
    (place / ".DS_Store").write_bytes(b"")
    (below / "Thumbs.db").write_bytes(b"")
    source = DatasetSource(name)
    assert list(source.class_names) == list(expected)
    counts = np.bincount(source.labels[source.places], minlength=len(expected))
    assert counts.tolist() == list(expected.values())


def test_an_empty_folder_is_no_class_of_a_published_set(folder):
    picture(folder / "PACS/photo/dog/1.jpg")
    picture(folder / "PACS/photo/horse/1.jpg")
    (folder / "PACS/photo/guitar").mkdir()
    assert DatasetSource("pacs-photo").class_names == ("dog", "horse")


@pytest.mark.parametrize(
    "content", [b"", b"<html>404</html>", bytes(500), b"\0\0\0\x18ftypheic" + bytes(100)]
)
@pytest.mark.parametrize("name", ["pacs-photo", "imagenet", "eurosat"])
def test_one_broken_picture_of_a_published_set_is_passed_over(name, content, folder):
    expected = sum(WRITERS[name](folder).values())
    first = sorted((folder / DATASETS[name].base).rglob("*.[jJ][pP]*"))[0]
    (first.parent / "zz_bad.jpg").write_bytes(content)
    stream = Stream(RunConfig(source=f"dataset:{name}", batch_size=16, batches=1), 224)
    assert sum(map(len, stream)) == expected
    assert stream.notes[-1].endswith("1 picture could not be read and was passed over.")


def test_ones_own_folder_takes_every_ending_that_is_read_and_says_which_it_does_not(folder):
    own(folder)
    for ending in ("jfif", "JIF", "pjpeg", "jpe"):
        Image.new("RGB", (9, 9)).save(folder / f"own/BMW_i3/2.{ending}", "JPEG")
    count = len(DatasetSource("folder").places)
    for name in ("IMG_1.HEIC", "IMG_2.heic", "notes.txt", "noending"):
        (folder / "own/BMW_i3" / name).write_bytes(b"?")
    datasets._open.cache_clear()
    source = DatasetSource("folder")
    assert len(source.places) == count == 6
    assert source.notes[-1] == (
        "Your own folder: 4 files were passed over, for their endings are no picture's (.heic, .txt, none)."
    )


def test_a_run_over_ones_own_folder_is_logged_and_compared_by_its_classes(folder):
    for path in ("cat/1.png", "horse/1.png", "cup/1.png"):
        picture(folder / "own" / path)
    config = RunConfig(source="dataset:folder", methods={"tent": {}}, batch_size=4, batches=1)
    log = open_log(config)
    for report in engine.run(config):
        log.append(report, 1.0)
    assert log.class_names == ("cat", "cup", "horse") and len(log.truth[0]) == 3
    assert [one.classes for one in comparison.in_turns(config, {"tent": {}})][-1] == 3


def test_of_ones_own_folder_the_level_is_said_and_a_list_takes_another(folder):
    for path in ("pets/cat/1.png", "pets/dog/1.png", "cars/van/1.png"):
        picture(folder / "own" / path)

    def run(*class_names: str) -> tuple[Stream, list[str]]:
        stream = Stream(
            RunConfig(source="dataset:folder", class_names=class_names, batch_size=8, batches=1), 224
        )
        (batch,) = stream
        return stream, sorted(stream.class_names[label] for label in batch.labels)

    stream, shown = run()
    assert shown == ["cat", "dog", "van"]
    assert stream.notes == (
        "Your own folder: Classes are the folders cat, dog, van, level 2 from the top.",
        "Your own folder: Level 1 from the top has cars, pets: type those names as classes to take them "
        "instead.",
    )
    stream, shown = run("pets", "cars")
    assert shown == ["cars", "pets", "pets"] and "Classes are the folders cars, pets" in stream.notes[0]


def test_every_data_set_describes_itself():
    for dataset in DATASETS.values():
        assert dataset.help.endswith(".") and dataset.templates in prompts.TEMPLATES


def test_labels_and_pixels_stay_together(folder, any_checksum):
    cifar10(folder)
    published = pickle.loads((folder / "cifar-10-batches-py/test_batch").read_bytes())
    source = DatasetSource("cifar10")
    items, labels = source.arrange(20, "shuffled", np.random.default_rng(1))
    images, _ = source.read(items, labels)
    for image, item, label in zip(images, items, labels, strict=True):
        np.testing.assert_array_equal(image, published["data"][item].reshape(3, 32, 32).transpose(1, 2, 0))
        assert label == published["labels"][item]


def class_zip(path: Path, **pictures: int) -> None:
    """A zip with a folder for each class, and what systems leave beside the pictures."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.txt", "no picture")
        for name, count in pictures.items():
            for number in range(count):
                content = io.BytesIO()
                Image.new("RGB", (32, 32), (10 * number, 0, 0)).save(content, "PNG")
                archive.writestr(f"{name}/{number:05d}.png", content.getvalue())


@pytest.mark.parametrize("unpacked", [False, True])
def test_cifar_in_class_folders_or_a_zip_of_them_is_found_and_read(unpacked, folder):
    class_zip(folder / "cifar100_test_half.zip", sweet_pepper=3, apple=2)
    if unpacked:
        with zipfile.ZipFile(folder / "cifar100_test_half.zip") as archive:
            archive.extractall(folder / "cifar100_test_half")
        (folder / "cifar100_test_half.zip").unlink()
    assert not DATASETS["cifar100"].missing(folder) and DATASETS["cifar10"].missing(folder)
    source = DatasetSource("cifar100")
    assert source.class_names == ("apple", "sweet pepper")
    items, labels = source.arrange(9, "sorted", np.random.default_rng(0))
    images, names = source.read(items, labels)
    assert labels.tolist() == [0, 0, 1, 1, 1] and images.shape == (5, 32, 32, 3)
    shades = {name: int(image[0, 0, 0]) for name, image in zip(names, images, strict=True)}
    assert shades["sweet_pepper/00002.png"] == 20 and shades["apple/00001.png"] == 10


def test_the_published_files_win_over_class_folders(folder, any_checksum):
    class_zip(folder / "cifar10_test_half.zip", cat=1)
    cifar10(folder)
    assert DatasetSource("cifar10").class_names == readers.CIFAR10_CLASSES


@pytest.mark.parametrize(
    ("archive", "name"),
    [("PACS.zip", "pacs-art"), ("imagenet-r.tar", "imagenet-r"), ("SUN397-1.0.tar.gz", "sun397")],
)
def test_a_set_that_is_still_packed_is_offered_with_the_sentence_what_to_do(archive, name, folder):
    (folder / archive).write_bytes(b"whatever")
    assert f"dataset:{name}" in {one.name for one in datasets.choices()}
    with pytest.raises(ValueError, match=f"{archive} is there and must be unpacked"):
        DatasetSource(name)


LISTS = {  # of published sets: the text files in them
    "dtd": "dtd/dtd/labels/*.txt",
    "food101": "food-101/meta/*",
    "pets": "oxford-iiit-pet/annotations/*",
    "aircraft": "fgvc-aircraft-2013b/data/*.txt",
    "sun397": "SUN397/ClassName.txt",
    "visda-c": "visda-c/validation/image_list.txt",
}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", LISTS)
def test_lists_that_an_editor_has_saved_anew_are_read_all_the_same(name, encoding, folder):
    """With a byte order mark and the line ends of Windows."""
    expected = WRITERS[name](folder)
    lists = list(folder.glob(LISTS[name]))
    for path in lists:
        path.write_bytes(path.read_text().replace("\n", "\r\n").encode(encoding))
    source = DatasetSource(name)
    assert lists and source.class_names == tuple(expected)
    images, _ = source.read(source.places, source.labels[source.places])
    assert not source.broken and len(images) == sum(expected.values())


def test_a_list_of_scenes_may_lie_beside_their_pictures(folder):
    expected = sun397(folder)
    (folder / "SUN397").rename(folder / "pictures")
    (folder / "sun397").mkdir()
    (folder / "pictures").rename(folder / "sun397/SUN397")
    (folder / "sun397/SUN397/ClassName.txt").rename(folder / "sun397/ClassName.txt")
    source = DatasetSource("sun397")
    assert source.class_names == tuple(expected) and len(source.places) == 2


def test_a_zip_that_is_none_is_told_in_one_sentence(folder):
    (folder / "cifar10_test.zip").write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match="'cifar10_test.zip' is no zip archive, or damaged.*\\.$"):
        DatasetSource("cifar10")


def test_the_classes_of_one_cifar_are_unknown_to_the_other(folder):
    class_zip(folder / "cifar10_test.zip", cat=8, ship=8)
    class_zip(folder / "cifar100_test.zip", rose=8, wolf=8)
    for known, unknown in (("cifar10", "cifar100"), ("cifar100", "cifar10")):
        config = RunConfig(
            source=f"dataset:{known}", unknown_source=f"dataset:{unknown}", batch_size=16, batches=1
        )
        batch = Stream(config, 32).batch(0)
        assert batch.unknown.sum() == 8 and (batch.labels[batch.unknown] == -1).all()
        shown = {
            name.split("/")[0] for name, strange in zip(batch.names, batch.unknown, strict=True) if strange
        }
        assert shown <= ({"rose", "wolf"} if unknown == "cifar100" else {"cat", "ship"})


def test_a_shorter_class_list_keeps_its_pictures_only(folder):
    cifar101(folder)
    source = DatasetSource("cifar10.1", ("ship", "cat"))
    items, labels = source.arrange(100, "shuffled", np.random.default_rng(0))
    assert sorted(items % 10) == [3, 3, 8, 8] and all(labels == np.where(items % 10 == 8, 0, 1))
    with pytest.raises(ValueError, match="none of its pictures shows a class of the list"):
        DatasetSource("cifar10.1", ("umbrella", "anchor"))


@pytest.mark.parametrize("repeated", [False, True])
def test_cifar_c_takes_the_severity_from_the_file(repeated, folder):
    base = folder / "CIFAR-10-C"
    base.mkdir()
    images = np.zeros((50, 32, 32, 3), np.uint8)
    images[:] = (np.arange(50) // 10 * 50)[:, None, None, None]  # ten pictures a severity, each a shade
    labels = np.arange(10)
    np.save(base / "fog.npy", images)
    np.save(
        base / "labels.npy", np.tile(labels, 5) if repeated else labels
    )  # the published file repeats them
    config = RunConfig(source="dataset:cifar10-c", corruption="fog", severity=3, batch_size=10, batches=1)
    batch = Stream(config, 224).batch(0)
    assert batch.images.shape == (10, 32, 32, 3) and (batch.images == 100).all(), "not corrupted once more"
    assert set(batch.applied) == {"fog 3"} and sorted(batch.labels) == list(range(10))


def test_cifar_c_says_what_it_has(folder):
    (folder / "CIFAR-10-C").mkdir()
    np.save(folder / "CIFAR-10-C" / "labels.npy", np.arange(10))
    np.save(folder / "CIFAR-10-C" / "frost.npy", noise(50, 32, 32, 3))
    with pytest.raises(ValueError, match="'fog.npy' is not in CIFAR-10-C; there are: frost"):
        DatasetSource("cifar10-c", corruption="fog")
    with pytest.raises(ValueError, match="choose one of its corruptions, got 'none'"):
        DatasetSource("cifar10-c")
    config = RunConfig(source="dataset:cifar10-c", corruption="frost", schedule="wave")
    with pytest.raises(ValueError, match="schedule"):
        Stream(config, 224)


def test_cifar100_c_needs_the_names_of_its_classes(folder, any_checksum):
    (folder / "CIFAR-100-C").mkdir()
    np.save(folder / "CIFAR-100-C" / "labels.npy", np.arange(10))
    np.save(folder / "CIFAR-100-C" / "fog.npy", noise(50, 32, 32, 3))
    with pytest.raises(ValueError, match="class names must be in"):
        DatasetSource("cifar100-c", corruption="fog")
    names = list(cifar100(folder))
    assert DatasetSource("cifar100-c", corruption="fog", severity=2).class_names == tuple(names)


@pytest.mark.parametrize("group", ["", "weather/"])
def test_imagenet_c_takes_corruption_and_severity_from_the_folder(group, folder):
    for severity in range(1, 6):
        path = folder / f"ImageNet-C/{group}fog/{severity}/n01440764/ILSVRC2012_val_1.JPEG"
        picture(path, shade=40 * severity, size=(224, 224))
    source = DatasetSource("imagenet-c", corruption="fog", severity=4)
    images, _ = source.read(np.array([0]), np.array([0]))
    assert abs(int(images[0, 0, 0, 0]) - 160) < 4 and source.class_names == ("tench",)
    with pytest.raises(ValueError, match="'snow/5' is not in ImageNet-C; there are: fog"):
        DatasetSource("imagenet-c", corruption="snow")


def test_live_corruption_applies_at_native_size(folder):
    cifar101(folder)
    config = RunConfig(source="dataset:cifar10.1", corruption="contrast", batch_size=20, batches=1)
    batch = Stream(config, 224).batch(0)
    clean = Stream(RunConfig(source="dataset:cifar10.1", batch_size=20, batches=1), 224).batch(0)
    assert batch.images.shape == (20, 32, 32, 3) and batch.names == clean.names
    assert batch.images.std() < 0.3 * clean.images.std()


def test_a_data_set_can_be_the_unknowns(folder):
    cifar101(folder)
    own(folder)
    config = RunConfig(
        source="dataset:cifar10.1",
        unknown_source="dataset:folder",
        unknown_share=0.1,
        batch_size=20,
        batches=1,
    )
    batch = Stream(config, 224).batch(0)
    assert batch.unknown.sum() == 2 and (batch.labels[batch.unknown] == -1).all()
    assert all(
        name.endswith("1.png") for name, strange in zip(batch.names, batch.unknown, strict=True) if strange
    )


def test_a_wrong_checksum_is_refused(folder):
    """A stand-in for CIFAR-10 without its checksum: pickles of unknown origin are not opened."""
    cifar10(folder)
    with pytest.raises(ValueError, match=r"\(CIFAR-10\): its files in .* cannot be read .*corrupted"):
        DatasetSource("cifar10")


def test_a_missing_package_is_named(folder, monkeypatch):
    import sys

    for part in ("x", "y"):
        lines(folder / f"pcam/camelyonpatch_level_2_split_test_{part}.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match="reading it needs the package 'h5py'"):
        DatasetSource("pcam")


def test_one_broken_picture_is_passed_over_and_counted(folder):
    for number in range(5):
        picture(folder / f"own/cat/{number}.png", shade=200)
        picture(folder / f"own/dog/{number}.png", shade=200)
    (folder / "own/cat/3.png").write_bytes(b"no picture")
    stream = Stream(RunConfig(source="dataset:folder", batch_size=4, batches=3), 224)
    batches = list(stream)
    assert sum(map(len, batches)) == 9 and not any("cat/3" in name for b in batches for name in b.names)
    assert all(batch.images.mean() > 40 for batch in batches), "and no black square stands for it"
    assert stream.notes[-1].endswith("1 picture could not be read and was passed over.")


def test_a_set_that_is_broken_in_more_than_one_picture_in_a_hundred_ends_the_run(folder):
    for number in range(20):
        picture(folder / f"own/cat/{number}.png")
        picture(folder / f"own/dog/{number}.png")
    for number in (3, 7):
        (folder / f"own/cat/{number}.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"2 of 40 pictures cannot be read.*'cat/[37].png'; fetch the set"):
        list(Stream(RunConfig(source="dataset:folder", batch_size=40, batches=1), 224))


def test_broken_unknowns_are_passed_over_too_and_a_batch_may_end_up_empty(folder):
    own(folder)
    (folder / "own/BMW_i3/1.png").write_bytes(b"")
    assert sorted(map(len, Stream(RunConfig(source="dataset:folder", batch_size=1, batches=2), 224))) == [
        0,
        1,
    ]
    cifar101(folder)
    unknowns = {"unknown_source": "dataset:folder", "unknown_share": 0.1}
    (batch,) = Stream(RunConfig(source="dataset:cifar10.1", batch_size=20, batches=1, **unknowns), 224)
    assert len(batch) == 19 and batch.unknown.sum() == 1


def test_a_list_may_not_name_files_outside(folder):
    visda(folder)
    lines(folder / "visda-c/validation/image_list.txt", "../../../etc/passwd 0")
    with pytest.raises(ValueError, match="outside"):
        DatasetSource("visda-c")


def test_without_a_folder_nothing_is_offered(monkeypatch, tmp_path):
    monkeypatch.delenv(datasets.DATA_VARIABLE)
    assert datasets.choices() == ()
    with pytest.raises(ValueError, match="CLIPTTA_DATA must name a folder; it is not set"):
        DatasetSource("cifar10")
    monkeypatch.setenv(datasets.DATA_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="must name a folder, got"):
        DatasetSource("cifar10")


def test_an_operator_whose_folder_holds_no_set_is_told_where_they_belong(folder, monkeypatch):
    picture(folder / "cat/1.jpg")
    assert datasets.nothing_found().startswith(
        f"CLIPTTA_DATA: no data set was found in {folder}; each belongs"
    )
    picture(folder / "own/cat/1.jpg")
    assert datasets.nothing_found() == ""
    monkeypatch.delenv(datasets.DATA_VARIABLE)
    assert datasets.nothing_found() == ""


def test_large_sets_are_not_downloaded_by_a_click(folder):
    assert not DATASETS["sun397"].downloadable and DATASETS["cifar10"].downloadable
    with pytest.raises(ValueError, match="not downloaded by itself, put it there"):
        DatasetSource("sun397")
    with pytest.raises(ValueError, match="the download failed .no network in tests"):
        DatasetSource("cifar10")


def test_what_is_to_be_downloaded_says_how_much(folder):
    said = {choice.name: choice.help for choice in datasets.choices()}
    assert said["dataset:cifar10"].endswith(" 170 MB are downloaded first.") and "dataset:sun397" not in said
    class_zip(folder / "cifar10_test_half.zip", cat=1, dog=1)
    said = {choice.name: choice.help for choice in datasets.choices()}
    assert said["dataset:cifar10"] == DATASETS["cifar10"].help


def fetched(name, before=lambda: None):
    """What fetches a set: it brings the tiny copy."""

    def bring(archives, root, tell):
        before()
        WRITERS[name](root)

    return bring


@pytest.mark.parametrize(
    "problem",
    [OSError("HTTP Error 503"), RuntimeError("File not found or corrupted."), IncompleteRead(b"half")],
)
def test_a_failed_download_is_told_in_one_sentence_and_the_next_one_works(problem, folder, monkeypatch):
    def fail():
        raise problem

    monkeypatch.setattr(fetching, "bring", fetched("eurosat", fail))
    with pytest.raises(ValueError, match="EuroSAT: .* the download failed .*[^.]\\); without a") as caught:
        DatasetSource("eurosat")
    assert "\n" not in str(caught.value) and str(caught.value).endswith("EuroSAT.zip.")
    monkeypatch.setattr(fetching, "bring", fetched("eurosat"))
    assert len(DatasetSource("eurosat").places) == 2


def test_a_download_holds_up_only_those_who_want_the_same_set(folder, monkeypatch):
    begun, finish, calls = threading.Event(), threading.Event(), []

    def slow():
        calls.append(folder)
        begun.set()
        assert finish.wait(20)

    monkeypatch.setattr(fetching, "bring", fetched("eurosat", slow))
    sources = []
    threads = [threading.Thread(target=lambda: sources.append(DatasetSource("eurosat"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    cifar101(folder)
    assert len(DatasetSource("cifar10.1").places) == 20 and not sources
    finish.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1 and [source.class_names for source in sources] == [("annual crop", "sea lake")] * 2


def test_a_wrong_name_suggests_the_right_one(folder):
    with pytest.raises(ValueError, match="Unknown data set 'cifar-10'. Did you mean 'cifar10'"):
        Stream(RunConfig(source="dataset:cifar-10"), 224)


def test_imagenet_names_are_a_thousand_different_ones():
    names = readers.imagenet_names()
    assert len(set(names.values())) == 1000 == len(names)
    assert names["n01440764"] == "tench" and list(names)[-1] == "n15075141"


def test_the_eighty_templates_and_ones_own():
    assert len(prompts.templates("eighty")) == 80
    assert prompts.templates("a drawing of {}.\n\n{}!") == ("a drawing of {}.", "{}!")
    assert prompts.fill(prompts.templates("textures")[0], ["polka_dotted"]) == ["polka dotted texture."]
    with pytest.raises(ValueError, match="exactly one"):
        prompts.templates("a {} and a {}")
    with pytest.raises(ValueError, match="Unknown template set 'eigthy'. Did you mean 'eighty'"):
        prompts.templates("eigthy")
    for templates in prompts.TEMPLATES.values():
        assert all(prompts.fill(template, ["cat"]) for template in templates)
