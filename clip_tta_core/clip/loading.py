"""Load a CLIP by name once, keep it frozen, and hand out zero-shot classifiers that share it.

"mini-clip", "photo-clip"            the models that ship with the project
"ViT-B-32/laion2b_s34b_b79k"         architecture and pretraining tag, as open_clip lists them
"hf-hub:org/name"                    a repository on the Hugging Face hub
"ViT-B-32@/path/weights.safetensors" an architecture with weights from a local file; where the file's folder
                                     holds an open_clip_config.json, that says what the model is
"local-dir:/path"                    a hub repository as it was downloaded, or a file in one

Names are read as people have them (see `model_names`). A model that cannot be used here is refused with one
sentence, and a failed attempt leaves nothing behind: the next one starts afresh. Loading a model holds up
only those who wait for the same one.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import importlib.util
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from clip_tta_core import limits
from clip_tta_core.clip import checkpoints, embedded, precision, weights
from clip_tta_core.clip.aside import aside
from clip_tta_core.clip.attention import make_contiguous
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.clip.model_names import FOLDER, HUB, MINI, canonical, unknown
from clip_tta_core.clip.prompts import fill, templates
from clip_tta_core.records import Choice, Loading
from clip_tta_core.registry import Registry, unknown_name

MODELS: Registry[Choice] = Registry("model")  # the short list of the page; `load` takes any name
for _model in (
    *(Choice(member.name, member.title, member.help, "here") for member in EMBEDDED.values()),
    Choice(
        "ViT-B-32/openai",
        "ViT-B/32, OpenAI",
        "The smallest original CLIP; 224 px, 151 million weights.",
        "OpenAI",
    ),
    Choice(
        "ViT-B-16/openai",
        "ViT-B/16, OpenAI",
        "The one CLIPTTA's tables use; 224 px, 150 million weights.",
        "OpenAI",
    ),
    Choice(
        "ViT-L-14/openai", "ViT-L/14, OpenAI", "Large; 224 px, 428 million weights, wants a GPU.", "OpenAI"
    ),
    Choice(
        "RN50/openai",
        "ResNet-50, OpenAI",
        "A convolutional CLIP: its batch normalization reads the statistics of every batch; 224 px.",
        "OpenAI",
    ),
    Choice("ViT-B-32/laion2b_s34b_b79k", "ViT-B/32, LAION-2B", "Open data; 224 px.", "LAION"),
    Choice("ViT-B-16/laion2b_s34b_b88k", "ViT-B/16, LAION-2B", "Open data; 224 px.", "LAION"),
    Choice("ViT-B-32/datacomp_xl_s13b_b90k", "ViT-B/32, DataComp", "Filtered open data; 224 px.", "DataComp"),
    Choice("ViT-B-16/datacomp_xl_s13b_b90k", "ViT-B/16, DataComp", "Filtered open data; 224 px.", "DataComp"),
    Choice(
        "ViT-B-16-SigLIP/webli",
        "ViT-B/16, SigLIP",
        "Trained with a sigmoid instead of a softmax; 224 px.",
        "Google",
    ),
    Choice(
        "MobileCLIP-S1/datacompdr", "MobileCLIP-S1", "Made for phones; 256 px, 85 million weights.", "Apple"
    ),
):
    # SigLIP's texts are read by a package that is not asked for otherwise.
    if "SigLIP" not in _model.name or importlib.util.find_spec("transformers"):
        MODELS.register(_model)
CONTROL_GROUP = Path("/sys/fs/cgroup")  # of a container, as its processes see it
TEXTS_AT_ONCE = 64  # a few seconds of a ViT-B's text encoder on a laptop; in between, one sees progress
LISTS_KEPT = 32  # class lists whose text features a model remembers
# Bytes of intermediate results a CPU run may keep for the backward pass: a quarter of what is free, since two
# runs may share the machine and an encoder needs more for moments than is counted here, and never less than
# this, with which a ViT-B/32 takes a batch of 64 in three pieces. All but one piece are computed twice.
CPU_ACTIVATIONS = 700_000_000
SHARE_OF_FREE = 0.25

Observer = Callable[[Loading], None]


def _ignore(state: Loading) -> None:
    """Nobody watches."""


class TextTower(nn.Module):
    """Texts in, unit features out; a module, so that its norms can be trained."""

    def __init__(self, encoder: nn.Module, tokenize: Callable[[list[str]], Tensor]) -> None:
        super().__init__()
        self.encoder = encoder
        self.tokenize = tokenize

    def forward(self, texts: Sequence[str]) -> Tensor:
        """N texts -> (N, D) unit rows, float32."""
        device = next(self.encoder.parameters()).device
        pieces = self.tokenize(list(texts)).to(device).split(TEXTS_AT_ONCE)  # (n, context length) each
        if torch.is_grad_enabled() and len(pieces) > 1:  # a thousand classes would not fit into memory
            features = [checkpoint(self.encoder, piece, use_reentrant=False) for piece in pieces]
        else:
            features = [self.encoder(piece) for piece in pieces]
        return F.normalize(torch.cat(features).float(), dim=-1)

    def __deepcopy__(self, memo: dict[int, object]) -> TextTower:
        """Copies share the tokenizer, which never changes."""
        memo[id(self.tokenize)] = self.tokenize
        copied = memo[id(self)] = type(self).__new__(type(self))
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied


@dataclass(frozen=True, eq=False)
class LoadedClip:
    """A frozen model on a device and how to feed it."""

    name: str
    visual: nn.Module
    text: TextTower
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    image_size: int  # pixels, square
    device: torch.device
    autocast: torch.dtype | None  # what the encoder's weights are stored in; None: float32
    micro_batch: int | None
    flops: int = 0  # floating-point operations of one picture forward, 0 where nobody counted
    texts: OrderedDict[tuple, Tensor] = field(
        default_factory=OrderedDict, repr=False
    )  # (classes, templates): (K, D)

    @property
    def precision(self) -> str:
        """The number format of the image encoder, in words: "float32", "bfloat16" or "float16"."""
        return str(self.autocast or torch.float32).removeprefix("torch.")


def devices() -> tuple[str, ...]:
    """The devices of this machine, the best one first."""
    found = ["cuda"] if torch.cuda.is_available() else []
    found += ["mps"] if torch.backends.mps.is_available() else []
    return (*found, "cpu")


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`, or the best one there is: CUDA, then Apple's MPS, then the CPU."""
    available = devices()
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise ValueError(
            f"Device must be one this machine has ({', '.join(available)}) or auto, got '{name}'."
        )
    return torch.device(name)


Key = tuple[str, str, int, str]  # name, device, version of the file, precision asked for
_shelf: OrderedDict[Key, LoadedClip] = OrderedDict()  # the most recently used model last
_under_way: dict[Key, Loading] = {}
_locks: dict[Key, threading.Lock] = {}
_guard = threading.Lock()  # of the three above; held for moments only


def check_name(model: str) -> None:
    """Raise one sentence if `model` is no name of a model, or not one this page may load; loads nothing."""
    if model in MODELS:
        return
    name = canonical(model)
    if name in MODELS:
        return
    if "@" in name or name.startswith(FOLDER):
        if not limits.LOCAL_FILES.value:
            raise ValueError(
                "Model: this page loads no files from its own machine; choose a model of the list."
            )
        _local(name)
    elif not limits.ANY_MODEL.value:
        raise ValueError(unknown_name("model", name, MODELS))
    if name.startswith((HUB, FOLDER)):
        return
    architecture, tag = _parts(name)
    if architecture not in open_clip.list_models():
        raise ValueError(unknown("CLIP architecture", architecture or name, open_clip.list_models()))
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if "@" not in name and tag not in tags:
        known = tags or ["none, give a file as " + architecture + "@/path/weights.safetensors"]
        raise ValueError(unknown_name(f"pretraining of {architecture}", tag[:80], known))


def _local(name: str) -> Path:
    """The checkpoint on this machine that a name means, or a sentence."""
    path = Path(name.removeprefix(FOLDER) if name.startswith(FOLDER) else _parts(name)[1])
    if path == Path():
        raise ValueError(f"Model: '{name}' names no file; write it as ViT-B-32@/path/weights.safetensors.")
    described = "@" in name and not name.startswith(FOLDER)
    try:
        is_folder = path.is_dir()
        path = _snapshot(path)
        files = sorted(path.iterdir()) if is_folder else [path]
    except OSError:
        is_folder, files = False, [path]
    if is_folder:
        files = [file for file in files if file.suffix.lower() in checkpoints.SUFFIXES]
        known = [path / name for name in weights.WEIGHTS if path / name in files]
        if not files:
            raise ValueError(
                f"Model: the folder '{path}' holds no weights ({', '.join(checkpoints.SUFFIXES)})."
            )
        if not known and len(files) > 1:
            raise ValueError(
                f"Model: the folder '{path}' holds several weights; name one, such as {files[0]}."
            )
        files = known or files
    checkpoints.check(files[0])
    if not described and not files[0].with_name(checkpoints.CONFIG).is_file():
        raise ValueError(
            f"Model: '{path}' has no {checkpoints.CONFIG} beside its weights, so it needs its architecture: "
            f"ViT-B-32@{files[0]}."
        )
    return files[0]


def _snapshot(folder: Path) -> Path:
    """The newest version in a folder of the hub's cache, "models--org--name"; other folders themselves."""
    versions = [path for path in folder.glob("snapshots/*") if path.is_dir()]
    return max(versions, key=lambda path: path.stat().st_mtime, default=folder)


def _parts(model: str) -> tuple[str, str]:
    """Architecture, and pretraining tag or file."""
    architecture, _, rest = model.partition("@" if "@" in model else "/")
    return architecture, rest


def architecture_of(model: str) -> str:
    """What open_clip calls the architecture of a model, as far as its name says it."""
    return _parts(model)[0]


def _is_local(name: str) -> bool:
    return name.startswith(FOLDER) or ("@" in name and not name.startswith(HUB))


def here() -> frozenset[str]:
    """The models of the list that are on this machine, so that they load without the hub."""
    return frozenset(name for name in MODELS if name in EMBEDDED or _has(name))


def _has(name: str) -> bool:
    repo, names = _published(open_clip.get_pretrained_cfg(*_parts(name)))
    return weights.cached(repo, names) is not None


def _published(settings: dict) -> tuple[str, tuple[str, ...]]:
    """The hub repository of a tag, and the files that may hold its weights, the preferred one first."""
    repo, file = settings["hf_hub"].rsplit("/", 1)
    return repo, (Path(file).with_suffix(".safetensors").name, file) if file else weights.WEIGHTS


def load(
    model: str = MINI,
    device: str = "auto",
    observe: Observer = _ignore,
    wanted: str = "auto",
) -> LoadedClip:
    """Load `model` on `device`, once for all who ask.

    Args:
        model: a name as at the top of this file.
        device: "auto", or one of `devices()`.
        observe: told what is being done, several times a second; what it raises ends the attempt.
        wanted: number format of the image encoder; see `clip.precision`. The embedded models stay float32.

    Raises:
        ValueError: one sentence, where the name is unknown or the weights cannot be had.
    """
    check_name(model)
    model = canonical(model)
    place = choose_device(device)
    precision.check(wanted)
    key = (model, str(place), _version(model), wanted)
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    while not lock.acquire(timeout=0.1):
        observe(_under_way.get(key, Loading(model, "waiting for")))
    try:
        found = _taken(key)
        if found is None:
            found = aside(
                _place,
                model,
                place,
                wanted,
                lambda state: (_under_way.__setitem__(key, state), observe(state)),
            )
            _keep(key, found)
        return found
    finally:
        _under_way.pop(key, None)
        lock.release()


def _version(model: str) -> int:
    """Changes when a local file or its description does."""
    if not _is_local(model):
        return 0
    file = _local(model)
    config = file.with_name(checkpoints.CONFIG)
    return hash((file, file.stat().st_mtime_ns, config.stat().st_mtime_ns if config.is_file() else 0))


def _taken(key: Key) -> LoadedClip | None:
    with _guard:
        if key in _shelf:
            _shelf.move_to_end(key)
        return _shelf.get(key)


def _keep(key: Key, loaded: LoadedClip) -> None:
    """Put a model on the shelf and take off those used longest ago; runs that use one keep it alive."""
    with _guard:
        _shelf[key] = loaded
        others = [old for old in _shelf if old[0] not in EMBEDDED]
        most = limits.MODELS_KEPT.value or len(others)
        for old in others[: max(0, len(others) - most)]:
            del _shelf[old]


def _place(model: str, device: torch.device, wanted: str, tell: Observer) -> LoadedClip:
    if device.type != "cpu":
        on_cpu = _taken((model, "cpu", _version(model), wanted))
        # In a process of its own, a copy is faster than reading the file again; weights that were rounded
        # for the CPU serve only where they would be rounded alike.
        if on_cpu is not None and on_cpu.autocast in (None, _autocast(on_cpu, device, wanted)):
            return _moved(on_cpu, device, wanted)
    tell(Loading(model, "loading"))
    if model in EMBEDDED:
        return _load_embedded(model, device)
    return _load_open_clip(model, device, wanted, tell)


def _autocast(loaded: LoadedClip, device: torch.device, wanted: str) -> torch.dtype | None:
    return None if loaded.name in EMBEDDED else precision.choose(loaded.visual, device, wanted)


def _moved(loaded: LoadedClip, device: torch.device, wanted: str) -> LoadedClip:
    visual, text = (copy.deepcopy(tower).to(device) for tower in (loaded.visual, loaded.text))
    autocast = _autocast(loaded, device, wanted)
    visual = precision.store(visual, autocast)
    changes = {"device": device, "autocast": autocast, "micro_batch": None, "texts": OrderedDict()}
    return dataclasses.replace(loaded, visual=visual, text=text, **changes)


def classifier(
    loaded: LoadedClip,
    class_names: Sequence[str],
    template_set: str = "single",
    observe: Observer = _ignore,
) -> ClipClassifier:
    """A frozen zero-shot classifier over `class_names`; the text features of a list are computed once."""
    names, prompts = tuple(class_names), templates(template_set)
    if len(names) < 2:
        raise ValueError(f"Classes: at least two are needed to choose between, got {len(names)}.")
    return ClipClassifier(
        loaded.visual,
        _text_features(loaded, names, prompts, observe),
        loaded.scale,
        names,
        loaded.mean,
        loaded.std,
        encode_text=loaded.text,
        templates=prompts,
        micro_batch=loaded.micro_batch,
        autocast=loaded.autocast,
    )


@torch.no_grad()
def _text_features(
    loaded: LoadedClip, names: tuple[str, ...], prompts: tuple[str, ...], observe: Observer
) -> Tensor:
    """Unit text features, averaged over the prompts; a model remembers the lists used last. -> (K, D)"""
    with _guard:
        features = loaded.texts.pop((names, prompts), None)
    if features is None:
        total, count = torch.zeros((), device=loaded.device), len(prompts) * len(names)
        for number, prompt in enumerate(prompts):
            texts, rows = fill(prompt, names), []
            for first in range(0, len(texts), TEXTS_AT_ONCE):
                done = number * len(names) + first
                observe(Loading(loaded.name, "reading class names for", done, count))
                rows.append(loaded.text(texts[first : first + TEXTS_AT_ONCE]))
            total = total + torch.cat(rows)  # (K, D)
        features = F.normalize(total, dim=-1)
    with _guard:
        loaded.texts[names, prompts] = features
        while len(loaded.texts) > LISTS_KEPT:
            loaded.texts.popitem(last=False)
    return features


def _load_embedded(name: str, device: torch.device) -> LoadedClip:
    member = EMBEDDED[name]
    try:
        checkpoints.kind(member.folder / "model.safetensors")
        model = embedded.load(member).to(device)
    except Exception as error:
        raise ValueError(
            f"Model '{name}' cannot be used: {weights.why_unreadable(error)}; fetch the folder "
            f"assets/{member.folder.name} again, or choose another model."
        ) from error
    config = model.config
    return LoadedClip(
        name,
        model.visual.requires_grad_(False).eval(),
        TextTower(model.text, partial(embedded.tokenize, name)).requires_grad_(False).eval(),
        model.logit_scale.exp().item(),
        config.mean,
        config.std,
        config.image_size,
        device,
        autocast=None,  # too small to gain anything
        micro_batch=None,
    )


def _load_open_clip(name: str, device: torch.device, wanted: str, tell: Observer) -> LoadedClip:
    file, settings, watched = None, {}, []

    def observe(state: Loading) -> None:  # what an observer raises is for its owner, not about the model
        try:
            tell(state)
        except BaseException as error:
            watched.append(error)
            raise

    try:
        file, settings = _locate(name, observe)
        observe(Loading(name, "building"))
        return tuned(_build(name, file, settings, device), wanted)
    except Exception as error:  # a stranger's configuration and weights can raise anything
        if error in watched:
            raise
        if file is not None and not _is_local(name) and weights.damaged(error):
            weights.discard(file)
        raise ValueError(
            f"Model '{name}' cannot be used: {weights.why_unreadable(error)}; {_way_out(error)}."
        ) from error


def _way_out(error: Exception) -> str:
    """What works instead: without the hub, the models that are on this machine."""
    if not isinstance(error, weights.Offline):
        return f"choose another, or stay on {MINI}"
    others = sorted(here() - {MINI})
    ways = [f"choose one that is on this machine ({', '.join(others[:3])})"] if others else []
    if limits.LOCAL_FILES.value:
        ways.append("name a file as ViT-B-32@/path/weights.safetensors")
    return ", ".join([*(ways or ["choose another"]), f"or stay on {MINI}"])


def _locate(name: str, tell: Observer) -> tuple[Path, dict]:
    """The file with the weights of a model, fetched where need be, and what open_clip says of them."""

    def advance(done: int, total: int) -> None:
        tell(Loading(name, "downloading", done, total))

    if name.startswith(HUB):
        repo = name.removeprefix(HUB)
        described = weights.fetch(repo, (checkpoints.CONFIG,), advance)
        try:
            config = weights.read_config(described)
        except checkpoints.Unreadable:
            weights.discard(described)
            raise
        weights.check_texts(config["model_cfg"].get("text_cfg", {}))
        return weights.fetch(repo, weights.WEIGHTS, advance), {}
    if _is_local(name):
        file = _local(name)
        if (described := file.with_name(checkpoints.CONFIG)).is_file():
            weights.check_texts(weights.read_config(described)["model_cfg"].get("text_cfg", {}))
        else:
            weights.check_texts(_text_settings(_parts(name)[0]))
        return file, {}
    architecture, tag = _parts(name)
    weights.check_texts(_text_settings(architecture))
    settings = open_clip.get_pretrained_cfg(architecture, tag)
    return weights.fetch(*_published(settings), advance), settings


def _text_settings(architecture: str) -> dict:
    """What open_clip says of the text encoder of an architecture."""
    config = open_clip.get_model_config(architecture)
    if config is None:
        raise ValueError(unknown("CLIP architecture", architecture, open_clip.list_models()))
    return config["text_cfg"]


def _build(name: str, file: Path, settings: dict, device: torch.device) -> LoadedClip:
    config = file.with_name(checkpoints.CONFIG)
    described = not settings and config.is_file()  # a tag's settings are open_clip's own
    preprocess = {key: settings[key] for key in ("mean", "std") if key in settings}
    with checkpoints.prepared(file) as ready, tempfile.TemporaryDirectory(prefix="model-") as folder:
        architecture = _parts(name)[0]
        if described:  # a folder in which these are the only weights
            architecture = f"local-dir:{folder}"
            (Path(folder) / config.name).symlink_to(config.resolve())
            (Path(folder) / f"open_clip_model{ready.file.suffix}").symlink_to(ready.file.resolve())
        model = open_clip.create_model(
            architecture,
            pretrained=None if described else str(ready.file),
            force_quick_gelu=bool(settings.get("quick_gelu")) or (ready.openai and not described),
            force_custom_text=True,
            force_preprocess_cfg=preprocess,
            pretrained_text=False,
            require_pretrained=True,
            weights_only=True,
        )
    spoken = f"local-dir:{file.parent}" if described else architecture
    return wrap(name, model, open_clip.get_tokenizer(_tokenizer_name(name, spoken, file)), device)


def wrap(
    name: str, model: nn.Module, tokenize: Callable[[list[str]], Tensor], device: torch.device
) -> LoadedClip:
    """A model of open_clip's with two towers, as it is, in float32; ValueError where it does not fit."""
    visual, text = model.get_submodule("visual"), TextTower(model.get_submodule("text"), tokenize)
    tower: Any  # CoCa's towers give their tokens too; nobody here reads those
    for tower in (visual, text.encoder):
        if getattr(tower, "output_tokens", False):
            tower.output_tokens = False
    preprocess = open_clip.get_model_preprocess_cfg(model)
    size = preprocess["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise ValueError(f"its pictures must be square, and are {height} x {width}")
    return LoadedClip(
        name,
        visual.requires_grad_(False).eval().to(device),
        text.requires_grad_(False).eval().to(device),
        # SigLIP also has a bias: the same number on every logit, which no softmax can see.
        model.get_parameter("logit_scale").exp().item(),
        tuple(preprocess["mean"]),
        tuple(preprocess["std"]),
        height,
        device,
        autocast=None,
        micro_batch=None,
    )


def tuned(loaded: LoadedClip, wanted: str = "auto") -> LoadedClip:
    """The same model, made fast and tried out: attention on contiguous layouts, weights in the chosen
    precision, and on a CPU as many pictures at once as the machine's memory takes.
    """
    for tower in (loaded.visual, loaded.text):
        make_contiguous(tower)
    autocast = precision.choose(loaded.visual, loaded.device, wanted)
    precision.store(loaded.visual, autocast)
    loaded = dataclasses.replace(loaded, autocast=autocast)
    kept, flops = _try_out(loaded)
    # A GPU that is too small says so, and the engine then takes smaller pieces.
    room = max(CPU_ACTIVATIONS, int(SHARE_OF_FREE * free_memory()))
    pieces = max(1, room // kept) if loaded.device.type == "cpu" else None
    return dataclasses.replace(loaded, micro_batch=pieces, flops=flops)


def free_memory() -> int:
    """Bytes this process may still take, as the system or its control group says; 0 where neither does."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(1024 * int(lines["MemAvailable"].split()[0]))
    with contextlib.suppress(OSError, ValueError):  # "max" where the group has no limit
        limit, used = (int((CONTROL_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        found.append(max(0, limit - used))
    return min(found, default=0)


def _tokenizer_name(name: str, architecture: str, file: Path) -> str:
    """What open_clip calls the tokenizer; only one that lives on the hub by itself is asked for there."""
    if not name.startswith(HUB):
        return architecture
    text = weights.read_config(file.with_name(weights.CONFIG))["model_cfg"].get("text_cfg", {})
    return name if text.get("hf_tokenizer_name") else architecture


def _try_out(loaded: LoadedClip) -> tuple[int, int]:
    """Send one picture and one text through. -> bytes the backward pass keeps of a picture, its operations"""
    known = {tensor.untyped_storage().data_ptr() for tensor in loaded.visual.state_dict().values()}
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            known.add(storage.data_ptr())
            kept += storage.nbytes()
        return tensor

    side = loaded.image_size
    image = torch.zeros(1, 3, side, side, device=loaded.device, requires_grad=True)
    with (
        torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
        FlopCounterMode(display=False) as operations,
    ):
        with torch.autocast(loaded.device.type, loaded.autocast, enabled=loaded.autocast is not None):
            features = loaded.visual(image)
    with torch.no_grad():
        texts = loaded.text(["a photo"])
    if not isinstance(features, Tensor) or features.shape != texts.shape:
        got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ValueError(
            f"its image encoder must give one row per picture, as long as a text's, {tuple(texts.shape)}, "
            f"and gives {got}"
        )
    if not (features.isfinite().all() and texts.isfinite().all()):
        raise ValueError("its features are not finite numbers")
    return max(1, kept), operations.get_total_flops()
