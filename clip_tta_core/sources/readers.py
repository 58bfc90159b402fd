"""Ways to read data sets in the layouts in which they are published: labels at once, pictures on demand."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES
from clip_tta_core.sources import class_lists, clutter, layouts, texts, wordnet
from clip_tta_core.sources.base import relabel
from clip_tta_core.sources.wordnet import imagenet_names

IMAGENET_V2 = "imagenetv2-matched-frequency-format-val"


@dataclass(frozen=True)
class Items:
    """A data set that has been opened: all labels, and pictures on demand."""

    class_names: tuple[str, ...]
    labels: np.ndarray  # int64 (N,)
    names: Sequence[str]  # (N,)
    picture: Callable[[int], Image.Image]
    folders: Sequence[
        tuple[str, ...]
    ] = ()  # (N,) those above each picture, where they are to say the classes
    others: tuple[str, ...] = ()  # endings of files beside the pictures that were passed over


def words(name: str) -> str:
    """A folder's name as people would write it: "AnnualCrop" and "annual_crop" are "annual crop"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").strip().lower()


def spaced(name: str) -> str:
    """A name whose capitals mean something: only underscores go."""
    return name.replace("_", " ").strip()


def files(
    class_names: Sequence[str], labels: Sequence[int] | np.ndarray, paths: Sequence[str | Path]
) -> Items:
    """Pictures that are files."""
    names = ["/".join(Path(path).parts[-2:]) for path in paths]
    paths = [Path(path).resolve() for path in paths]
    return Items(
        tuple(class_names), np.array(labels, dtype=np.int64), names, lambda item: Image.open(paths[item])
    )


def arrays(class_names: Sequence[str], labels: np.ndarray, images: np.ndarray) -> Items:
    """Pictures that are rows of one array, uint8 (N, H, W, 3), which may be mapped from the disk."""
    if len(images) != len(labels) or images.ndim != 4 or images.dtype != np.uint8:
        raise RuntimeError(
            f"pictures must be uint8 (N, H, W, 3) with N labels, got {images.dtype} {images.shape} and "
            f"{len(labels)}"
        )
    names = [f"{class_names[label]} {item}" for item, label in enumerate(labels)]
    return Items(
        tuple(class_names), labels.astype(np.int64), names, lambda item: Image.fromarray(images[item])
    )


def tree(folder: Path, rename: Callable[[str], str] = words) -> Items:
    """Pictures in a folder for each class, in the layout of a published set; an empty folder is no class."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not clutter.is_clutter(path.name))
    found = {f: pictures for f in folders if (pictures := list(clutter.pictures(f)))}
    folders, paths = list(found), list(found.values())
    labels = np.repeat(np.arange(len(folders)), [len(p) for p in paths])
    return files([rename(f.name) for f in folders], labels, [p for group in paths for p in group])


def own(folder: Path) -> Items:
    """Pictures in folders that somebody made: which of them are the classes is found out as for an upload."""
    files = list(clutter.files(folder))
    paths = [path for path in files if path.suffix.lower() in clutter.suffixes()]
    others = tuple(path.suffix.lower() for path in files if path.suffix.lower() not in clutter.suffixes())
    above = [path.relative_to(folder).parts[:-1] for path in paths]
    names = [path.relative_to(folder).as_posix() for path in paths]
    kept = [path.resolve() for path in paths]
    return Items((), np.full(len(paths), -1), names, lambda item: Image.open(kept[item]), above, others)


def class_folders(path: Path) -> Items:
    """Pictures in a folder for each class, inside a folder or a zip."""
    return tree(path) if path.is_dir() else zipped(path)


def zipped(path: Path) -> Items:
    """Pictures in a zip with a folder for each class; read from it one by one, and never unpacked."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise RuntimeError(f"'{path.name}' is no zip archive, or damaged") from error
    members = [PurePosixPath(name) for name in sorted(archive.namelist())]
    members = [
        m for m in members if not clutter.is_clutter(str(m)) and m.suffix.lower() in clutter.suffixes()
    ]
    class_names = sorted({member.parent.name for member in members})
    labels = np.array([class_names.index(member.parent.name) for member in members], dtype=np.int64)
    return Items(
        tuple(words(name) for name in class_names),
        labels,
        [f"{member.parent.name}/{member.name}" for member in members],
        lambda item: Image.open(io.BytesIO(archive.read(str(members[item])))),
    )


def by_torchvision(
    name: str, folder: Path, rename: Callable[[str], str] = words, lists: str = "", **options
) -> Items:
    """A set of files that torchvision lists; the loader that does nothing keeps it at that.

    Args:
        lists: the pattern of the text files that it reads, which it wants in UTF-8 without a mark.
    """
    from torchvision import datasets as torchvision_datasets

    marked = {}
    for path in folder.glob(lists) if lists else ():
        if (content := path.read_bytes()).startswith(texts.MARKS):
            marked[path.relative_to(folder)] = texts.decode(content, path.name).encode()
    with layouts.rewritten(folder, marked) as readable:
        dataset = getattr(torchvision_datasets, name)(readable, loader=lambda path: path, **options)
        found = map(dataset.__getitem__, range(len(dataset)))
        pairs = sorted((Path(path).relative_to(readable).as_posix(), int(label)) for path, label in found)
        pairs = [pair for pair in pairs if not clutter.is_clutter(pair[0])]
        names = [rename(c if isinstance(c, str) else c[0]) for c in dataset.classes]
    return files(names, [label for _, label in pairs], [folder / path for path, _ in pairs])


def imagenette(folder: Path) -> Items:
    """Folders called by WordNet identifiers, with torchvision's names for the ten."""
    from torchvision.datasets import Imagenette

    known = {wnid: names[0] for wnid, names in Imagenette._WNID_TO_CLASS.items()}
    return tree(folder / "imagenette2-160" / "val", rename=lambda wnid: known.get(wnid, wnid))


def sun397(folder: Path) -> Items:
    """Folders of folders, "a/abbey" and "a/apse/indoor", as a list names them."""
    base = folder / "SUN397"
    names = [line.removeprefix("/") for line in texts.lines(base / "ClassName.txt")]
    place = {name[2:]: k for k, name in enumerate(names)}
    inner = base / base.name if (base / base.name).is_dir() else base  # the list may lie beside the pictures
    found = [(path, "/".join(path.relative_to(inner).parts[1:-1])) for path in clutter.pictures(inner)]
    paths, labels = [], []
    for path, name in found:
        if name in place:
            paths.append(path)
            labels.append(place[name])
    return files([scene(name[2:]) for name in names], labels, paths)


def with_matlab(read: Callable[[Path], Items]) -> Callable[[Path], Items]:
    """A reader of MATLAB files, which torchvision leaves to scipy; damage becomes a RuntimeError."""

    def reading(folder: Path) -> Items:
        from scipy.io.matlab import MatReadError

        try:
            return read(folder)
        except (MatReadError, zlib.error) as error:
            raise RuntimeError(str(error)) from error

    return reading


def cifar(name: str, folder: Path, part: str = "test", download: bool = False) -> Items:
    """CIFAR10 or CIFAR100 as published, or else in class folders that `cifar_classes` names.

    Args:
        part: "train" or "test".
        download: fetch the published files where neither is there.
    """
    from torchvision import datasets as torchvision_datasets

    published = getattr(torchvision_datasets, name)
    in_classes = sorted(folder.glob(cifar_classes(name, part)))
    if in_classes and not (folder / published.base_folder).is_dir():
        return class_folders(in_classes[0])
    # Refuses files with a wrong checksum.
    dataset = published(folder, train=part == "train", download=download)
    return arrays([words(c) for c in dataset.classes], np.array(dataset.targets), dataset.data)


def cifar_classes(name: str, part: str = "test") -> str:
    """The pattern of a folder, or zip, of class folders with a part of CIFAR10 or CIFAR100."""
    return f"{name.lower()}_{part}*"


def svhn(folder: Path) -> Items:
    from torchvision.datasets import SVHN

    dataset = SVHN(folder, split="test")
    return arrays([str(digit) for digit in range(10)], dataset.labels, dataset.data.transpose(0, 2, 3, 1))


def pets(folder: Path) -> Items:
    base = folder / "oxford-iiit-pet"
    rows = [line.split() for line in texts.lines(base / "annotations" / "test.txt") if line[0] != "#"]
    breeds = {int(number): words(image.rsplit("_", 1)[0]) for image, number, *_ in rows}
    paths = [base / "images" / f"{image}.jpg" for image, *_ in rows]
    return _numbered(breeds, [int(number) for _, number, *_ in rows], paths)


def _numbered(names: Mapping[int, str], numbers: Sequence[int], paths: Sequence[Path]) -> Items:
    """Pictures whose classes go by any numbers."""
    place = {number: k for k, number in enumerate(sorted(names))}
    return files([names[n] for n in sorted(names)], [place[n] for n in numbers], paths)


def caltech(folder: Path) -> Items:
    items = tree(folder / "caltech101" / "101_ObjectCategories")
    # One folder is no class, but whatever a search engine found.
    names = tuple(name for name in items.class_names if name != "background google")
    labels = relabel(items.labels, items.class_names, names)
    return Items(names, labels, items.names, items.picture)


PCAM_CLASSES = ("healthy lymph node tissue", "lymph node tumor tissue")


def pcam(folder: Path) -> Items:
    import h5py

    def array(file: h5py.File, name: str) -> h5py.Dataset:
        found = file[name]
        if not isinstance(found, h5py.Dataset):
            raise RuntimeError(f"its '{name}' must be an array, and is a {type(found).__name__}")
        return found

    base = (folder / "pcam").resolve()
    with h5py.File(base / "camelyonpatch_level_2_split_test_y.h5") as file:
        labels = array(file, "y")[:].reshape(-1).astype(np.int64)
    with h5py.File(base / "camelyonpatch_level_2_split_test_x.h5") as file:
        patches = len(array(file, "x"))
        if patches != len(labels):
            raise RuntimeError(f"it holds {patches} patches and {len(labels)} labels")

    def picture(item: int) -> Image.Image:
        with h5py.File(base / "camelyonpatch_level_2_split_test_x.h5") as file:
            return Image.fromarray(array(file, "x")[item])

    return Items(PCAM_CLASSES, labels, [f"patch {item}" for item in range(len(labels))], picture)


CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())


def cifar101(folder: Path) -> Items:
    images, labels = (folder / "CIFAR-10.1" / f"cifar10.1_v6_{part}.npy" for part in ("data", "labels"))
    return arrays(CIFAR10_CLASSES, np.load(labels), np.load(images, mmap_mode="r"))


def cifar_c(base: str, folder: Path, corruption: str, severity: int) -> Items:
    """An array per corruption, the severities one after the other; the labels of one, or repeated for all."""
    images = np.load(_corrupted_file(folder / base, f"{corruption}.npy", corruption), mmap_mode="r")
    labels = np.load(folder / base / "labels.npy")
    part = len(images) // len(SEVERITIES)
    here = slice((severity - 1) * part, severity * part)
    labels = labels[here] if len(labels) == len(images) else labels[:part]
    names = CIFAR10_CLASSES if base == "CIFAR-10-C" else _cifar100_classes(folder)
    return arrays(names, labels, images[here])


def _cifar100_classes(folder: Path) -> tuple[str, ...]:
    """CIFAR-100's list is in CIFAR-100's own files, which CIFAR-100-C lacks."""
    listed = class_lists.parse("\n".join(texts.lines(folder / "CIFAR-100-C" / "classes.txt")))
    if not listed:
        try:
            return cifar("CIFAR100", folder).class_names
        except (RuntimeError, OSError) as error:
            raise RuntimeError(
                "its class names must be in 'CIFAR-100-C/classes.txt', or CIFAR-100 itself be in "
                "'cifar-100-python'"
            ) from error
    return tuple(map(words, listed))


def _corrupted_file(base: Path, wanted: str, corruption: str) -> Path:
    for path in (base / wanted, *sorted(base.glob(f"*/{wanted}"))):  # ImageNet-C comes in groups
        if path.exists():
            return path
    there = [name for name in CORRUPTIONS if any(base.glob(f"{name}*")) or any(base.glob(f"*/{name}*"))]
    raise RuntimeError(f"'{wanted}' is not in {base.name}; there are: {', '.join(there) or 'none'}")


def wnids(folder: Path) -> Items:
    """Folders called by WordNet identifiers, all 1,000 or some; those beyond ImageNet keep their own name."""
    return tree(folder, rename=lambda wnid: wordnet.name(wnid) or wnid)


def imagenet_v2(folder: Path) -> Items:
    """Folders called by the number of their class, or by its WordNet identifier."""
    names = list(imagenet_names().values())
    items = tree(folder / IMAGENET_V2, rename=str)
    if all(name in imagenet_names() for name in items.class_names):
        return wnids(folder / IMAGENET_V2)
    if any(not number.isdecimal() or int(number) >= len(names) for number in items.class_names):
        raise RuntimeError("its folders must be called 0 to 999 or by WordNet identifiers")
    return Items(
        tuple(names), np.array([int(n) for n in items.class_names])[items.labels], items.names, items.picture
    )


def imagenet_c(folder: Path, corruption: str, severity: int) -> Items:
    return wnids(_corrupted_file(folder / "ImageNet-C", f"{corruption}/{severity}", corruption))


def visda(folder: Path) -> Items:
    """The list says which picture shows what, by number; the folders say what the numbers are called."""
    base = folder / "visda-c" / "validation"
    rows = [line.rsplit(maxsplit=1) for line in texts.lines(base / "image_list.txt")]
    if not (base / "image_list.txt").is_file():
        return tree(base)
    # Some lists begin at the folder above.
    rows = [(path.replace("\\", "/").strip().removeprefix("validation/"), number) for path, number in rows]
    if any(Path(path).is_absolute() or ".." in Path(path).parts for path, _ in rows):
        raise RuntimeError("image_list.txt names files outside of its folder")
    names = {int(number): words(path.split("/")[0]) for path, number in rows}
    return _numbered(names, [int(number) for _, number in rows], [base / path for path, _ in rows])


def scene(name: str) -> str:
    """SUN397's "apse/indoor" as an indoor apse."""
    return " ".join(words(part) for part in reversed(name.split("/")))
