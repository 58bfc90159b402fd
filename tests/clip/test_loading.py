"""Every family of CLIPs loads, classifies as open_clip would and can be adapted; what cannot is refused."""

from __future__ import annotations

import dataclasses
import pickle
import threading
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.clip import checkpoints, loading, weights
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.clip.loading import MINI, MODELS, classifier, load
from clip_tta_core.methods import METHODS
from tests.clip import families

FAMILIES = [name for name in families.FAMILIES if name != "wide-text"]
SMALL = ("tiny-resnet", "tiny-mobile")
NAMES = ("cat", "dog", "fire truck")


@pytest.fixture(scope="module", autouse=True)
def known(tmp_path_factory):
    families.register(tmp_path_factory.mktemp("configs"))


@pytest.fixture(autouse=True)
def empty_shelf(monkeypatch):
    monkeypatch.setattr(loading, "_shelf", type(loading._shelf)())


@pytest.fixture
def stored(tmp_path):
    """A random model of a family and the name of its file: stored("tiny-vit")."""

    def make(family: str, suffix: str = ".safetensors", seed: int = 0):
        model = families.build(family, seed)
        return model, f"{family}@{families.save(model, tmp_path / f'{family}{seed}{suffix}')}"

    return make


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_every_family_classifies_as_open_clip_does(family, stored, make_images):
    model, name = stored(family)
    loaded = load(name, "cpu")
    images = make_images(batch=4, size=loaded.image_size)
    prediction = classifier(loaded, NAMES).predict(images)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (loaded.mean, loaded.std))
    with torch.no_grad():
        features = model.encode_image((images - mean) / std, normalize=True)
        texts = model.encode_text(loaded.text.tokenize([f"a photo of a {n}" for n in NAMES]), normalize=True)
        probs = (model.logit_scale.exp() * features @ texts.T + (model.logit_bias or 0)).softmax(dim=-1)
    torch.testing.assert_close(prediction.logits.softmax(dim=-1), probs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["tent", "cliptta"])
def test_a_model_of_every_family_can_be_adapted_in_small_pieces(family, method, stored, make_images):
    clip = classifier(load(stored(family)[1], "cpu"), NAMES)
    clip.micro_batch = 3
    images = make_images(batch=4, size=32 if "vit" in family else 64 if family in SMALL else 160)
    if family == "tiny-coca":
        images = images[..., :32, :32]
    before = clip.predict(images).logits.clone()
    cls = METHODS[method]
    adapted = cls(clip.fork(cls.train), cls.Config(lr=1e-2, steps=2), torch.Generator().manual_seed(0))
    adapted.adapt(images)
    assert not torch.equal(adapted.predict(images).logits, before)
    torch.testing.assert_close(clip.predict(images).logits, before, rtol=0, atol=0)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".bin"])
def test_every_kind_of_checkpoint_gives_the_same_model(suffix, stored):
    model, name = stored("tiny-vit", suffix)
    torch.testing.assert_close(load(name, "cpu").visual.state_dict(), model.visual.state_dict())


def test_the_checkpoint_of_a_training_run_is_read_too(stored, tmp_path):
    model, _ = stored("tiny-vit")
    path = tmp_path / "epoch_3.pt"
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, path)
    torch.testing.assert_close(load(f"tiny-vit@{path}", "cpu").visual.state_dict(), model.visual.state_dict())


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_checkpoint_with_code_in_it_is_refused_and_the_code_not_run(tmp_path):
    trap, path = tmp_path / "sprung", tmp_path / "trap.pt"
    torch.save({"state_dict": {"logit_scale": torch.ones(()), "trap": Trap(trap)}}, path)
    with pytest.raises(ValueError, match="holds more than plain weights") as caught:
        load(f"tiny-vit@{path}", "cpu")
    path.write_bytes(pickle.dumps(Trap(trap), protocol=2))
    with pytest.raises(ValueError, match="cannot be used"):
        load(f"tiny-vit@{path}", "cpu")
    assert not trap.exists() and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("size", [0, 5, 1000, 1_000_000])
def test_a_file_cut_short_is_refused_with_one_sentence(suffix, size, stored):
    _, name = stored("tiny-vit", suffix)
    path = loading.Path(name.partition("@")[2])
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"^Model 'tiny-vit@.*' cannot be used: .*mini-clip\.$") as caught:
        load(name, "cpu")
    assert "\n" not in str(caught.value)


def test_weights_of_another_architecture_are_refused_with_the_reason(stored):
    _, name = stored("tiny-resnet")
    with pytest.raises(ValueError, match="do not fit the architecture"):
        load(name.replace("tiny-resnet@", "tiny-vit@"), "cpu")


def test_a_model_that_is_not_a_number_is_refused(stored, tmp_path):
    model, _ = stored("tiny-vit")
    torch.nn.init.constant_(model.visual.proj, float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        load(f"tiny-vit@{families.save(model, tmp_path / 'nan.safetensors')}", "cpu")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ViT-B-33/openai", "Did you mean 'ViT-B-32'"),
        ("ViT-B-32/openia", "Did you mean 'openai'"),
        ("ViT-B-32", "Unknown pretraining of ViT-B-32"),
        ("", "Unknown CLIP architecture"),
        ("tiny-vit@/nowhere/x.safetensors", "must be a file on this machine"),
        ("tiny-vit@" + __file__, "must end in .safetensors"),
        ("local-dir:/etc", "holds no weights"),
    ],
)
def test_names_that_mean_nothing_are_answered_with_a_sentence(name, sentence):
    with pytest.raises(ValueError, match=sentence):
        load(name, "cpu")


def test_a_public_page_loads_only_the_models_of_its_list(monkeypatch, stored):
    _, name = stored("tiny-vit")
    monkeypatch.setenv("SPACE_ID", "org/page")
    with pytest.raises(ValueError, match="loads no files from its own machine"):
        loading.check_name(name)
    with pytest.raises(ValueError, match="Unknown model 'hf-hub:org/name'"):
        loading.check_name("hf-hub:org/name")
    for listed in MODELS:
        loading.check_name(listed)
    monkeypatch.setenv("CLIPTTA_ANY_MODEL", "1")
    loading.check_name("hf-hub:org/name")


def test_every_model_of_the_list_is_one_open_clip_knows():
    for name in MODELS:
        loading.check_name(name)
        if name not in EMBEDDED:
            assert loading.open_clip.get_pretrained_cfg(*name.split("/"))["hf_hub"]


def test_openai_weights_get_their_own_activation_function(monkeypatch, stored):
    """The tag says so; a file does not, so its architecture has to."""
    model, _ = stored("tiny-vit-quickgelu")
    _, name = stored("tiny-vit-quickgelu")
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = model.visual(images)
    for settings, architecture in (({"quick_gelu": True}, "tiny-vit"), ({}, "tiny-vit-quickgelu")):
        path = loading.Path(name.partition("@")[2])
        loaded = loading._build(f"{architecture}/openai", path, settings, torch.device("cpu"))
        torch.testing.assert_close(loaded.visual(images), expected)


def test_a_model_is_loaded_once_and_the_one_used_longest_ago_goes_first(monkeypatch, stored):
    monkeypatch.setenv("CLIPTTA_MODELS_KEPT", "2")
    names = [stored("tiny-vit", seed=seed)[1] for seed in range(3)]
    first, second = load(names[0], "cpu"), load(names[1], "cpu")
    assert load(names[0], "cpu") is first
    load(names[2], "cpu")
    assert load(names[0], "cpu") is first
    assert load(names[1], "cpu") is not second


def test_as_many_models_are_kept_as_the_operator_says_and_none_is_no_limit(monkeypatch, stored):
    names = [stored("tiny-vit", seed=seed)[1] for seed in range(3)]
    for most, kept in ((1, names[2:]), (0, names)):
        monkeypatch.setenv("CLIPTTA_MODELS_KEPT", str(most))
        for name in names:
            load(name, "cpu")
        assert [key[0] for key in loading._shelf] == kept


def test_mini_clip_is_never_taken_off_the_shelf(monkeypatch, stored):
    monkeypatch.setenv("CLIPTTA_MODELS_KEPT", "1")
    first = load(MINI, "cpu")
    for seed in range(2):
        load(stored("tiny-vit", seed=seed)[1], "cpu")
    assert load(MINI, "cpu") is first


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP/webli", "hf-hub:org/name"])
def test_a_model_whose_texts_need_another_package_is_refused_before_its_weights_are_fetched(
    name, monkeypatch, tmp_path
):
    described = tmp_path / "open_clip_config.json"
    described.write_text('{"model_cfg": {"text_cfg": {"hf_tokenizer_name": "org/words"}}}')

    def fetch(repo, names, advance):
        assert names == (checkpoints.CONFIG,), "the weights are large"
        return described

    monkeypatch.setattr(weights, "fetch", fetch)
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(
        ValueError, match="cannot be used: its texts need the package transformers; install it"
    ):
        load(name, "cpu")


def test_a_file_that_was_replaced_is_read_again(stored):
    model, name = stored("tiny-vit")
    before = load(name, "cpu")
    other = families.build("tiny-vit", seed=1)
    time.sleep(0.01)
    families.save(other, loading.Path(name.partition("@")[2]))
    after = load(name, "cpu")
    assert not torch.equal(before.visual.proj, after.visual.proj)


def test_two_who_ask_at_once_get_the_same_model_and_others_do_not_wait(monkeypatch, stored):
    _, slow = stored("tiny-vit", seed=0)
    _, quick = stored("tiny-vit", seed=1)
    build, hold, builds, seen = loading._build, threading.Event(), [], []

    def held(name, *rest):
        builds.append(name)
        if name == slow:
            hold.wait(20)
        return build(name, *rest)

    monkeypatch.setattr(loading, "_build", held)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(load(slow, "cpu", seen.append))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    load(quick, "cpu")
    assert not results
    while sum(state.doing == "building" for state in seen) < 2:  # the one who waits sees what is going on
        time.sleep(0.01)
    hold.set()
    for thread in threads:
        thread.join()
    assert builds.count(slow) == 1 and results[0] is results[1]


def test_who_waits_can_leave(stored):
    _, name = stored("tiny-vit")

    def leave(state):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        load(name, "cpu", leave)
    assert load(name, "cpu").name == name


def test_text_features_are_computed_once_and_only_so_many_lists_are_kept(monkeypatch, stored):
    loaded = load(stored("tiny-vit")[1], "cpu")
    monkeypatch.setattr(loading, "LISTS_KEPT", 2)
    first = classifier(loaded, ("cat", "dog")).text_features
    assert classifier(loaded, ("cat", "dog")).text_features.data_ptr() == first.data_ptr()
    for other in ("bird", "fish", "fox"):
        classifier(loaded, ("cat", other))
    assert len(loaded.texts) == 2


def test_a_long_list_of_classes_shows_how_far_its_reading_is_and_can_be_left(monkeypatch, stored):
    loaded = load(stored("tiny-vit")[1], "cpu")
    monkeypatch.setattr(loading, "TEXTS_AT_ONCE", 2)
    seen = []
    names = ("cat", "dog", "fox", "bird", "fish")
    features = classifier(loaded, names, "a {}\nthe {}", seen.append).text_features
    assert [(state.done, state.total) for state in seen] == [(n, 10) for n in (0, 2, 4, 5, 7, 9)]
    for k, name in enumerate(names):
        torch.testing.assert_close(
            features[k], F.normalize(loaded.text([f"a {name}", f"the {name}"]).sum(0), dim=0)
        )

    def leave(state):
        if state.done >= 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        classifier(loaded, names[::-1], "single", leave)
    assert (names[::-1], loading.templates("single")) not in loaded.texts


def test_an_ensemble_of_templates_is_averaged_twice_normalized(stored):
    loaded = load(stored("tiny-vit")[1], "cpu")
    rows = [loaded.text([t.replace("{}", "cat")]) for t in loading.templates("eight")]
    expected = F.normalize(sum(rows), dim=-1)[0]
    torch.testing.assert_close(classifier(loaded, ("cat", "dog"), "eight").text_features[0], expected)


def test_a_large_model_is_sent_smaller_pieces_on_a_cpu(monkeypatch, stored):
    _, name = stored("tiny-vit")
    monkeypatch.setattr(loading, "free_memory", lambda: 0)
    monkeypatch.setattr(loading, "CPU_ACTIVATIONS", 10_000_000)
    roomy = load(name, "cpu").micro_batch
    monkeypatch.setattr(loading, "_shelf", type(loading._shelf)())
    monkeypatch.setattr(loading, "CPU_ACTIVATIONS", 1_000_000)
    assert load(name, "cpu").micro_batch == roomy // 10 > 1


def test_a_machine_with_memory_to_spare_sends_larger_pieces(monkeypatch, stored):
    _, name = stored("tiny-vit")
    monkeypatch.setattr(loading, "free_memory", lambda: 40 * loading.CPU_ACTIVATIONS)
    roomy = load(name, "cpu").micro_batch
    monkeypatch.setattr(loading, "_shelf", type(loading._shelf)())
    monkeypatch.setattr(loading, "free_memory", lambda: loading.CPU_ACTIVATIONS)
    assert load(name, "cpu").micro_batch == pytest.approx(roomy / 10, abs=1)


def test_free_memory_is_what_the_tighter_of_system_and_container_leaves(monkeypatch, tmp_path):
    monkeypatch.setattr(loading, "CONTROL_GROUP", tmp_path)
    of_the_system = loading.free_memory()
    assert of_the_system > 0 if Path("/proc/meminfo").is_file() else of_the_system == 0
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert loading.free_memory() == pytest.approx(of_the_system, rel=0.2)
    (tmp_path / "memory.max").write_text("5000\n")
    assert loading.free_memory() == 2000


def test_a_missing_device_is_named():
    if torch.cuda.is_available():
        pytest.skip("has the device")
    with pytest.raises(ValueError, match="Device must be one this machine has"):
        loading.choose_device("cuda")


def test_a_copy_on_another_device_shares_nothing_with_the_first(stored):
    loaded = load(stored("tiny-vit")[1], "cpu")
    moved = loading._moved(loaded, torch.device("cpu"), "auto")
    assert moved.visual.proj.data_ptr() != loaded.visual.proj.data_ptr()
    assert (
        dataclasses.replace(moved, visual=None, text=None, micro_batch=None, texts=None).scale == loaded.scale
    )
