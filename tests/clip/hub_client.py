"""Run by test_hub.py in a process of its own: the hub's client reads its address when it is imported."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.request
from pathlib import Path

import huggingface_hub
import open_clip

from clip_tta_core.clip import loading
from clip_tta_core.control import Stopped
from tests.clip import families


def attempt(name: str, observe=lambda state: None) -> dict:
    """Load a model anew and say how it went."""
    loading._shelf.clear()
    states = []

    def watch(state):
        states.append((state.doing, state.done, state.total))
        observe(state)

    try:
        loaded = loading.load(name, "cpu", watch)
    except Stopped:
        return {"stopped": True, "states": states}
    except ValueError as error:
        return {"error": str(error), "states": states}
    clip = loading.classifier(loaded, ("cat", "dog"))
    probe = clip.text_features.flatten()[:3].tolist()
    return {"probe": probe, "states": states, "mean": loaded.mean, "size": loaded.image_size}


def stop_on_the_way(state) -> None:
    if state.doing == "downloading" and 1_000_000 < state.done < state.total:
        raise Stopped


def beside_another(slow: str, quick: str) -> dict:
    """Load `quick` while `slow` is being downloaded; who is ready first?"""
    loading._shelf.clear()
    order, under_way = [], threading.Event()

    def load_slowly():
        loading.load(slow, "cpu", lambda state: state.done and under_way.set())
        order.append("slow")

    thread = threading.Thread(target=load_slowly)
    thread.start()
    under_way.wait(20)
    loading.load(quick, "cpu")
    order.append("quick")
    thread.join()
    return {"order": order}


def main(folder: Path, hub: str) -> None:
    families.register(folder)
    results = {}
    for name in ("good", "missing", "gated", "no-weights", "bad-config", "pickled"):
        results[name] = attempt(f"hf-hub:org/{name}")
    for name in (
        "bad-config",
        "broken",
        "corrupt",
        "short",
    ):  # the hub mends its ways after the first attempt
        results[f"{name} first"] = results.get(name) or attempt(f"hf-hub:org/{name}")
        results[f"{name} again"] = attempt(f"hf-hub:org/{name}")
    os.environ["CLIPTTA_MAX_MODEL_MB"] = "1"
    results["too large"] = attempt("hf-hub:org/large")
    del os.environ["CLIPTTA_MAX_MODEL_MB"]
    results["stopped"] = attempt("hf-hub:org/slow", stop_on_the_way)
    results["beside"] = beside_another("hf-hub:org/slow", "hf-hub:org/good")
    open_clip.get_pretrained_cfg = lambda name, tag: {"hf_hub": "org/tagged/", "mean": (0.1, 0.2, 0.3)}
    open_clip.list_pretrained_tags_by_model = lambda name: ["somebody"]
    results["tagged"] = attempt("tiny-vit/somebody")
    urllib.request.urlopen(urllib.request.Request(f"{hub}/close", method="POST")).read()
    time.sleep(0.2)
    huggingface_hub.close_session()  # a connection kept open would still be answered
    results["offline, known"] = attempt("hf-hub:org/good")
    results["offline, new"] = attempt("hf-hub:org/new")
    results["not a name"] = attempt("hf-hub:a/b/c")
    (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
