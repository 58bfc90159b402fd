"""The class-wise confident memory."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core.memory import ConfidentMemory, ReplayMemory, TimelyMemory, UniformMemory, to_bytes


def pictures(*levels):
    """One flat picture for each grey level."""
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 2, 2) / 255


def level(entry):
    return int(entry.image[0, 0, 0])


def test_each_class_keeps_its_most_confident_pictures_of_all_time():
    memory = ConfidentMemory(num_classes=3, shots=2)
    rng = torch.Generator().manual_seed(0)
    seen = {0: [], 1: [], 2: []}
    for step in range(20):
        labels = torch.randint(3, (5,), generator=rng)
        sure = torch.rand(5, generator=rng)
        memory.insert(pictures(*range(5 * step, 5 * step + 5)), labels, sure)
        for i in range(5):
            seen[labels[i].item()].append((sure[i].item(), 5 * step + i))
        for label, slot in enumerate(memory.slots):
            assert [level(entry) for entry in slot] == [g for _, g in sorted(seen[label], reverse=True)[:2]]


def test_pictures_come_back_as_they_went_in():
    memory = ConfidentMemory(num_classes=2, shots=4)
    memory.insert(pictures(0, 100, 255), torch.tensor([0, 1, 1]), torch.tensor([0.5, 0.6, 0.7]))
    assert sorted(level(entry) for entry in memory.entries) == [0, 100, 255]


def test_keys_tell_the_pictures_of_a_batch_from_older_ones():
    memory = ConfidentMemory(num_classes=1, shots=10)
    assert memory.insert(pictures(1, 2), torch.tensor([0, 0]), torch.tensor([0.1, 0.2])) == range(0, 2)
    keys = memory.insert(pictures(3), torch.tensor([0]), torch.tensor([0.3]))
    assert [level(entry) for entry in memory.entries if entry.key in keys] == [3]


def test_a_sample_holds_at_most_its_share_of_each_class_and_all_of_a_small_one():
    memory = ConfidentMemory(num_classes=2, shots=8)
    labels = torch.tensor([0] * 8 + [1])
    memory.insert(pictures(*range(9)), labels, torch.linspace(0.1, 0.9, 9))
    drawn = memory.sample(8, torch.Generator().manual_seed(0))
    assert [entry.label for entry in drawn] == [0, 0, 0, 0, 1]
    assert len({entry.key for entry in drawn}) == 5
    again = memory.sample(8, torch.Generator().manual_seed(0))
    assert [entry.key for entry in drawn] == [entry.key for entry in again]


def test_a_sample_has_one_of_each_class_even_when_fewer_are_asked_for():
    memory = ConfidentMemory(num_classes=3, shots=4)
    memory.insert(pictures(*range(6)), torch.tensor([0, 0, 1, 1, 2, 2]), torch.linspace(0, 1, 6))
    assert [entry.label for entry in memory.sample(1, torch.Generator().manual_seed(0))] == [0, 1, 2]


def test_an_empty_memory_gives_an_empty_sample():
    assert ConfidentMemory(4, 2).sample(8, torch.Generator()) == []


def test_bytes_are_the_nearest_whole_levels():
    values = torch.tensor([0.0, 0.499, 0.501, 254.4, 254.6, 255.0]) / 255
    assert to_bytes(values.view(1, 1, 1, -1)).flatten().tolist() == [0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize(("size", "each"), [(4, 1), (9, 1), (10, 2), (14, 2)])
def test_a_sample_s_share_of_a_class_is_rounded_down(size, each):
    memory = ConfidentMemory(num_classes=5, shots=4)
    memory.insert(torch.rand(20, 3, 2, 2), torch.arange(20) % 5, torch.rand(20))
    drawn = memory.sample(size, torch.Generator().manual_seed(0))
    assert [sum(entry.label == k for entry in drawn) for k in range(5)] == [each] * 5


@pytest.mark.parametrize("kind", [ConfidentMemory, TimelyMemory, UniformMemory, ReplayMemory])
def test_a_kept_picture_does_not_hold_on_to_the_batch_it_came_with(kind):
    memory, batch = kind(2, 4), pictures(*range(64))
    if kind is ConfidentMemory:
        memory.insert(batch, torch.zeros(64, dtype=torch.long), torch.linspace(0, 1, 64))
    else:
        last = 0.1 if kind is TimelyMemory else torch.Generator()
        for image in to_bytes(batch):
            memory.offer(image, 0, 0.9, last)
    assert memory.entries
    assert {entry.image.untyped_storage().nbytes() for entry in memory.entries} == {3 * 2 * 2}
