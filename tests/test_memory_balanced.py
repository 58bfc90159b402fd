"""Memories that keep classes in balance, and what else methods remember."""

from __future__ import annotations

import math
import random

import pytest
import torch

from clip_tta_core.memory import LastResult, MeanPrediction, ReplayMemory, TimelyMemory, UniformMemory


def picture(value=0):
    return torch.full((3, 2, 2), value, dtype=torch.uint8)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sizes(memory):
    return [len(slot) for slot in memory.slots]


# Timely (RoTTA)


def test_the_timely_memory_never_outgrows_itself_nor_a_class_its_quota():
    draw, memory = random.Random(0), TimelyMemory(num_classes=5, capacity=12)
    for _ in range(300):
        memory.offer(picture(), min(draw.randrange(8), 4), 0.5, draw.random())
        assert len(memory) <= 12 and max(sizes(memory)) <= math.ceil(12 / 5)
    assert len(memory) == 12


def test_ages_grow_by_one_with_every_offer():
    memory = TimelyMemory(num_classes=2, capacity=4)
    memory.offer(picture(), 0, 0.9, 0.1)
    assert memory.ages() == [1 / 4]
    for _ in range(3):
        memory.offer(picture(), 1, 0.9, 0.1)
    assert memory.ages()[0] == 4 / 4


def test_a_doubtful_newcomer_is_refused_and_an_old_doubt_makes_way():
    memory = TimelyMemory(num_classes=2, capacity=4)
    for doubt in (0.2, 0.3):
        assert memory.offer(picture(), 0, 0.9, doubt)
    # faults: 1/2 + u / ln 2 of a newcomer; 1 / (1 + e^(-2/4)) + .2 / ln 2 and 1 / (1 + e^(-1/4)) + .3 / ln 2
    worst = 1 / (1 + math.exp(-1 / 4)) + 0.3 / math.log(2)
    assert 1 / (1 + math.exp(-2 / 4)) + 0.2 / math.log(2) < worst
    refused = (worst - 0.5) * math.log(2) + 0.01
    assert not memory.offer(picture(), 0, 0.9, refused)
    assert memory.offer(picture(), 0, 0.9, 0.1)
    assert [entry.uncertainty for entry in memory.entries] == [0.2, 0.1]


def test_a_newcomer_no_better_than_the_worst_is_refused():
    memory = TimelyMemory(num_classes=2, capacity=4)
    for doubt in (0.2, 0.3):
        memory.offer(picture(), 0, 0.9, doubt)
    ages = [1 / (1 + math.exp(-age / 4)) for age in (2, 1)]
    worst = max(age + doubt / math.log(2) for age, doubt in zip(ages, (0.2, 0.3), strict=True))
    equal = (worst - 0.5) * math.log(2)
    fault = memory._fault
    memory._fault = lambda entry: round(fault(entry), 12)  # equal but for rounding
    assert not memory.offer(picture(), 0, 0.9, equal)
    assert [entry.uncertainty for entry in memory.entries] == [0.2, 0.3]


def test_a_rare_class_displaces_the_worst_of_the_largest_when_the_memory_is_full():
    memory = TimelyMemory(num_classes=3, capacity=4)  # a quota of 4/3: two of a class, for a full memory
    for label in (0, 0, 1, 1):
        memory.offer(picture(), label, 0.9, 0.5)
    assert memory.offer(picture(), 2, 0.9, 0.1)
    assert sizes(memory) == [1, 2, 1]  # the oldest of equally doubtful ones went


def test_more_classes_than_places_keep_one_each():
    memory = TimelyMemory(num_classes=100, capacity=8)
    for label in (3, 3, 4, 5):
        memory.offer(picture(), label, 0.9, 0.1)
    assert max(sizes(memory)) == 1


# Uniform (SoTTA)


def test_the_uniform_memory_evens_the_classes_out_and_keeps_its_size():
    memory, rng = UniformMemory(num_classes=3, capacity=6), seeded()
    for _ in range(6):
        memory.offer(picture(), 0, 0.9, rng)
    for label in (1, 2, 1, 2):
        memory.offer(picture(), label, 0.9, rng)
        assert len(memory) == 6
    assert sizes(memory) == [2, 2, 2]
    memory.offer(picture(7), 1, 0.9, rng)  # now a largest class: one of its own goes
    assert sizes(memory) == [2, 2, 2] and any(e.image[0, 0, 0] == 7 for e in memory.slots[1])


def test_a_newcomer_of_a_largest_class_takes_the_place_of_its_own_kind():
    memory, rng = UniformMemory(num_classes=2, capacity=6), seeded()
    for label in (0, 1, 0, 1, 0, 1):
        memory.offer(picture(), label, 0.9, rng)
    kept = [entry.key for entry in memory.slots[0]]
    for _ in range(20):
        memory.offer(picture(), 1, 0.9, rng)
    assert sizes(memory) == [3, 3] and [entry.key for entry in memory.slots[0]] == kept


def test_a_newcomer_of_a_smaller_class_takes_the_place_of_a_largest_one():
    memory, rng = UniformMemory(num_classes=2, capacity=6), seeded()
    for label in (0, 1, 1, 1, 1, 1, 0):
        memory.offer(picture(), label, 0.9, rng)
    assert sizes(memory) == [2, 4]


# Replay (STAMP)


def test_what_was_largest_lately_gives_up_its_oldest():
    memory, rng = ReplayMemory(num_classes=3, capacity=4), seeded()
    for label in (0, 0, 0, 1):
        memory.offer(picture(len(memory)), label, 0.9, rng)
    memory.read()
    torch.testing.assert_close(torch.tensor(memory.running), torch.tensor([0.3, 0.1, 0.0]))
    memory.offer(picture(9), 2, 0.9, rng)
    assert sizes(memory) == [2, 1, 1]
    assert [int(e.image[0, 0, 0]) for e in memory.slots[0]] == [1, 2]


def test_an_emptied_class_gives_nothing_up():
    memory, rng = ReplayMemory(num_classes=2, capacity=2), seeded()
    memory.offer(picture(), 0, 0.9, rng)
    memory.offer(picture(), 0, 0.9, rng)
    memory.read()
    for _ in range(4):  # class 0 stays the largest of the running mean after it has been emptied
        memory.offer(picture(), 1, 0.9, rng)
    assert sizes(memory) == [0, 2]


@pytest.mark.parametrize("cls", [UniformMemory, ReplayMemory])
def test_random_choices_follow_the_seed(cls):
    def keys(seed):
        memory, rng = cls(4, 8), seeded(seed)
        for i in range(60):
            memory.offer(picture(), i % 4, 0.9, rng)
        return [e.key for e in memory.entries]

    assert keys(0) == keys(0)
    assert keys(0) != keys(1)


# Mean prediction (EATA)


def test_before_there_is_a_mean_everything_is_novel():
    assert MeanPrediction().novel(torch.eye(3), 0.0).all()


def test_the_mean_keeps_nine_tenths_and_ignores_nothing():
    mean = MeanPrediction()
    mean.update(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    mean.update(torch.tensor([[1.0, 0.0]]))
    mean.update(torch.zeros(0, 2))
    torch.testing.assert_close(mean.mean, torch.tensor([0.55, 0.45]))
    assert mean.novel(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 0.7).tolist() == [False, True]


@pytest.mark.parametrize(("cosine", "novel"), [(0.37, True), (0.40, True), (0.42, False)])
def test_of_ten_classes_novel_is_below_a_cosine_of_041(cosine, novel):
    """1.3 / sqrt 10. Beside an even mean, (a, b, ..., b) has the cosine 1 / (sqrt 10 |(a, b, ..., b)|)."""
    mean = MeanPrediction()
    mean.update(torch.full((1, 10), 0.1))
    norm2 = 1 / (10 * cosine**2)  # a^2 + 9 b^2 with a + 9 b = 1
    a = 0.1 + (0.9 * (norm2 - 0.1)) ** 0.5
    probs = torch.tensor([[a] + [(1 - a) / 9] * 9])
    assert torch.cosine_similarity(probs, mean.mean).item() == pytest.approx(cosine, abs=1e-6)
    assert mean.novel(probs, "auto").item() == novel


def test_a_kept_result_is_the_one_of_its_pictures():
    last, images = LastResult(), torch.zeros(2)
    last.keep(images, 5)
    assert last.knows(images) and last.result == 5 and last.of(images, lambda _: 6) == 5
    assert not last.knows(images.clone())


def test_a_result_is_computed_once_for_a_tensor_until_it_is_forgotten():
    calls, last = [], LastResult()
    images = torch.zeros(2)
    for _ in range(2):
        last.of(images, lambda x: calls.append(x))
    last.of(images.clone(), lambda x: calls.append(x))
    last.of(images, lambda x: calls.append(x))
    last.forget()
    last.of(images, lambda x: calls.append(x))
    assert len(calls) == 4
