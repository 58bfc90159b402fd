"""Data sets from a folder that the operator names in the environment variable CLIPTTA_DATA.

Each is found in the layout in which it is published, and read by torchvision with its checks of the files
where it knows the format. Those whose archives are declared are downloaded, in sight and stoppable; others
are for the operator to put there. Pictures are decoded when they are shown. Those of one size keep it, so
that corruptions apply where they apply in the papers; others become squares.
"""

from __future__ import annotations

import pickle
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from http.client import HTTPException
from pathlib import Path

import numpy as np

from clip_tta_core import limits
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.records import Choice
from clip_tta_core.registry import Registry
from clip_tta_core.sources import clutter, fetching, folders, layouts, names, readers
from clip_tta_core.sources.base import choose, relabel
from clip_tta_core.sources.decoding import DECODER_ERRORS, SIZE, square
from clip_tta_core.sources.fetching import Archive, Tell
from clip_tta_core.sources.folders import Labels
from clip_tta_core.sources.readers import Items

DATA_VARIABLE = limits.DATA
OWN = "folder"  # the set that is somebody's own
BROKEN = 0.01  # share of a set's pictures that may be unreadable; one always may
# What damaged files raise in the libraries that read them.
DAMAGE = (OSError, RuntimeError, ValueError, TypeError, LookupError, EOFError, pickle.UnpicklingError)


@dataclass(frozen=True)
class Dataset:
    """How a data set is called, found, read and prompted."""

    name: str
    title: str
    help: str  # one sentence
    needs: tuple[str, ...]  # patterns below the data folder, each of which must match
    read: Callable[..., Items]  # (folder) -> Items, for corrupted sets (folder, corruption, severity)
    templates: str = "single"  # a name of clip.prompts.TEMPLATES
    size: int = SIZE  # side of its pictures in pixels
    corrupted: bool = False  # its pictures come corrupted, by kind and severity
    instead: str = ""  # the pattern of what does as well as all that it needs
    archives: tuple[Archive, ...] = ()  # what it is downloaded as; none where the operator must bring it
    megabytes: int = 0  # of the archives
    base: str = ""  # the published folder (or only file) with which all that it needs begins
    also: tuple[str, ...] = ()  # where else it is found

    def places(self, folder: Path) -> list[Path]:
        """Where the set may lie, the published place first; also below a folder of the set's own name."""
        found = []
        for path in (self.base, *self.also):
            for variant in (path, f"{self.name}/{path}", *layouts.variants(path)):
                found += layouts.find(folder, variant)
        return list(dict.fromkeys(found))

    def place(self, folder: Path) -> Path | None:
        """Where the whole set lies, None where nowhere."""
        return next((place for place in self.places(folder) if not self._lacks(place)), None)

    def _lacks(self, place: Path) -> str:
        """The first need that nothing below the place matches, or ""."""
        patterns = (need.removeprefix(self.base).lstrip("/") for need in self.needs)
        return next((n for n, p in zip(self.needs, patterns, strict=True) if not layouts.has(place, p)), "")

    def missing(self, folder: Path) -> str:
        """The first pattern that nothing in `folder` matches, or ""."""
        places = self.places(folder)
        if self.stands_in(folder) or any(not self._lacks(place) for place in places):
            return ""
        return self._lacks(places[0]) if places else self.needs[0]

    def stands_in(self, folder: Path) -> bool:
        """Whether what does as well as the published files is there."""
        return bool(self.instead) and any(folder.glob(self.instead))

    def nearly(self, folder: Path) -> str:
        """What is there instead of the whole set, as half a sentence; "" where nothing is."""
        place = next(
            (place for place in self.places(folder) if place.is_dir() and any(place.iterdir())), None
        )
        if place is None:
            if packed := layouts.packed(folder, {self.name, *Path(self.base).parts[:2]}):
                return f"{packed} is there and must be unpacked"
            top, *rest = Path(self.base).parts
            around = [path for path in layouts.find(folder, top) if path.is_dir() and any(path.iterdir())]
            return f"{around[0]} is there and lacks '{'/'.join(rest)}'" if around and rest else ""
        if any(entry.suffix.lower() in clutter.suffixes() for entry in place.iterdir()):
            return f"the pictures in {place} lie flat and must be sorted into a folder for each class"
        return f"{place} is there and lacks '{self._lacks(place).removeprefix(self.base).lstrip('/')}'"

    @property
    def downloadable(self) -> bool:
        return bool(self.archives)


class DatasetSource:
    """A data set as a source; of a shorter class list, only the pictures of these classes are shown.

    A picture that cannot be read is passed over and counted, as in an upload. Where that happens to more than
    one in a hundred, the set is damaged and the run ends with a sentence.

    Args:
        name: one of `DATASETS`.
        class_names: the list to choose between, empty for the set's own.
        corruption, severity: of a set whose pictures come corrupted.
        depth: the level of one's own folders that is to be the classes, one of `levels`; None for the best.
    """

    def __init__(
        self,
        name: str,
        class_names: tuple[str, ...] = (),
        corruption: str = "none",
        severity: int = 5,
        depth: int | None = None,
    ) -> None:
        self.dataset = DATASETS[name]
        folder = str(data_folder())
        if self.dataset.corrupted:
            if corruption not in CORRUPTIONS:
                raise ValueError(
                    f"{self.dataset.title}: its pictures come corrupted; choose one of its corruptions, got "
                    f"'{corruption}'."
                )
            self.items = _open(name, folder, corruption, severity)
        else:
            self.items = _open(name, folder)
        self.corrupted = self.dataset.corrupted
        found = _labels(self.items, class_names, depth)
        self.levels, self.level = found.levels, found.level
        self.class_names, self.labels = found.class_names, found.labels
        self.places = np.flatnonzero(self.labels >= 0)
        self.broken: set[int] = set()  # items that could not be read
        self._notes = [*found.sentences(), *_other_levels(found), *_passed_over(self.items.others)]
        if not len(self.places):
            own = self.items.class_names or (found.level.folders if found.level else ())
            raise ValueError(
                f"{self.dataset.title}: none of its pictures shows a class of the list; its classes are "
                f"{', '.join(own[:5])} and so on."
            )
        if left := len(self.labels) - len(self.places):
            self._notes.append(f"{left:,} of {len(self.labels):,} pictures show no class of the list.")

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the visitor: how folders became classes, what was left out."""
        unread = len(self.broken)
        pictures = "1 picture" if unread == 1 else f"{unread:,} pictures"
        broken = [f"{pictures} could not be read and {'was' if unread == 1 else 'were'} passed over."]
        return tuple(f"{self.dataset.title}: {note}" for note in (*self._notes, *(broken if unread else ())))

    def arrange(self, count: int, order: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        chosen = choose(self.labels[self.places], len(self.class_names), count, order, rng)
        items = self.places[chosen]
        return items, self.labels[items]

    def read(self, items: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        return np.stack([self._picture(int(item)) for item in items]), tuple(
            self.items.names[int(item)] for item in items
        )

    def _picture(self, item: int) -> np.ndarray:
        """The picture, black where it cannot be read: it is then among the `broken`."""
        try:
            with self.items.picture(item) as image:
                return square(image, self.dataset.size)
        except DECODER_ERRORS as error:
            self.broken.add(item)
            count = len(self.places)
            if len(self.broken) > max(1, BROKEN * count) or len(self.broken) == count:
                raise ValueError(
                    f"{self.dataset.title}: {len(self.broken)} of {count:,} pictures cannot be read, "
                    f"the last of them '{self.items.names[item]}'; fetch the set again."
                ) from error
            return np.zeros((self.dataset.size, self.dataset.size, 3), dtype=np.uint8)


def _labels(items: Items, class_names: tuple[str, ...], depth: int | None) -> Labels:
    """Labels by one's own folders, or those of a published set as places in a shorter list."""
    if items.folders:
        found = folders.label(items.folders, class_names, depth)
        if found.class_names:
            return found
        only = next(
            (path[-1] for path in items.folders if path), "pictures"
        )  # as unknowns, they need no more
        return Labels(np.zeros(len(items.folders), dtype=np.int64), (only,))
    if not class_names:
        return Labels(items.labels, items.class_names)
    labels = relabel(items.labels, items.class_names, class_names)
    return Labels(labels, class_names, unfound=names.unfound(items.class_names, class_names))


def own_labels(class_names: tuple[str, ...] = (), depth: int | None = None) -> Labels:
    """What the folders of one's own data folder say of its pictures, as `folders.label` finds it.

    Raises:
        ValueError: one sentence, where there is no such folder or nothing in it.
    """
    return _labels(_open(OWN, str(data_folder())), class_names, depth)


def _other_levels(found: Labels) -> tuple[str, ...]:
    """How a visitor takes another level of folders for the classes: a list that names its folders does."""
    others = [one for one in found.levels if found.level is not None and one != found.level]
    return tuple(
        f"Level {one.depth + 1} from the top has {folders.few(one.folders)}: type those names as classes to "
        "take them instead."
        for one in others
    )


def _passed_over(endings: tuple[str, ...]) -> tuple[str, ...]:
    """A sentence on files that are no pictures by their ending."""
    if not endings:
        return ()
    kinds = ", ".join(sorted({ending or "none" for ending in endings})[:5])
    return (f"{len(endings):,} files were passed over, for their endings are no picture's ({kinds}).",)


def data_folder() -> Path:
    """Where data sets live on this machine."""
    folder = limits.data_folder()
    if folder is None:
        raise ValueError(
            f"Data sets: the environment variable {DATA_VARIABLE} must name a folder; it is not set."
        )
    return folder


def is_here(name: str) -> bool:
    """Whether a data set is in the data folder, whole."""
    try:
        return not DATASETS[name].missing(data_folder())
    except ValueError:  # no folder
        return False


def choices() -> tuple[Choice, ...]:
    """The data sets that are here or can be downloaded; none where no folder is named."""
    try:
        folder = data_folder()
    except ValueError:
        return ()
    found = []
    for one in DATASETS.values():
        missing = bool(one.missing(folder))
        if one.downloadable or not missing or one.nearly(folder):
            first = f" {one.megabytes:,} MB are downloaded first." if one.downloadable and missing else ""
            found.append(Choice(f"dataset:{one.name}", one.title, one.help + first, "Data sets"))
    return tuple(found)


def nothing_found() -> str:
    """What to tell an operator who has named a folder without any of the sets; "" for everybody else."""
    try:
        folder = data_folder()
    except ValueError:
        return ""
    if any(not one.missing(folder) or one.nearly(folder) for one in DATASETS.values()):
        return ""
    return (
        f"{DATA_VARIABLE}: no data set was found in {folder}; each belongs there in a folder of its own, and "
        "one's own pictures in the folder 'own', in a folder for each class."
    )


# Two visitors must not write one file, nor one read what the other has written half; other sets do not wait.
_downloads: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def _unseen(doing: str, done: int, total: int) -> None:
    """Nobody looks at how far a download is."""


def bring(name: str, tell: Tell = _unseen) -> None:
    """Download a data set that is not in the data folder, where that is allowed; else nothing happens.

    Args:
        name: one of `DATASETS`.
        tell: told how far it is; what it raises ends the download, of which nothing is kept.

    Raises:
        ValueError: one sentence, where the download fails; and where no data folder is named.
    """
    dataset, root = DATASETS[name], data_folder()
    if not dataset.downloadable:
        return
    while not _downloads[name].acquire(timeout=0.1):
        tell("waiting for another download of", 0, 0)
    try:
        if dataset.missing(root):
            _download(dataset, root, tell)
    finally:
        _downloads[name].release()


@lru_cache(maxsize=4)  # labels and file names; of the small sets, their pictures
def _open(name: str, folder: str, *which: str | int) -> Items:
    bring(name)
    dataset, root = DATASETS[name], Path(folder)
    if missing := dataset.missing(root):
        way_out = "" if dataset.downloadable else "it is not downloaded by itself, put it there"
        way_out = dataset.nearly(root) or way_out
        raise ValueError(
            f"{dataset.title}: looked for '{missing}' in {root} and found nothing{way_out and '; '}{way_out}."
        )
    try:
        place = dataset.place(root)
        if place is None:  # something else stands in, and the reader knows it
            items = dataset.read(root, *which)
        else:
            with layouts.view(root, dataset.base, place) as published:
                items = dataset.read(published, *which)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{dataset.title}: reading it needs the package '{error.name}'; install it with "
            f"'pip install {error.name}'."
        ) from error
    except DAMAGE as error:
        raise ValueError(
            f"{dataset.title}: its files in {root} cannot be read ({_first_line(error)})."
        ) from error
    if not len(items.labels):
        raise ValueError(f"{dataset.title}: its folder in {root} holds no pictures.")
    return items


def _download(dataset: Dataset, root: Path, tell: Tell) -> None:
    try:
        fetching.bring(dataset.archives, root, tell)
    except (OSError, RuntimeError, ValueError, HTTPException) as error:
        files, urls = (
            " and ".join(getattr(one, what) for one in dataset.archives) for what in ("file", "url")
        )
        raise ValueError(
            f"{dataset.title}: looked for '{dataset.missing(root)}' in {root} and found nothing, and the "
            f"download failed ({_first_line(error)}); without a network, put {files} there, from {urls}."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


KRIZHEVSKY = "https://www.cs.toronto.edu/~kriz"
OXFORD = "https://www.robots.ox.ac.uk/~vgg/data"
DATASETS: Registry[Dataset] = Registry("data set")
for _dataset in (
    Dataset(
        "cifar10",
        "Photographs (CIFAR-10)",
        "Test pictures of ten animals and vehicles, 32 px.",
        ("cifar-10-batches-py/test_batch",),
        partial(readers.cifar, "CIFAR10"),
        size=32,
        instead=readers.cifar_classes("CIFAR10"),
        archives=(
            Archive(
                f"{KRIZHEVSKY}/cifar-10-python.tar.gz",
                "c58f30108f718f92721af3b95e74349a",
                "cifar-10-batches-py",
            ),
        ),
        megabytes=170,
        base="cifar-10-batches-py",
    ),
    Dataset(
        "cifar100",
        "Photographs (CIFAR-100)",
        "Test pictures of a hundred everyday things, 32 px.",
        ("cifar-100-python/test",),
        partial(readers.cifar, "CIFAR100"),
        size=32,
        instead=readers.cifar_classes("CIFAR100"),
        archives=(
            Archive(
                f"{KRIZHEVSKY}/cifar-100-python.tar.gz",
                "eb9058c3a382ffc7106e4002c42a8d85",
                "cifar-100-python",
            ),
        ),
        megabytes=169,
        base="cifar-100-python",
    ),
    Dataset(
        "cifar10.1",
        "CIFAR-10.1",
        "2,000 new pictures for CIFAR-10's classes, a natural shift, 32 px.",
        ("CIFAR-10.1/cifar10.1_v6_data.npy", "CIFAR-10.1/cifar10.1_v6_labels.npy"),
        readers.cifar101,
        size=32,
        base="CIFAR-10.1",
        also=("CIFAR-10.1/datasets",),
    ),
    *(
        Dataset(
            f"cifar{n}-c",
            f"CIFAR-{n}-C",
            f"CIFAR-{n}'s test pictures, corrupted as published; corruption and severity choose the file.",
            (f"CIFAR-{n}-C/labels.npy",),
            partial(readers.cifar_c, f"CIFAR-{n}-C"),
            size=32,
            corrupted=True,
            base=f"CIFAR-{n}-C",
        )
        for n in (10, 100)
    ),
    Dataset(
        "svhn",
        "SVHN",
        "26,032 house numbers cut into digits, 32 px.",
        ("test_32x32.mat",),
        readers.with_matlab(readers.svhn),
        "digits",
        size=32,
        archives=(
            Archive(
                "http://ufldl.stanford.edu/housenumbers/test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"
            ),
        ),
        megabytes=64,
        base="test_32x32.mat",
    ),
    Dataset(
        "dtd",
        "Describable Textures",
        "1,880 pictures of 47 textures.",
        ("dtd/dtd/labels/test1.txt", "dtd/dtd/images"),
        partial(readers.by_torchvision, "DTD", lists="dtd/dtd/labels/*.txt", split="test"),
        "textures",
        archives=(
            Archive(
                f"{OXFORD}/dtd/download/dtd-r1.0.1.tar.gz", "fff73e5086ae6bdbea199a49dfb8a4c1", "dtd", "dtd"
            ),
        ),
        megabytes=625,
        base="dtd/dtd",
        also=("dtd", "describable-textures"),
    ),
    Dataset(
        "eurosat",
        "EuroSAT",
        "27,000 satellite pictures of ten kinds of land, 64 px.",
        ("eurosat/2750/*/*.jpg",),
        lambda folder: readers.tree(folder / "eurosat" / "2750"),
        "satellite",
        size=64,
        archives=(
            Archive(
                "https://huggingface.co/datasets/torchgeo/eurosat/resolve/"
                "c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip",
                "c8fa014336c82ac7804f0398fcb19387",
                "2750",
                "eurosat",
            ),
        ),
        megabytes=94,
        base="eurosat/2750",
        also=("2750", "EuroSAT_RGB/2750", "eurosat/EuroSAT", "eurosat/EuroSAT_RGB", "EuroSAT_RGB", "eurosat"),
    ),
    Dataset(
        "flowers102",
        "Flowers 102",
        "6,149 pictures of 102 kinds of flowers.",
        ("flowers-102/jpg", "flowers-102/imagelabels.mat", "flowers-102/setid.mat"),
        readers.with_matlab(partial(readers.by_torchvision, "Flowers102", split="test")),
        "flowers",
        archives=(
            Archive(
                f"{OXFORD}/flowers/102/102flowers.tgz",
                "52808999861908f626f3c1f4e79d11fa",
                "jpg",
                "flowers-102",
            ),
            Archive(
                f"{OXFORD}/flowers/102/imagelabels.mat",
                "e0620be6f572b9609742df49c70aed4d",
                into="flowers-102",
            ),
            Archive(
                f"{OXFORD}/flowers/102/setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c", into="flowers-102"
            ),
        ),
        megabytes=345,
        base="flowers-102",
        also=("oxford_flowers", "oxford-flowers-102", "102flowers", "oxford-102-flowers"),
    ),
    Dataset(
        "food101",
        "Food-101",
        "25,250 pictures of 101 dishes.",
        ("food-101/meta/test.json", "food-101/images"),
        partial(readers.by_torchvision, "Food101", lists="food-101/meta/*", split="test"),
        "food",
        base="food-101",
        also=("food-101/food-101",),
    ),
    Dataset(
        "pets",
        "Oxford-IIIT Pets",
        "3,669 pictures of 37 breeds of cats and dogs.",
        ("oxford-iiit-pet/annotations/test.txt", "oxford-iiit-pet/images"),
        readers.pets,
        "pets",
        archives=(
            Archive(
                f"{OXFORD}/pets/data/images.tar.gz",
                "5c4f3ee8e5d25df40f4fd59a7f44e54c",
                "images",
                "oxford-iiit-pet",
            ),
            Archive(
                f"{OXFORD}/pets/data/annotations.tar.gz",
                "95a8c909bbe2e81eed6a22bccdf3f68f",
                "annotations",
                "oxford-iiit-pet",
            ),
        ),
        megabytes=811,
        base="oxford-iiit-pet",
        also=("oxford_pets", "oxford-iiit-pets"),
    ),
    Dataset(
        "cars",
        "Stanford Cars",
        "8,041 pictures of 196 cars by maker, model and year.",
        ("stanford_cars/cars_test_annos_withlabels.mat", "stanford_cars/cars_test", "stanford_cars/devkit"),
        readers.with_matlab(partial(readers.by_torchvision, "StanfordCars", split="test", rename=str)),
        "sentence",
        base="stanford_cars",
        also=("stanford_cars/stanford_cars", "cars"),
    ),
    Dataset(
        "aircraft",
        "FGVC Aircraft",
        "3,333 pictures of 100 aircraft variants.",
        ("fgvc-aircraft-2013b/data/images", "fgvc-aircraft-2013b/data/images_variant_test.txt"),
        partial(
            readers.by_torchvision,
            "FGVCAircraft",
            lists="fgvc-aircraft-2013b/data/*.txt",
            split="test",
            rename=str,
        ),
        "aircraft",
        base="fgvc-aircraft-2013b/data",
        also=("fgvc-aircraft/data", "fgvc-aircraft", "fgvc-aircraft/fgvc-aircraft-2013b/data"),
    ),
    Dataset(
        "caltech101",
        "Caltech-101",
        "8,677 pictures of 101 things.",
        ("caltech101/101_ObjectCategories/*/*.jpg",),
        readers.caltech,
        "sentence",
        base="caltech101/101_ObjectCategories",
        also=("101_ObjectCategories", "caltech101"),
    ),
    Dataset(
        "sun397",
        "SUN397",
        "108,754 pictures of 397 places.",
        ("SUN397/ClassName.txt",),
        readers.sun397,
        base="SUN397",
        also=("SUN397/SUN397",),
    ),
    Dataset(
        "places365",
        "Places365",
        "36,500 validation pictures of 365 places, in a folder for each; papers' unknowns for ImageNet.",
        ("places365_standard/val/*",),
        lambda folder: readers.tree(folder / "places365_standard" / "val"),
        base="places365_standard/val",
        also=("places365/val", "Places365/val"),
    ),
    Dataset(
        "imagenette",
        "Imagenette",
        "3,925 pictures of ten easy classes of ImageNet, 160 px.",
        ("imagenette2-160/val/n*",),
        readers.imagenette,
        "sentence",
        archives=(
            Archive(
                "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz",
                "e793b78cc4c9e9a4ccc0c1155377a412",
                "imagenette2-160",
            ),
        ),
        megabytes=99,
        base="imagenette2-160",
        also=("imagenette2-320", "imagenette2", "imagenette", "imagenette-160", "imagenette-320"),
    ),
    Dataset(
        "pcam",
        "PatchCamelyon",
        "32,768 patches of lymph nodes under the microscope, with and without a tumor, 96 px.",
        ("pcam/camelyonpatch_level_2_split_test_x.h5", "pcam/camelyonpatch_level_2_split_test_y.h5"),
        readers.pcam,
        "tissue",
        size=96,
        base="pcam",
        also=("patch_camelyon", "camelyonpatch"),
    ),
    Dataset(
        "imagenet",
        "ImageNet",
        "The 50,000 validation pictures of 1,000 classes, in folders called by WordNet identifiers.",
        ("ImageNet/val/n*",),
        lambda folder: readers.wnids(folder / "ImageNet" / "val"),
        "sentence",
        base="ImageNet/val",
        also=(
            "ImageNet/images/val",
            "ImageNet/validation",
            "imagenet-1k/val",
            "imagenet1k/validation",
            "ILSVRC2012/val",
            "ILSVRC2012/ILSVRC2012_img_val",
            "ILSVRC2012_val",
            "imagenet-val",
            "ILSVRC/Data/CLS-LOC/val",
            "ILSVRC2012_img_val",
            "ImageNet",
        ),
    ),
    Dataset(
        "imagenet-c",
        "ImageNet-C",
        "ImageNet's validation pictures, corrupted as published; corruption and severity choose the folder.",
        ("ImageNet-C/*",),
        readers.imagenet_c,
        "sentence",
        corrupted=True,
        base="ImageNet-C",
        also=("ImageNet-C/ImageNet-C",),
    ),
    Dataset(
        "imagenet-r",
        "ImageNet-R",
        "30,000 renditions, drawings, toys and tattoos, of 200 classes.",
        ("imagenet-r/n*",),
        lambda folder: readers.wnids(folder / "imagenet-r"),
        "sentence",
        base="imagenet-r",
        also=("imagenet-rendition/imagenet-r", "imagenet-rendition"),
    ),
    Dataset(
        "imagenet-a",
        "ImageNet-A",
        "7,500 photographs of 200 classes on which a ResNet-50 was wrong.",
        ("imagenet-a/n*",),
        lambda folder: readers.wnids(folder / "imagenet-a"),
        "sentence",
        base="imagenet-a",
        also=(
            "imagenet-adversarial/imagenet-a",
            "natural-adversarial-examples/imagenet-a",
            "imagenet-adversarial",
        ),
    ),
    Dataset(
        "imagenet-v2",
        "ImageNet-V2",
        "10,000 new pictures for ImageNet's classes, matched in frequency.",
        (f"{readers.IMAGENET_V2}/*",),
        readers.imagenet_v2,
        "sentence",
        base=readers.IMAGENET_V2,
        also=("imagenetv2/" + readers.IMAGENET_V2, "imagenetv2", "imagenetv2-matched-frequency"),
    ),
    Dataset(
        "imagenet-sketch",
        "ImageNet-Sketch",
        "50,889 black-and-white sketches of ImageNet's classes.",
        ("sketch/n*",),
        lambda folder: readers.wnids(folder / "sketch"),
        "sentence",
        base="sketch",
        also=("imagenet-sketch/sketch", "imagenet-sketch/images", "imagenet-sketch"),
    ),
    *(
        Dataset(
            f"pacs-{domain.split('_')[0]}",
            f"PACS, {domain.replace('_', ' ')}",
            f"Seven classes as {meaning}, one of PACS's four domains.",
            (f"PACS/{domain}/*",),
            lambda folder, domain=domain: readers.tree(folder / "PACS" / domain),
            base=f"PACS/{domain}",
            also=(
                *(
                    f"PACS/{part}/{domain}"
                    for part in ("pacs_data", "kfold", "dct2_images/dct2_images", "Raw images")
                ),
                f"pacs_data/{domain}",
                f"PACS/{domain[0].upper()}",
            ),
        )
        for domain, meaning in (
            ("photo", "photographs"),
            ("art_painting", "paintings"),
            ("cartoon", "cartoons"),
            ("sketch", "sketches"),
        )
    ),
    *(
        Dataset(
            f"office-home-{domain.split()[0].lower()}",
            f"Office-Home, {domain.lower()}",
            f"65 things from offices and homes, the domain '{domain}' of four.",
            (f"OfficeHome/{domain}/*",),
            lambda folder, domain=domain: readers.tree(folder / "OfficeHome" / domain),
            base=f"OfficeHome/{domain}",
            also=(
                f"OfficeHomeDataset_10072016/{domain}",
                f"OfficeHome/OfficeHomeDataset_10072016/{domain}",
                f"OfficeHome/{domain.split()[0]}",
            ),
        )
        for domain in ("Art", "Clipart", "Product", "Real World")
    ),
    Dataset(
        "visda-c",
        "VisDA-C",
        "55,388 photographs of twelve things, the validation domain.",
        ("visda-c/validation/*",),
        readers.visda,
        base="visda-c/validation",
        also=(
            "visda-2017/validation",
            "visda/validation",
            "visda17/validation",
            "VisDA2017/visda-c/validation",
        ),
    ),
    Dataset(
        OWN,
        "Your own folder",
        "Any pictures in a folder for each class, inside the folder 'own' of the data folder.",
        ("own/*",),
        lambda folder: readers.own(folder / "own"),
        base="own",
    ),
):
    DATASETS.register(_dataset)
