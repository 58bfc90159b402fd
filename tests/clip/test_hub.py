"""The path over the hub, tried against a stand-in on loopback: slow, broken off, damaged, missing, gone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from tests.clip import families


def config(family: str) -> bytes:
    normalization = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2]}
    return json.dumps({"model_cfg": families.FAMILIES[family], "preprocess_cfg": normalization}).encode()


class Hub(ThreadingHTTPServer):
    """Serves tiny models of the organization "org"; what a repository is called decides how it misbehaves."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        weights = families.save(families.build("tiny-vit"), folder / "w.safetensors").read_bytes()
        pickled = families.save(families.build("tiny-vit"), folder / "w.bin").read_bytes()
        self.files = {
            "open_clip_config.json": config("tiny-vit"),
            "open_clip_model.safetensors": weights,
            "open_clip_pytorch_model.bin": pickled,
        }
        wide = families.save(families.build("wide-text"), folder / "wide.safetensors").read_bytes()
        self.wide = {"open_clip_config.json": config("wide-text"), "open_clip_model.safetensors": wide}
        self.seen: dict[tuple[str, str], int] = {}  # downloads begun
        self.gone = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *args) -> None:
        pass

    def do_POST(self) -> None:
        self.reply(200, b"")
        self.server.gone.set()

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, body: bool = True) -> None:
        if self.server.gone.is_set():  # a connection that was kept open
            self.close_connection = True
            return None
        repo, _, name = self.path.lstrip("/").partition("/resolve/main/")
        repo = repo.removeprefix("org/")
        if repo == "missing":
            return self.reply(404, b"", {"X-Error-Code": "RepoNotFound"})
        if repo == "gated" and name.endswith("safetensors"):
            return self.reply(403, b"", {"X-Error-Code": "GatedRepo"})
        files = self.server.wide if repo == "slow" else self.server.files
        has = name in files and not (repo == "no-weights" and not name.endswith("json"))
        has = has and not (repo == "pickled" and name.endswith("safetensors"))
        if not has:
            return self.reply(404, b"", {"X-Error-Code": "EntryNotFound"})
        self.send(repo, name, files[name], body)

    def send(self, repo: str, name: str, data: bytes, body: bool) -> None:
        large = not name.endswith("json")
        checksum = hashlib.sha256(data).hexdigest() if large else hashlib.sha1(data).hexdigest()
        headers = {
            "ETag": f'"{checksum}"',
            "X-Repo-Commit": hashlib.sha1(repo.encode()).hexdigest(),
            "Accept-Ranges": "bytes",
        }
        if not body:
            return self.reply(200, data, headers, body=False)
        first = self.server.seen.setdefault((repo, name), 0) == 0
        if repo == "bad-config" and not large and first:
            self.server.seen[repo, name] = 1
            return self.reply(200, b"<" * len(data), headers)
        if repo == "corrupt" and first and large:
            self.server.seen[repo, name] = 1
            return self.reply(200, data[:-100] + bytes(100), headers)
        if repo == "short" and first and large:  # says that there is less, and means it
            self.server.seen[repo, name] = 1
            return self.reply(200, data[:1000], headers)
        start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        if repo == "broken" and large and self.server.seen[repo, name] < 7:
            # Half of the file, then the line goes dead, and stays dead for the client's own six attempts.
            self.server.seen[repo, name] += 1
            self.reply(200, data, headers, body=False)
            if start == 0:
                self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return None
        self.reply(206 if start else 200, data[start:], headers, slow=repo == "slow" and large)

    def reply(self, status: int, data: bytes, headers=None, body: bool = True, slow: bool = False) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if not body:
            return
        pieces = 20 if slow else 1
        for i in range(pieces):
            self.wfile.write(data[i * len(data) // pieces : (i + 1) * len(data) // pieces])
            if slow:
                time.sleep(0.05)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    families.register(tmp_path_factory.mktemp("configs"))
    hub = Hub(folder)
    serving = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()

    def close_when_asked():
        hub.gone.wait()
        hub.shutdown()
        hub.server_close()

    closing = threading.Thread(target=close_when_asked)
    closing.start()
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(folder / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        "HF_HUB_ETAG_TIMEOUT": "2",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    for name in ("HF_HUB_OFFLINE", "SPACE_ID", "CLIPTTA_ANY_MODEL", "CLIPTTA_MAX_MODEL_MB"):
        environment.pop(name, None)
    client = Path(__file__).with_name("hub_client.py")
    try:
        subprocess.run([sys.executable, client, folder, hub.url], env=environment, check=True, timeout=240)
    finally:
        hub.gone.set()
        closing.join()
        serving.join()
    return json.loads((folder / "results.json").read_text())


def test_a_hub_model_arrives_with_its_own_normalization_and_shows_its_progress(results):
    good = results["good"]
    assert good["mean"] == [0.4, 0.5, 0.6] and good["size"] == 32
    downloads = [(done, total) for doing, done, total in good["states"] if doing == "downloading"]
    assert downloads[-1][0] == downloads[-1][1] > 1_000_000
    assert downloads == sorted(downloads, key=lambda state: (state[1], state[0]))


def test_the_weights_are_those_of_the_hub(results):
    with torch.no_grad():
        model = families.build("tiny-vit")
        tokens = families.open_clip.get_tokenizer("tiny-vit")(["a photo of a cat"])
        expected = model.encode_text(tokens, normalize=True)[0, :3]
    torch.testing.assert_close(torch.tensor(results["good"]["probe"]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "the hub has no public repository 'org/missing'"),
        ("gated", "only to people who have agreed to its terms"),
        ("no-weights", "'org/no-weights' has no file open_clip_pytorch_model.bin"),
        ("not a name", "is not the name of a hub repository"),
        ("too large", "MB is over this page's 1 MB"),
        ("bad-config first", "open_clip_config.json is damaged or describes no CLIP"),
        ("broken first", "its download broke off"),
        ("corrupt first", "damaged on the way"),
        ("short first", "its download broke off"),
        ("offline, new", "it is not on this machine and the hub did not answer"),
    ],
)
def test_whatever_goes_wrong_is_told_in_one_sentence(results, name, sentence):
    error = results[name]["error"]
    assert sentence in error and error.startswith("Model 'hf-hub:") and error.endswith("stay on mini-clip.")
    assert "\n" not in error and "http" not in error


@pytest.mark.parametrize("name", ["bad-config", "broken", "corrupt", "short"])
def test_the_attempt_after_a_failed_one_works(results, name):
    assert results[f"{name} again"]["probe"] == results["good"]["probe"]


def test_plain_weights_in_torchs_own_format_are_read_too(results):
    assert results["pickled"]["probe"] == results["good"]["probe"]


def test_stop_acts_in_the_middle_of_a_download(results):
    assert results["stopped"]["stopped"]
    *_, (doing, done, total) = results["stopped"]["states"]
    assert doing == "downloading" and done < total


def test_a_download_holds_nobody_up_who_wants_another_model(results):
    assert results["beside"]["order"] == ["quick", "slow"]


def test_a_tag_brings_its_normalization(results):
    assert results["tagged"]["mean"] == [0.1, 0.2, 0.3]
    assert results["tagged"]["probe"] == results["good"]["probe"]


def test_a_file_that_is_too_large_is_refused_before_it_is_fetched(results):
    assert not [state for state in results["too large"]["states"] if state[1] > 1_000_000]


def test_a_model_that_is_on_this_machine_needs_no_hub(results):
    assert results["offline, known"]["probe"] == results["good"]["probe"]
