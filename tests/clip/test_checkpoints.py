"""Checkpoints as people have them: in every wrapping, under every name, or refused for what they are."""

from __future__ import annotations

import argparse
import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from clip_tta_core.clip import checkpoints, loading
from clip_tta_core.clip.model_names import canonical
from tests.clip import families


@pytest.fixture(scope="module", autouse=True)
def known(tmp_path_factory):
    families.register(tmp_path_factory.mktemp("configs"))


@pytest.fixture(scope="module")
def model():
    return families.build("tiny-vit", seed=3)


def loaded(path, name="tiny-vit"):
    return loading.load(f"{name}@{path}", "cpu")


def named(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


WRAPPED = {
    "compiled": lambda s: named(s, "_orig_mod."),
    "in parallel and compiled": lambda s: named(s, "module._orig_mod."),
    "compiled and in parallel": lambda s: {"state_dict": named(s, "_orig_mod.module.")},
    "lightning": lambda s: {"epoch": 3, "state_dict": named(s, "model."), "optimizer_states": [{}]},
    "part of a module": lambda s: {"state_dict": named(s, "clip_model.") | {"head.weight": torch.zeros(3)}},
    "a trainer's": lambda s: {"epoch": 3, "model_state_dict": s, "loss": torch.tensor(1.0)},
    "timm's": lambda s: {"model": s, "state_dict_ema": named(s, "module.")},
    "the average only": lambda s: {"optimizer": {}, "model_ema": named(s, "module.")},
    "twice wrapped": lambda s: {"state_dict": {"model": s}},
    "under any name": lambda s: {"checkpoint": {"student": named(s, "network.")}, "epoch": 3},
    "with its average": lambda s: {"teacher": {n: 0 * t for n, t in s.items()}, "student": s},
    "behind its average": lambda s: (
        named({n: 0 * t for n, t in s.items()}, "ema_model.") | named(s, "model.")
    ),
    "a student behind its teacher": lambda s: (
        named({n: 0 * t for n, t in s.items()}, "teacher.") | named(s, "student.")
    ),
    "deeply wrapped": lambda s: {"a": {"b": {"c": {"d": {"e": {"module": s}}}}}},
    "with momenta": lambda s: {"optimizer": {"state": {n: 0 * t for n, t in s.items()}}, "net": s},
    "a wrapper's average": lambda s: {"n_averaged": torch.tensor(3), **named(s, "module.")},
    "its towers compiled": lambda s: {n.replace("visual.", "visual._orig_mod."): t for n, t in s.items()},
    "sharded": lambda s: named(s, "_forward_module._fsdp_wrapped_module."),
    "in a list": lambda s: [s, {"epoch": 3}],
    "with its arguments": lambda s: {"state_dict": s, "args": argparse.Namespace(lr=1e-3), "epoch": 3},
    "with its best score": lambda s: {"model": s, "best": np.float64(0.5), "step": np.int64(7)},
    "in half precision": lambda s: {name: tensor.half() for name, tensor in s.items()},
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_weights_are_found_in_any_wrapping(wrapping, model, tmp_path):
    torch.save(WRAPPED[wrapping](model.state_dict()), tmp_path / "w.pt")
    expected = model.visual.state_dict()
    torch.testing.assert_close(loaded(tmp_path / "w.pt").visual.state_dict(), expected, rtol=1e-2, atol=1e-3)


def test_nothing_is_loaded_by_half(model, tmp_path):
    state = model.state_dict()
    state.pop("visual.proj")
    torch.save({"state_dict": named(state, "module.")}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="do not fit the architecture.*visual.proj"):
        loaded(tmp_path / "w.pt")


def zipped(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            archive.writestr(name, "content")


NO_CHECKPOINTS = {
    "pointer.bin": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 605157884\n",
        "Git LFS",
    ),
    "pointer.safetensors": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
    "page.pt": (b"<!DOCTYPE html><html>Sign in</html>", "web page"),
    "page.safetensors": (b"\n<html><body>404</body></html>", "web page"),
    "notes.pth": ("Gewichte für später".encode(), "holds text"),
    "marked.pt": (b"\xef\xbb\xbf<!DOCTYPE html>", "web page"),
    "refused.bin": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "web page"),
    "answer.pt": (b'{"error": "Repository not found"}', "holds text"),
    "picture.pt": (b"\x89PNG\r\n\x1a\n" + bytes(100), "no checkpoint"),
    "array.bin": (b"\x93NUMPY\x01\x00" + bytes(100), "another library"),
    "empty.bin": (b"", "empty"),
    "packed.pt": (b"\x1f\x8b" + bytes(100), "packed"),
    "other.bin": (b"GGUF" + bytes(100), "another library"),
    "noise.pt": (bytes(range(7, 200)) * 3, "no checkpoint"),
    "index.bin": (b'{"metadata": {}, "weight_map": {"a": "w-00001-of-2.safetensors"}}', "several files"),
    "tensorless.safetensors": (b"\x02\0\0\0\0\0\0\0{}", "holds no weights"),
    "header.safetensors": (b"\xff\0\0\0\0\0\0\0{", "damaged"),
}


@pytest.mark.parametrize("name", NO_CHECKPOINTS)
def test_what_is_no_checkpoint_is_called_what_it_is(name, tmp_path):
    content, word = NO_CHECKPOINTS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=word) as caught:
        loaded(tmp_path / name)
    assert "more than plain weights" not in str(caught.value) and "\n" not in str(caught.value)


def test_archives_are_told_by_what_is_in_them(tmp_path):
    for members, word in ((("a/constants.pkl", "a/data.pkl"), "TorchScript"), (("x.jpg",), "no checkpoint")):
        zipped(tmp_path / "w.pt", *members)
        with pytest.raises(ValueError, match=word):
            loaded(tmp_path / "w.pt")


@pytest.mark.parametrize(
    "content",
    [
        *({}, {"state_dict": {}}, [1, 2], None, {"epoch": 3}, "text", torch.zeros(2), 101),
        {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": []},
    ],
)
def test_a_file_without_weights_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="the file holds no weights"):
        loaded(tmp_path / "w.pt")


def test_an_adapter_is_called_one(tmp_path):
    torch.save({"base_model.model.visual.attn.lora_A.weight": torch.zeros(2, 2)}, tmp_path / "adapter.bin")
    with pytest.raises(ValueError, match="a LoRA adapter; merge it into its model"):
        loaded(tmp_path / "adapter.bin")


@pytest.mark.parametrize("prefix", ["", "clip.", "model.", "network.clip."])
def test_the_layout_of_transformers_is_named(prefix, tmp_path):
    state = {"vision_model.embeddings.class_embedding": torch.zeros(2), "text_model.a": torch.zeros(2)}
    torch.save(named(state, prefix), tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="layout of the package transformers"):
        loaded(tmp_path / "pytorch_model.bin")


def test_the_content_and_not_the_ending_says_what_a_file_is(model, tmp_path):
    families.save(model, tmp_path / "w.safetensors").rename(tmp_path / "w.pt")
    torch.save(model.state_dict(), tmp_path / "v.bin")
    (tmp_path / "v.bin").rename(tmp_path / "v.safetensors")
    for name in ("w.pt", "v.safetensors"):
        torch.testing.assert_close(loaded(tmp_path / name).visual.proj, model.visual.proj)


def repository(
    folder: Path, quick: bool = True, weights: str = "open_clip_model.safetensors"
) -> torch.nn.Module:
    model = families.build("tiny-vit", seed=4)
    folder.mkdir()
    families.save(model, folder / weights)
    config = families.FAMILIES["tiny-vit"] | {"quick_gelu": quick}
    normalization = {"mean": [0.5] * 3, "std": [0.25] * 3}
    described = {"model_cfg": config, "preprocess_cfg": normalization}
    (folder / checkpoints.CONFIG).write_text(json.dumps(described))
    return model


@pytest.mark.parametrize(
    "weights", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin", "epoch_9.pt"]
)
@pytest.mark.parametrize(
    "way",
    ["tiny-vit@{}/{}", "tiny-vit@{}", "local-dir:{}", "local-dir:'{}/'", "{}", "{}/{}", "'{}'", "file://{}"],
)
def test_a_downloaded_repository_brings_its_normalization_and_activation(way, weights, tmp_path):
    repository(tmp_path / "repo", weights=weights)
    found = loading.load(way.format(tmp_path / "repo", weights), "cpu")
    assert found.mean == (0.5,) * 3 and found.std == (0.25,) * 3
    assert "QuickGELU" in repr(found.visual), "as its configuration says, and not as tiny-vit has it"


def test_the_folder_of_the_hubs_cache_is_its_newest_version(tmp_path):
    (tmp_path / "models--org--name" / "snapshots").mkdir(parents=True)
    repository(tmp_path / "models--org--name" / "snapshots" / "0a1b")
    assert loading.load(f"{tmp_path}/models--org--name", "cpu").std == (0.25,) * 3


def test_a_description_without_normalization_leaves_the_usual_one(tmp_path):
    repository(tmp_path / "repo")
    described = json.loads((tmp_path / "repo" / checkpoints.CONFIG).read_text())
    del described["preprocess_cfg"]
    (tmp_path / "repo" / checkpoints.CONFIG).write_text(json.dumps(described))
    assert loading.load(f"{tmp_path}/repo", "cpu").mean == tuple(loading.open_clip.OPENAI_DATASET_MEAN)


def test_the_numbers_in_openais_own_files_tell_their_activation(model, tmp_path):
    numbers = {name: torch.tensor(7) for name in checkpoints.OPENAI}
    torch.save(model.state_dict() | numbers, tmp_path / "w.pt")
    assert "QuickGELU" in repr(loaded(tmp_path / "w.pt").visual)
    torch.save(model.state_dict(), tmp_path / "v.pt")
    assert "QuickGELU" not in repr(loaded(tmp_path / "v.pt").visual)


def test_a_broken_description_is_told_and_left_where_it_is(tmp_path):
    repository(tmp_path / "repo")
    (tmp_path / "repo" / checkpoints.CONFIG).write_text("{")
    with pytest.raises(ValueError, match="open_clip_config.json is damaged"):
        loading.load(f"local-dir:{tmp_path}/repo", "cpu")
    assert (tmp_path / "repo" / checkpoints.CONFIG).is_file(), "it is not ours to throw away"


def test_a_folder_that_says_too_little_is_answered_with_the_way_out(model, tmp_path):
    families.save(model, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="needs its architecture: ViT-B-32@.*w.safetensors"):
        loading.load(f"local-dir:{tmp_path}", "cpu")
    families.save(model, tmp_path / "v.safetensors")
    with pytest.raises(ValueError, match="holds several weights; name one"):
        loading.load(f"tiny-vit@{tmp_path}", "cpu")


@pytest.mark.parametrize("path", ["/tmp/" + "猫" * 120 + ".pt", "/proc/1/root/x.pt", "/no/such.pt", "/tmp"])
def test_a_path_that_the_system_refuses_is_answered_with_a_sentence(path):
    with pytest.raises(ValueError, match="Model: ") as caught:
        loading.check_name(f"ViT-B-32@{path}")
    assert "\n" not in str(caught.value)


def test_a_home_folder_is_found(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    families.save(model, tmp_path / "w.safetensors")
    for name in (
        "tiny-vit@$HOME/w.safetensors",
        "tiny-vit@~/w.safetensors",
        "tiny-vit @ '~/w.safetensors'",
        '"TINY-VIT@~/w.safetensors"',
    ):
        torch.testing.assert_close(loading.load(name, "cpu").visual.proj, model.visual.proj)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *((name, "ViT-L-14-336/openai") for name in ("ViT-L/14@336px", "vit-l-14@336px")),
        ("ViT-L-14-336:openai", "ViT-L-14-336/openai"),
        *((name, "ViT-B-32/openai") for name in ("ViT-B/32", "vit-b-32/OpenAI", " ViT-B-32 / openai ")),
        *((name, "ViT-B-32/openai") for name in ("'ViT-B/32'", "ViT-B-32, openai", "vit_b_32/openai")),
        ("openai/clip-vit-base-patch32", "ViT-B-32/openai"),
        ("vit-b-16/LAION2B-s34b-b88k", "ViT-B-16/laion2b_s34b_b88k"),
        ("RN50x4", "RN50x4/openai"),
        ("clip-vit-base-patch16", "ViT-B-16/openai"),
        *((name, "ViT-B-32/openai") for name in ("ViT-B-32 (openai)", "ViT-B-32@openai", "ViT–B–32|openai")),
        *((name, "hf-hub:org/name") for name in ("hf://org/name", "hf_hub:org/name")),
        ("ViT-B-32: ~user/w.pt", "ViT-B-32@~user/w.pt"),
        ("vit-b-32 /data/my w.pt", "ViT-B-32@/data/my w.pt"),
        ("ViT-B-32@file:///data/my%20w.pt", "ViT-B-32@/data/my w.pt"),
        ("Photo CLIP", "photo-clip"),
        *((name, "ViT-B-32/openai") for name in ("openai/ViT-B-32", "open_clip:ViT-B-32/openai")),
        *((name, "ViT-B-32/openai") for name in ("vitb32/openai", "ViT-B32/openai")),
        *((name, "ViT-B-32/openai") for name in ("CLIP ViT-B/32", "openai/clip-vit-base-patch32/")),
        *((name, "ViT-B-32/openai") for name in ("create_model('ViT-B-32', 'openai')", "ViT-B-32 [openai]")),
        ("ViT-B-32, pretrained=openai", "ViT-B-32/openai"),
        ("laion2b_s34b_b79k/ViT-B-32", "ViT-B-32/laion2b_s34b_b79k"),
        ("ViT-B-32-laion2b_s34b_b79k", "ViT-B-32/laion2b_s34b_b79k"),
        ("ViT-L-14@336", "ViT-L-14-336/openai"),
        ("ViT-B-32=/data/sets/w.pt", "ViT-B-32@/data/sets/w.pt"),
        ("weights/w.safetensors", "local-dir:weights/w.safetensors"),
        ("$CLIPTTA_DATA/w.pt", "local-dir:$CLIPTTA_DATA/w.pt"),  # what is in variables is not for visitors
        ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("https://huggingface.co/laion/CLIP-x/tree/main", "hf-hub:laion/CLIP-x"),
        ("hf.co/org/name?download=true", "hf-hub:org/name"),
        ("HF-HUB:org/name", "hf-hub:org/name"),
        ("Mini-CLIP", "mini-clip"),
        ("ViT-B-33/openai", "ViT-B-33/openai"),  # an error, for which there is a suggestion
        ("tiny-vit@/data/me@home/w.pt", "tiny-vit@/data/me@home/w.pt"),
        ("C:\\models\\w.pt", "local-dir:C:\\models\\w.pt"),
    ],
)  # fmt: skip
def test_names_are_read_as_people_write_them(written, meant):
    assert canonical(written) == meant and canonical(meant) == meant


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("vit-b-33/openai", "ViT-B-32"),
        ("VIT-H15/x", "ViT-H-16"),
        ("ViT-B-32/openia" + "x" * 5000, ""),
    ],
)
def test_a_wrong_name_gets_a_short_hint_whatever_its_case(name, hint):
    with pytest.raises(ValueError, match=f"Did you mean '{hint}" if hint else "Known: ") as caught:
        loading.check_name(name)
    assert len(str(caught.value)) < 450


def test_models_on_this_machine_are_those_of_the_list_whose_weights_are_in_the_cache(monkeypatch, tmp_path):
    asked = []

    def cached(repo, names):
        asked.append(repo)
        return tmp_path if "patch32_clip_224.openai" in repo else None

    monkeypatch.setattr(loading.weights, "cached", cached)
    assert loading.here() == {*loading.EMBEDDED, "ViT-B-32/openai"}
    assert len(asked) == len(loading.MODELS) - len(loading.EMBEDDED)


def test_without_the_hub_the_sentence_says_what_works(monkeypatch):
    def fetch(*args):
        raise loading.weights.Offline("the hub did not answer")

    monkeypatch.setattr(loading.weights, "fetch", fetch)
    monkeypatch.setattr(loading, "here", lambda: frozenset({"mini-clip", "RN50/openai"}))
    with pytest.raises(
        ValueError, match=r"\(RN50/openai\), name a file as ViT-B-32@/path.*or stay on mini-clip"
    ):
        loading.load("ViT-B-32/openai", "cpu")


@pytest.mark.parametrize("name", loading.EMBEDDED)
def test_a_damaged_embedded_clip_is_told_in_a_sentence(name, monkeypatch, tmp_path):
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    damaged = dataclasses.replace(loading.EMBEDDED[name], folder=tmp_path)
    monkeypatch.setitem(loading.EMBEDDED._items, name, damaged)
    monkeypatch.setattr(loading, "_shelf", type(loading._shelf)())
    with pytest.raises(ValueError, match=f"'{name}' cannot be used: the file is a Git LFS pointer"):
        loading.load(name, "cpu")
