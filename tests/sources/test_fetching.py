"""Archives over the network, tried against a stand-in on loopback: whole, cut, wrong, missing, stopped."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import io
import pickle
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torchvision.datasets

from clip_tta_core import engine
from clip_tta_core.control import Control, Stopped
from clip_tta_core.records import RunConfig
from clip_tta_core.sources import datasets, fetching, readers
from clip_tta_core.sources.datasets import DATASETS, DatasetSource
from clip_tta_core.sources.fetching import Archive
from tests.conftest import zipped

FOLDER = "cifar-10-batches-py"
FILES = ("test_batch", "batches.meta", *(f"data_batch_{k}" for k in range(1, 6)))


def packed() -> bytes:
    """A tar.gz in CIFAR-10's layout with two pictures a class, and paths that must not reach the disk."""
    names = list(readers.CIFAR10_CLASSES)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3072), dtype=np.uint8)
    part = pickle.dumps({"data": pixels, "labels": [k % 10 for k in range(20)]})
    content = dict.fromkeys((f"{FOLDER}/{name}" for name in FILES), part)
    content[f"{FOLDER}/batches.meta"] = pickle.dumps({"label_names": names})
    return tarred(content | dict.fromkeys(STRAY, b"no"))


STRAY = ("elsewhere/file", f"{FOLDER}/../../file", f"/{FOLDER}/file", "file")


def tarred(content: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in content.items():
            directory = tarfile.TarInfo(name.rpartition("/")[0] or ".")
            directory.type = tarfile.DIRTYPE
            tar.addfile(directory)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


class Publisher(ThreadingHTTPServer):
    """Serves archives by name; the folder of the address decides how it misbehaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = packed()
        self.files = {"cifar-10-python.tar.gz": self.content}
        self.asked: list[str] = []
        self.closing = threading.Event()

    def archive(self, way: str) -> Archive:
        return self.offer(way, "cifar-10-python.tar.gz", self.content, FOLDER)

    def offer(self, way: str, name: str, content: bytes, folder: str = "", into: str = "") -> Archive:
        """Serve a file."""
        self.files[name] = content
        url = f"http://127.0.0.1:{self.server_port}/{way}/{name}"
        return Archive(url, hashlib.md5(content).hexdigest(), folder, into)


class Answer(BaseHTTPRequestHandler):
    server: Publisher

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        _, way, name = self.path.split("/")
        content = self.server.files[name]
        self.server.asked.append(way)
        if way == "missing":
            return self.send_error(404)
        if way == "silent":
            self.server.closing.wait(60)
        half = content[: len(content) // 2]
        sent = {"wrong": content[:-9] + bytes(9), "cut": half, "stuck": half}.get(way, content)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(sent)
        if way == "stuck":
            self.server.closing.wait(60)


@pytest.fixture
def publisher():
    server = Publisher()
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    yield server
    server.closing.set()
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def publish(publisher, tmp_path, monkeypatch):
    """CIFAR-10 as the stand-in has it, in one of its ways; the data folder is empty."""
    monkeypatch.setenv(datasets.DATA_VARIABLE, str(tmp_path))
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda path, md5=None: True)

    def as_published(way: str) -> None:
        one = dataclasses.replace(DATASETS["cifar10"], archives=(publisher.archive(way),))
        monkeypatch.setitem(DATASETS._items, "cifar10", one)

    datasets._open.cache_clear()
    yield as_published
    datasets._open.cache_clear()


def config(**changes) -> RunConfig:
    return RunConfig(
        methods={"zero_shot": {}},
        model="photo-clip",
        source="dataset:cifar10",
        batch_size=20,
        batches=1,
        device="cpu",
        **changes,
    )


class Watched(Control):
    """Keeps all that is announced; stops where it is told to."""

    def __init__(self, until: str = "never") -> None:
        super().__init__()
        self.said, self.until = [], until

    def announce(self, progress) -> None:
        self.said.append(progress)
        if progress.doing.startswith(self.until) and progress.step:
            self.stop()
        super().announce(progress)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_folder_of_cifar_is_that_of_torchvision(name):
    (archive,) = DATASETS[name].archives
    published = getattr(torchvision.datasets, name.upper())
    assert (archive.folder, archive.file) == (published.base_folder, published.filename)


ELSEWHERE = {"imagenette": "imagenette", "pets": "oxford_iiit_pet", "cifar10": "cifar", "cifar100": "cifar"}


@pytest.mark.parametrize("name", [name for name, one in DATASETS.items() if one.archives])
def test_addresses_and_checksums_are_those_of_torchvision(name):
    """Where it declares them differs from set to set; that they stand in its code does not."""
    module = getattr(torchvision.datasets, ELSEWHERE.get(name, name))
    known = inspect.getsource(module)
    for archive in DATASETS[name].archives:
        base, _, file = archive.url.rpartition("/")
        assert archive.md5 in known and file in known and base in known, archive.file


def test_a_run_fetches_what_it_lacks_and_says_how_far_it_is(publish, publisher, tmp_path):
    publish("whole")
    control = Watched()
    (report,) = engine.run(config(), control)
    assert len(report.batch) == 20 and sorted(report.batch.labels) == sorted([*range(10)] * 2)
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == set(FILES)
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER], "the archive itself goes"
    loads = [one for one in control.said if one.doing.startswith("downloading Photographs (CIFAR-10)")]
    assert (loads[0].step, loads[-1].step) == (0, loads[-1].steps) and loads[-1].steps == len(
        publisher.content
    )
    assert loads[-1].doing.endswith(" MB")
    assert any(one.doing.startswith("unpacking Photographs (CIFAR-10)") for one in control.said)
    datasets._open.cache_clear()
    (again,) = engine.run(config())
    assert (again.batch.images == report.batch.images).all() and publisher.asked == ["whole"]


@pytest.mark.parametrize(("way", "until"), [("stuck", "downloading"), ("whole", "unpacking")])
def test_stop_acts_on_the_way_and_leaves_nothing(way, until, publish, tmp_path):
    publish(way)
    control = Watched(until)
    assert list(engine.run(config(), control)) == [] and control.said[-1].doing.startswith(until)
    assert not list(tmp_path.iterdir())
    publish("whole")
    assert len(list(engine.run(config()))) == 1, "the next one starts over"


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("missing", "HTTP Error 404: Not Found"),
        ("wrong", "cifar-10-python.tar.gz does not have its published checksum"),
        ("cut", "the connection broke off after 0 of 0 MB"),
    ],
)
def test_a_failure_leaves_nothing_and_says_what_to_do_without_a_network(way, reason, publish, tmp_path):
    publish(way)
    with pytest.raises(ValueError) as problem:
        DatasetSource("cifar10")
    said = str(problem.value)
    assert f"found nothing, and the download failed ({reason}); without a network, put" in said
    assert f"in {tmp_path} and" in said and said.endswith(f"from {DATASETS['cifar10'].archives[0].url}.")
    assert not list(tmp_path.iterdir())
    publish("whole")
    assert len(DatasetSource("cifar10").places) == 20


def test_a_server_that_is_not_there_is_a_failure_like_any_other(publish, publisher, tmp_path, monkeypatch):
    gone = dataclasses.replace(publisher.archive("whole"), url="http://127.0.0.1:9/x.tar.gz")
    monkeypatch.setitem(
        DATASETS._items, "cifar10", dataclasses.replace(DATASETS["cifar10"], archives=(gone,))
    )
    with pytest.raises(
        ValueError, match=r"the download failed \(.*\); without a network, put x.tar.gz there"
    ):
        datasets.bring("cifar10")
    assert not list(tmp_path.iterdir())


def test_an_archive_that_somebody_put_there_is_unpacked_without_a_network(publish, publisher, tmp_path):
    publish("missing")
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(publisher.content)
    assert len(DatasetSource("cifar10").places) == 20 and publisher.asked == []
    assert (tmp_path / "cifar-10-python.tar.gz").exists(), "it is theirs"


def test_a_damaged_archive_there_is_fetched_anew(publish, publisher, tmp_path):
    publish("whole")
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(publisher.content[:1000])
    assert len(DatasetSource("cifar10").places) == 20 and publisher.asked == ["whole"]


def test_what_was_half_there_is_made_whole(publish, tmp_path):
    publish("whole")
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "batches.meta").write_bytes(b"half")
    (tmp_path / FOLDER / "notes.txt").write_text("mine")
    assert len(DatasetSource("cifar10").places) == 20
    assert (tmp_path / FOLDER / "notes.txt").read_text() == "mine"


def test_whoever_waits_for_anothers_download_can_be_stopped(publish):
    publish("whole")

    def stop(doing: str, done: int, total: int) -> None:
        assert doing.startswith("waiting")
        raise Stopped

    with datasets._downloads["cifar10"], pytest.raises(Stopped):
        datasets.bring("cifar10", stop)
    datasets.bring("cifar10")
    assert datasets.is_here("cifar10")


def nothing(doing: str, done: int, total: int) -> None:
    pass


def below(root) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_only_files_below_the_folder_are_unpacked(publisher, tmp_path):
    root = tmp_path / "in" / "data"
    root.mkdir(parents=True)
    fetching.bring([publisher.archive("whole")], root, nothing)
    assert below(tmp_path) == sorted(f"in/data/{FOLDER}/{name}" for name in FILES)


def test_a_zip_a_tar_and_a_plain_file_make_one_set_or_none(publisher, tmp_path):
    """Trees as deep as they are, where they belong; nothing of them is kept where the last one fails."""
    tree = {"2750/Sea/1.jpg": b"sea", "2750/Sea/deep/2.jpg": b"deep", "readme.txt": b"no"}
    labels = b"labels" * 400_000
    parts = [
        publisher.offer("whole", "pictures.zip", zipped(tree), "2750", "set"),
        publisher.offer("whole", "lists.tgz", tarred({"./lists/test.txt": b"1", "other/x": b"no"}), "lists"),
        publisher.offer("whole", "labels.mat", labels, into="set"),
    ]
    broken = [*parts[:2], publisher.offer("wrong", "labels.mat", labels, into="set")]
    with pytest.raises(ValueError, match=r"labels\.mat does not have its published checksum"):
        fetching.bring(broken, tmp_path, nothing)
    assert not list(tmp_path.iterdir())
    fetching.bring(parts, tmp_path, nothing)
    assert below(tmp_path) == [
        "lists/test.txt",
        "set/2750/Sea/1.jpg",
        "set/2750/Sea/deep/2.jpg",
        "set/labels.mat",
    ]
    assert (tmp_path / "set/labels.mat").read_bytes() == labels
    assert (tmp_path / "set/2750/Sea/deep/2.jpg").read_bytes() == b"deep"


def test_stop_does_not_wait_for_a_server_that_says_nothing(publisher, tmp_path):
    asked = []

    def stop(doing: str, done: int, total: int) -> None:
        asked.append(doing)
        if publisher.asked and len(asked) > 2:  # it has been asked, and answers nothing
            raise Stopped

    with pytest.raises(Stopped):
        fetching.bring([publisher.archive("silent")], tmp_path, stop)
    assert not list(tmp_path.iterdir())


def test_every_set_that_is_offered_for_download_is_fetched_in_sight(tmp_path):
    """What no archive is declared for is never fetched, neither in a run nor elsewhere."""
    for one in DATASETS.values():
        assert one.downloadable == bool(one.archives) == bool(one.megabytes)
        assert one.megabytes < 1000, "larger ones are for the operator, not for a click"
