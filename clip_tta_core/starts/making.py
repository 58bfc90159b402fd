"""Make a start once: kept in memory, and as a file, for all who ask for the same.

What decides it is the model's weights, the classes and their texts, the pre-step with its settings, the
pictures, the seed, the kind of device and the code; all of that is in its key. The last `KEPT` stay in
memory, and files of `MOST_BYTES` together on the disk, those that were used last.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from clip_tta_core import limits
from clip_tta_core.clip import precision
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.clip.loading import LoadedClip
from clip_tta_core.hparams import Config
from clip_tta_core.starts.base import STARTS, Shots, frozen

KEPT = 4  # image encoders in memory
MOST_BYTES = 2_000_000_000  # of files; one of a ViT-B has 350 MB
PACKAGE = Path(__file__).parents[1]
# The code besides this room's that decides what a start becomes.
CODE = ("augment.py", "clip/classifier.py", "losses.py", "optim.py")

Tell = Callable[[int, int], None]  # steps done and in all; what it raises ends the making

_shelf: OrderedDict[str, dict[str, Tensor]] = OrderedDict()  # by key; the most recently used last
_locks: dict[str, threading.Lock] = {}
_guard = threading.Lock()  # of the two above; held for moments only


def make(
    name: str,
    config: Config,
    clip: ClipClassifier,
    shots: Shots,
    weights: str,
    seed: int,
    tell: Tell = lambda step, steps: None,
) -> nn.Module:
    """The image encoder that a pre-step makes, or has made before; a copy of one's own, frozen.

    Args:
        name: of STARTS.
        config: of that pre-step.
        clip: the frozen model with the run's classes, in float32.
        shots: what it may see.
        weights: a hash of the model's weights.
        seed: of the pre-step's own choices.
        tell: told how far it is, several times a second; what it raises ends the attempt, of which nothing
            is kept.
    """
    key = key_of(name, config, clip, shots, weights, seed)
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    while not lock.acquire(timeout=0.1):  # somebody else makes the same one
        tell(0, 0)
    try:
        state = _taken(key) or _read(key)
        if state is None:
            start = STARTS[name](clip, config, torch.Generator().manual_seed(seed))
            start.on_step = tell
            with torch.enable_grad():
                made = start.make(shots)
            state = {part: t.detach().cpu().clone() for part, t in made.state_dict().items()}
            if not all(t.isfinite().all() for t in state.values() if t.is_floating_point()):
                raise ValueError(
                    f"{STARTS[name].title}: the weights it makes must be numbers, got others; "
                    "lower its learning rate."
                )
            _write(key, state)
        _keep(key, state)
    finally:
        lock.release()
        with _guard:
            _locks.pop(key, None)
    visual = copy.deepcopy(clip.visual)
    visual.load_state_dict(state)
    return frozen(visual)


def begun(loaded: LoadedClip, visual: nn.Module) -> LoadedClip:
    """A loaded model that begins with another image encoder, in the precision of the one it had."""
    return dataclasses.replace(loaded, visual=precision.store(visual, loaded.autocast))


def save(loaded: LoadedClip, file: Path) -> None:
    """Write a model as a checkpoint under the names of open_clip: visual.*, text.* and logit_scale.

    It loads again as ARCHITECTURE@file, or beside the open_clip_config.json of the model it was made from.
    """
    towers = (("visual", loaded.visual), ("text", loaded.text.encoder))
    state = {f"{name}.{part}": t for name, tower in towers for part, t in tower.state_dict().items()}
    state["logit_scale"] = torch.tensor(loaded.scale).log()
    save_file({name: t.detach().cpu().contiguous().clone() for name, t in state.items()}, file)


def key_of(name: str, config: Config, clip: ClipClassifier, shots: Shots, weights: str, seed: int) -> str:
    """A hash of all that decides what is made."""
    plain = [name, dataclasses.asdict(config), clip.class_names, weights, seed, clip.device.type]
    digest = hashlib.sha256(json.dumps([*plain, code_version()], sort_keys=True).encode())
    for tensor in (clip.text_features, shots.images, shots.labels, shots.unlabelled):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes() + b"\0")
    return digest.hexdigest()[:32]


@cache
def code_version() -> str:
    """A hash of the source files that decide what a start becomes."""
    digest = hashlib.sha256()
    for path in [*sorted(Path(__file__).parent.glob("*.py")), *(PACKAGE / name for name in CODE)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _taken(key: str) -> dict[str, Tensor] | None:
    with _guard:
        if key in _shelf:
            _shelf.move_to_end(key)
        return _shelf.get(key)


def _keep(key: str, state: dict[str, Tensor]) -> None:
    with _guard:
        _shelf[key] = state
        _shelf.move_to_end(key)
        while len(_shelf) > KEPT:
            _shelf.popitem(last=False)


def _read(key: str) -> dict[str, Tensor] | None:
    """From the disk; None where it is not there, or cannot be read."""
    file = limits.starts_folder() / f"{key}.safetensors"
    with contextlib.suppress(OSError, SafetensorError):
        state = load_file(file)
        file.touch()  # used last
        return state
    return None


def _write(key: str, state: dict[str, Tensor]) -> None:
    """To the disk, whole or not at all; a full or missing disk costs the next one only the making."""
    folder = limits.starts_folder()
    with contextlib.suppress(OSError, SafetensorError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as aside_here:
            save_file({part: t.contiguous() for part, t in state.items()}, Path(aside_here) / key)
            os.replace(Path(aside_here) / key, folder / f"{key}.safetensors")
        _drop_oldest(folder)


def _drop_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.safetensors"), key=lambda file: file.stat().st_mtime_ns)
    total = sum(file.stat().st_size for file in files)
    for file in files[:-1]:
        if total <= MOST_BYTES:
            break
        total -= file.stat().st_size
        file.unlink()
