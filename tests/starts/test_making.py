"""A start is made once for all who ask for the same: in memory, as a file, within bounds."""

from __future__ import annotations

import dataclasses
import threading

import pytest
import torch
from safetensors.torch import load_file

from clip_tta_core import limits
from clip_tta_core.control import Stopped
from clip_tta_core.starts import STARTS, making

CLIPOOD = STARTS["clipood"]
SHORT = CLIPOOD.Config(steps=2, batch_size=4)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Nothing made before, and a folder of one's own for what is made."""
    monkeypatch.setenv(limits.STARTS, str(tmp_path / "starts"))
    monkeypatch.setattr(making, "_shelf", type(making._shelf)())
    return tmp_path / "starts"


@pytest.fixture
def made(monkeypatch):
    """One entry for each time that CLIPood really works."""
    entries, make = [], CLIPOOD.make
    monkeypatch.setattr(CLIPOOD, "make", lambda self, shots: entries.append(1) or make(self, shots))
    return entries


def weights(visual):
    return torch.cat([p.flatten() for p in visual.parameters()])


def test_it_is_made_once_and_everybody_has_a_copy(clip, shots, made, folder):
    first, second = (making.make("clipood", SHORT, clip, shots, "w", 0) for _ in range(2))
    making._shelf.clear()
    from_disk = making.make("clipood", SHORT, clip, shots, "w", 0)
    assert len(made) == 1 and len(list(folder.iterdir())) == 1
    assert first is not second and torch.equal(weights(first), weights(second))
    assert torch.equal(weights(first), weights(from_disk))
    assert not any(p.requires_grad for p in from_disk.parameters())


def test_whatever_decides_it_makes_another(make_clip, clip, shots, made):
    making.make("clipood", SHORT, clip, shots, "w", 0)
    others = [
        ("clipood", dataclasses.replace(SHORT, lr=1e-5), clip, shots, "w", 0),
        ("clipood", SHORT, make_clip(seed=1), shots, "w", 0),
        ("clipood", SHORT, clip, dataclasses.replace(shots, labels=shots.labels.flip(0)), "w", 0),
        ("clipood", SHORT, clip, dataclasses.replace(shots, images=shots.images.flip(0)), "w", 0),
        ("clipood", SHORT, clip, shots, "other weights", 0),
        ("clipood", SHORT, clip, shots, "w", 1),
    ]
    keys = {making.key_of(*one) for one in others} | {making.key_of("clipood", SHORT, clip, shots, "w", 0)}
    assert len(keys) == 7 and making.key_of("orthsr", SHORT, clip, shots, "w", 0) not in keys
    first = weights(making.make("clipood", SHORT, clip, shots, "w", 0))
    other = weights(making.make(*others[-1]))
    assert len(made) == 2 and not torch.equal(first, other)


def test_a_damaged_file_is_made_again(clip, shots, made, folder):
    first = weights(making.make("clipood", SHORT, clip, shots, "w", 0))
    (file,) = folder.iterdir()
    file.write_bytes(b"nothing of use")
    making._shelf.clear()
    assert torch.equal(weights(making.make("clipood", SHORT, clip, shots, "w", 0)), first)
    assert len(made) == 2 and load_file(file).keys() == clip.visual.state_dict().keys()


def test_a_folder_that_cannot_be_written_costs_the_making_only(clip, shots, made, folder):
    folder.write_text("no folder")
    making.make("clipood", SHORT, clip, shots, "w", 0)
    making._shelf.clear()
    making.make("clipood", SHORT, clip, shots, "w", 0)
    assert len(made) == 2


def test_memory_and_folder_are_bounded(clip, shots, folder, monkeypatch):
    monkeypatch.setattr(making, "KEPT", 2)
    making.make("clipood", SHORT, clip, shots, "w", 0)
    (file,) = folder.iterdir()
    monkeypatch.setattr(making, "MOST_BYTES", int(2.5 * file.stat().st_size))
    for seed in (1, 2, 3):
        making.make("clipood", SHORT, clip, shots, "w", seed)
    assert len(making._shelf) == 2 and len(list(folder.iterdir())) == 2
    assert not file.exists(), "the one used longest ago went first"


def test_ended_in_the_middle_it_leaves_nothing(clip, shots, folder):
    def stop(step, steps):
        if step == 1:
            raise Stopped

    with pytest.raises(Stopped):
        making.make("clipood", SHORT, clip, shots, "w", 0, stop)
    assert not making._locks and not making._shelf and not folder.exists()


def test_somebody_who_waits_for_the_same_can_leave(clip, shots):
    def leave(step, steps):
        raise Stopped

    key, lock = making.key_of("clipood", SHORT, clip, shots, "w", 0), threading.Lock()
    making._locks[key] = lock
    try:
        with lock, pytest.raises(Stopped):
            making.make("clipood", SHORT, clip, shots, "w", 0, leave)
    finally:
        making._locks.clear()


def test_two_who_ask_at_once_share_one(clip, shots, made):
    begun, found = threading.Barrier(2), []

    def ask():
        begun.wait()
        found.append(weights(making.make("clipood", SHORT, clip, shots, "w", 0)))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and torch.equal(*found)


def test_weights_that_are_no_numbers_are_refused(clip, shots, monkeypatch, folder):
    def broken(self, shots):
        visual = self.clip.fork("visual_tower").visual
        with torch.no_grad():
            next(visual.parameters()).fill_(torch.nan)
        return visual

    monkeypatch.setattr(CLIPOOD, "make", broken)
    with pytest.raises(ValueError, match="CLIPood: the weights it makes must be numbers"):
        making.make("clipood", SHORT, clip, shots, "w", 0)
    assert not making._shelf and not folder.exists()
