"""Files with weights: fetch them from the Hugging Face hub, refuse those that are not plain tensors."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from safetensors import SafetensorError
from tqdm import tqdm

from clip_tta_core import limits

Advance = Callable[[int, int], None]  # bytes that are here, bytes in all (0 while nobody knows)

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
CONFIG = "open_clip_config.json"
TRANSPORT = HfHubHTTPError.__bases__[0]  # base of the errors of the library that carries the hub's client
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # the better one first
# What reading a stranger's files can raise: files cut short, configurations and tensors that fit nothing.
UNREADABLE = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    AssertionError,
    EOFError,
    ImportError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    SafetensorError,
)


NEEDS_TRANSFORMERS = "its texts need the package transformers; install it, or choose another model"


class Missing(ValueError):
    """The hub has no such file."""


def fetch(repo: str, names: tuple[str, ...], advance: Advance) -> Path:
    """The first of `names` that `repo` has, from the cache where it is, else from the hub.

    Args:
        repo: "org/name" on the hub.
        names: file names, the preferred one first.
        advance: told how far a download is; what it raises ends the download.

    Raises:
        ValueError: one sentence that says why there is no file.
    """
    for name in names:
        try:
            cached = huggingface_hub.try_to_load_from_cache(repo, name)
        except HFValidationError as error:
            raise ValueError(f"'{repo}' is not the name of a hub repository, org/name") from error
        if isinstance(cached, str) and Path(cached).is_file():
            return Path(cached)
    for name in names:
        try:
            return _download(repo, name, advance)
        except Missing as error:
            missing = error
    raise missing


def _download(repo: str, name: str, advance: Advance) -> Path:
    most = limits.MAX_MODEL_MB.value * 10**6

    class Bar(tqdm):  # the hub draws its progress on a bar; this one draws nothing and passes the numbers on
        def __init__(self, *args, total: int | None = None, initial: int = 0, **kwargs) -> None:
            super().__init__(disable=True)
            self.total, self.n = total, initial
            if most and (total or 0) > most:
                raise ValueError(
                    f"its file of {total / 1e6:,.0f} MB is over this page's {most / 1e6:,.0f} MB"
                )

        def update(self, n: float | None = 1) -> None:
            self.n += n
            advance(int(self.n), int(self.total or 0))

    try:
        path = Path(huggingface_hub.hf_hub_download(repo, name, tqdm_class=Bar))
    except GatedRepoError as error:
        raise ValueError(f"the hub gives '{repo}' only to people who have agreed to its terms") from error
    except RepositoryNotFoundError as error:
        raise ValueError(f"the hub has no public repository '{repo}'") from error
    except LocalEntryNotFoundError as error:
        raise ValueError(
            f"it is not on this machine and the hub did not answer ({_reason(error)})"
        ) from error
    except EntryNotFoundError as error:
        raise Missing(f"the hub's '{repo}' has no file {name}") from error
    except (OSError, TRANSPORT) as error:  # any other answer of the hub, a lost connection, a full disk
        raise ValueError(f"its download broke off ({_reason(error)})") from error
    if _corrupt(path):
        discard(path)
        raise ValueError(f"its download was damaged on the way ({name} does not have its checksum)")
    return path


def _reason(error: BaseException) -> str:
    """The first line of what went wrong first, without addresses."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return re.sub(r"\s*(for url|\(Request ID).*", "", lines[0])[:160] if lines else type(error).__name__


def _corrupt(path: Path) -> bool:
    """Whether a file of the hub's cache lacks its checksum; the cache names large files by their SHA-256."""
    promised = path.resolve().name
    if not re.fullmatch("[0-9a-f]{64}", promised):
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() != promised


def discard(path: Path) -> None:
    """Forget a file of the hub's cache, so that the next attempt fetches it again."""
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def read_config(path: Path) -> dict:
    """A hub repository's description of its model; one that is no description is forgotten."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        config = None
    if not isinstance(config, dict) or "model_cfg" not in config:
        discard(path)
        raise ValueError(f"its {CONFIG} is damaged or describes no CLIP")
    return config


def check_texts(text_config: Mapping[str, object]) -> None:
    """Refuse a text encoder that needs a package which is not here, before anything large is fetched."""
    foreign = text_config.get("hf_tokenizer_name") or text_config.get("hf_model_name")
    if foreign and not importlib.util.find_spec("transformers"):
        raise ValueError(NEEDS_TRANSFORMERS)


def check_file(path: Path) -> None:
    """Raise one sentence unless `path` is a file of a kind that can be read without running code in it."""
    if not path.is_file():
        raise ValueError(f"Model: the checkpoint must be a file on this machine, got '{path}'.")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"Model: a checkpoint must end in {', '.join(SUFFIXES)}, got '{path.name}'.")


def why_unreadable(error: BaseException) -> str:
    """What is wrong with a checkpoint or its configuration, in a few words."""
    text = str(error)
    if isinstance(error, SafetensorError):
        return f"the file is damaged or no safetensors file ({text[:120]})"
    if isinstance(error, pickle.UnpicklingError) or "weights_only" in text:
        return (
            "the file holds more than plain weights, which this page does not execute; save it as safetensors"
        )
    if isinstance(error, (EOFError, zipfile.BadZipFile)) or "PytorchStreamReader" in text:
        return "the file is damaged or cut short"
    if isinstance(error, RuntimeError) and "state_dict" in text:
        lines = [line.strip() for line in text.splitlines()[1:] if line.strip()]
        return f"its weights do not fit the architecture: {lines[0][:160] if lines else text[:160]}"
    if isinstance(error, ImportError) or "transformers" in text:
        return NEEDS_TRANSFORMERS
    return text.strip().splitlines()[0][:200] if text.strip() else type(error).__name__


def damaged(error: BaseException) -> bool:
    """Whether an error says that the file itself is broken, rather than that it fits nothing here."""
    return "damaged" in why_unreadable(error)
