"""Files with weights from the Hugging Face hub, and what is wrong with those that cannot be used."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from tqdm import tqdm

from clip_tta_core import limits
from clip_tta_core.clip.checkpoints import CONFIG, Unreadable

Advance = Callable[[int, int], None]  # bytes that are here, bytes in all (0 while nobody knows)

WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # the better one first
NEEDS_TRANSFORMERS = "its texts need the package transformers; install it, or choose another model"


class Offline(ValueError):
    """The hub cannot be reached, or broke off."""


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
    if (here := cached(repo, names)) is not None:
        return here
    *others, last = names
    for name in others:
        with contextlib.suppress(Missing):
            return _download(repo, name, advance)
    return _download(repo, last, advance)


def cached(repo: str, names: tuple[str, ...]) -> Path | None:
    """The first of `names` that is on this machine already."""
    for name in names:
        try:
            here = huggingface_hub.try_to_load_from_cache(repo, name)
        except HFValidationError as error:
            raise ValueError(f"'{repo}' is not the name of a hub repository, org/name") from error
        if isinstance(here, str) and Path(here).is_file():
            return Path(here)
    return None


def _download(repo: str, name: str, advance: Advance) -> Path:
    most = limits.MAX_MODEL_MB.value * 10**6

    class Bar(tqdm):  # the hub draws its progress on a bar; this one draws nothing and passes the numbers on
        def __init__(self, *args, total: int | None = None, initial: int = 0, **kwargs) -> None:
            super().__init__(disable=True)
            self.total, self.n = total, initial
            if total is not None and 0 < most < total:
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
        raise Offline(f"it is not on this machine and the hub did not answer ({_reason(error)})") from error
    except EntryNotFoundError as error:
        raise Missing(f"the hub's '{repo}' has no file {name}") from error
    except Exception as error:  # any other answer of the hub, a lost connection, a full disk
        if not (isinstance(error, OSError) or _by_transport(error)):
            raise
        raise Offline(f"its download broke off ({_reason(error)})") from error
    if _corrupt(path):
        discard(path)
        raise ValueError(f"its download was damaged on the way ({name} does not have its checksum)")
    return path


def _by_transport(error: BaseException) -> bool:
    """Whether an error comes from the library below the hub's client, another one in each of its versions."""
    return any(base.__name__ in ("HTTPError", "RequestException") for base in type(error).__mro__)


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
    """Forget a file of the hub's cache, with all that was fetched with it, so that it is fetched again."""
    kept = huggingface_hub.scan_cache_dir()
    content = path.resolve()
    revisions = {
        revision.commit_hash
        for repo in kept.repos
        for revision in repo.revisions
        if any(file.blob_path.resolve() == content for file in revision.files)
    }
    kept.delete_revisions(*revisions).execute()


def read_config(path: Path) -> dict:
    """A repository's description of its model."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        config = None
    if not isinstance(config, dict) or not isinstance(config.get("model_cfg"), dict):
        raise Unreadable(f"its {CONFIG} is damaged or describes no CLIP")
    return config


def check_texts(text_config: Mapping[str, object]) -> None:
    """Refuse a text encoder that needs a package which is not here, before anything large is fetched."""
    foreign = text_config.get("hf_tokenizer_name") or text_config.get("hf_model_name")
    if foreign and not importlib.util.find_spec("transformers"):
        raise ValueError(NEEDS_TRANSFORMERS)


def why_unreadable(error: BaseException) -> str:
    """What is wrong with a checkpoint or its configuration, in a few words."""
    text = str(error).strip()
    if isinstance(error, RuntimeError) and "state_dict" in text:
        lines = [line.strip() for line in text.splitlines()[1:] if line.strip()]
        return f"its weights do not fit the architecture: {lines[0][:160] if lines else text[:160]}"
    if isinstance(error, ImportError) or "transformers" in text and not isinstance(error, Unreadable):
        return NEEDS_TRANSFORMERS
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return "this machine has too little memory for it"
    first = text.splitlines()[0] if text else "no reason given"
    if isinstance(error, ValueError | RuntimeError | OSError):
        return first[:300]
    return f"its configuration makes no sense here ({type(error).__name__}: {first[:120]})"


def damaged(error: BaseException) -> bool:
    """Whether an error says that the file itself is broken, rather than that it fits nothing here."""
    return "damaged" in why_unreadable(error)
