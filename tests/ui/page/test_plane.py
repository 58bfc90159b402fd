"""The arithmetic of the Why tab, in a real browser, against losses.py, autograd and torch's Adam."""

import math

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core import losses
from clip_tta_core.ui.page.theme import modules

pytestmark = pytest.mark.browser
NAMES = ("tent", "image_to_text", "text_to_image", "symmetric", "hard", "truth")
SCALE = 8.0


def close(found, expected, tolerance=1e-5):
    """Whether numbers from the browser are those of torch."""
    found, expected = (torch.as_tensor(value, dtype=torch.float64) for value in (found, expected))
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def plane(chromium, url):
    """Call a piece of JavaScript with the modules at hand: plane("m.softmax(x)", x=[1, 2])."""
    page = chromium.new_page()
    page.goto(url)
    root = page.evaluate("async () => (await (await fetch('config')).json()).root ?? ''")
    where = f"{root or url.rstrip('/')}/gradio_api/file={modules()}/lib/"

    def call(code: str, **values):
        body = f"""async ([where, values]) => {{
            const m = await import(where + "plane.js"), presets = await import(where + "plane_presets.js");
            const {{ {", ".join(values)} }} = values;
            return ({code}); }}"""
        return page.evaluate(body, [where, values])

    yield call
    page.close()


def reference(name, logits, labels):
    """What plane.js calls a loss, by the project's own functions."""
    if name == "tent":
        return losses.entropy(logits).mean()
    if name == "hard":
        return losses.hard_contrastive(logits)
    if name == "truth":
        return F.cross_entropy(logits, labels, ignore_index=-1)
    return losses.soft_contrastive(logits, name)


def total(name, diversity, memory, kept, logits, labels, batch):
    """A contender's whole objective: batch and memory are contrast sets of their own, as in CLIPTTA."""
    value = 0
    for rows in (list(range(batch)), kept if memory else []):
        if rows:
            value = value + reference(name, logits[rows], labels[rows])
            if diversity and len(rows) > 1:
                value = value - losses.marginal_entropy(logits[rows])
    return value


def random_logits(seed, batch, bias=3.0):
    rng = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(batch, 3, generator=rng, dtype=torch.float64)
    logits[:, 0] += bias * torch.rand((), generator=rng)
    labels = torch.randint(-1, 3, (batch,), generator=rng)
    labels[0] = 2
    return logits, labels


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("diversity", [False, True])
def test_losses_and_their_gradients_are_those_of_losses_py(plane, name, diversity):
    for seed, batch in ((0, 12), (1, 7), (2, 2), (3, 1), (4, 40)):
        logits, labels = random_logits(seed, batch)
        logits.requires_grad_()
        value = total(name, diversity, False, [], logits, labels, batch)
        (gradient,) = torch.autograd.grad(value, logits)
        found = plane(
            "m.objective(contender, logits, labels, labels.length, [])",
            contender={"loss": name, "diversity": diversity, "memory": False},
            logits=logits.tolist(),
            labels=labels.tolist(),
        )
        close(found["value"], value)
        close(found["gradient"], gradient)


@pytest.mark.parametrize("name", NAMES)
def test_weights_get_the_gradient_of_autograd_with_bonus_and_memory(plane, name):
    rng = torch.Generator().manual_seed(5)
    captions = torch.tensor(plane("m.captionsAt([80, 200, 340])"), dtype=torch.float64)
    points = torch.randn(15, 2, generator=rng, dtype=torch.float64)
    labels = torch.randint(0, 3, (15,), generator=rng)
    gamma = torch.tensor([1.2, 0.7], dtype=torch.float64, requires_grad=True)
    beta = torch.tensor([0.3, -0.4], dtype=torch.float64, requires_grad=True)
    kept, batch = [0, 3, 11, 13, 14], 11
    logits = SCALE * F.normalize(gamma * points + beta, dim=-1) @ captions.T
    expected = torch.autograd.grad(total(name, True, True, kept, logits, labels, batch), (gamma, beta))
    found = plane(
        """(() => { const seen = m.forward(points, captions, weights);
        const { gradient } = m.objective(contender, seen.logits, labels, batch, kept);
        return m.backward(points, captions, seen, gradient); })()""",
        points=points.tolist(),
        captions=captions.tolist(),
        weights={"gamma": gamma.tolist(), "beta": beta.tolist()},
        contender={"loss": name, "diversity": True, "memory": True},
        labels=labels.tolist(),
        batch=batch,
        kept=kept,
    )
    close(found["gamma"], expected[0])
    close(found["beta"], expected[1])


def test_the_two_parts_of_image_to_text_are_what_they_are_called(plane):
    logits, _ = random_logits(6, 20)
    logits.requires_grad_()
    counts = torch.bincount(logits.argmax(-1), minlength=3).double()
    frequent = counts.clamp(min=1).log()
    prior = (logits + counts.log()).softmax(-1)
    parts = {
        "prior_entropy": -torch.special.xlogy(prior, prior).sum(-1).mean(),
        "frequency_penalty": (prior * frequent).sum(-1).mean(),
    }
    found = plane("m.lossParts('image_to_text', logits, [])", logits=logits.tolist())
    assert [part["name"] for part in found] == list(parts)
    for part in found:
        expected = parts[part["name"]]
        (gradient,) = torch.autograd.grad(expected, logits, retain_graph=True)
        close(part["value"], expected)
        close(part["gradient"], gradient)
        close(sum(part["each"]) / len(part["each"]), part["value"])


def test_a_pull_is_how_descent_moves_the_probabilities(plane):
    logits, labels = random_logits(7, 9)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(reference("image_to_text", logits, labels), logits)
    tiny = 1e-6
    before, after = logits.softmax(-1), (logits - tiny * gradient).softmax(-1)
    found = plane(
        "probs.map((p, i) => m.pullOnProbs(p, gradient[i]))",
        probs=before.tolist(),
        gradient=gradient.tolist(),
    )
    close(found, (after - before) / tiny)


def test_image_to_text_never_lowers_the_score_of_the_class_a_picture_leans_to(plane):
    for seed in range(40):
        logits, _ = random_logits(seed, 3 + seed, bias=6)
        found = plane(
            """(() => {
            const { gradient } = m.objective({ loss: "image_to_text" }, logits, [], logits.length, []);
            return logits.map((row, i) => -gradient[i][m.argmax(row)]); })()""",
            logits=logits.tolist(),
        )
        assert min(found) >= -1e-12


def test_between_two_classes_it_pulls_to_the_larger_whatever_the_counts(plane):
    logits, _ = random_logits(8, 25, bias=5)
    logits[:, 2] = -60.0
    found = plane("m.lossParts('image_to_text', logits, [])", logits=logits.tolist())
    pull = -sum(torch.tensor(part["gradient"], dtype=torch.float64) for part in found)
    larger = logits.argmax(-1)
    assert len(set(larger.tolist())) == 2
    assert (pull.gather(1, larger[:, None]) >= 0).all()


def test_captions_share_their_pull_out_among_pictures(plane):
    logits, _ = random_logits(9, 14)
    found = plane("m.lossParts('text_to_image', logits, [])[0].gradient", logits=logits.tolist())
    close(torch.tensor(found).sum(0), torch.zeros(3))


def test_a_collapsed_batch_and_a_batch_of_one_give_the_contrast_nothing(plane):
    for batch in (6, 1):
        logits = [[9.0, 1.0, -i] for i in range(batch)]
        found = plane("m.objective({ loss: 'image_to_text' }, logits, [], logits.length, [])", logits=logits)
        close(found["value"], math.log(batch))
        assert not torch.tensor(found["gradient"]).any()


def test_the_worked_example_of_three_pictures_and_two_classes(plane):
    logits = [[2, 0, -90], [0, 1, -90], [1, 0, -90]]
    values = {
        name: plane("m.objective({ loss: name }, logits, [], 3, []).value", name=name, logits=logits)
        for name in ("tent", "image_to_text", "text_to_image", "hard")
    }
    expected = {"tent": 0.509913, "image_to_text": 0.959356, "text_to_image": 0.880040, "hard": 0.724021}
    close(list(values.values()), list(expected.values()), 2e-6)


def train(contender, points, labels, captions, batch, steps):
    """The same training by torch, in double precision; `alone`, with weights for every picture."""
    shape = points.shape if contender.get("alone") else (2,)
    gamma, beta = (torch.full(shape, v, dtype=torch.float64, requires_grad=True) for v in (1.0, 0.0))

    def see():
        return SCALE * F.normalize(gamma * points + beta, dim=-1) @ captions.T

    cosines = (see() / SCALE).detach()
    answers, sure = cosines.argmax(-1), cosines.softmax(-1).amax(-1)
    kept = []
    for k in range(3):
        of = (answers == k).nonzero().flatten().tolist()
        kept += sorted(of, key=lambda i: -sure[i])[:4]
    optimizer = torch.optim.Adam([gamma, beta], lr=0.05)
    for _ in range(steps):
        value = total(
            contender["loss"], contender["diversity"], contender["memory"], kept, see(), labels, batch
        )
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return gamma.detach(), beta.detach(), kept


@pytest.mark.parametrize("number", range(9))
def test_the_contenders_of_every_preset_train_as_by_torch(plane, number):
    """Twenty steps of Adam, weights and memory, on a cloud with pictures that only the memory knows."""
    for contender in plane("presets.PRESETS[number].sides", number=number):
        found, (gamma, beta, kept) = trained_by_both(plane, contender, number)
        assert found["kept"] == kept
        close(found["weights"]["gamma"], gamma)
        close(found["weights"]["beta"], beta)


@pytest.mark.parametrize("name", NAMES)
def test_without_sharing_every_picture_trains_weights_of_its_own_as_by_torch(plane, name):
    contender = {"loss": name, "diversity": True, "memory": True, "alone": True}
    found, (gamma, beta, kept) = trained_by_both(plane, contender, seed=3)
    assert found["kept"] == kept
    close([one["gamma"] for one in found["weights"]], gamma)
    close([one["beta"] for one in found["weights"]], beta)


def trained_by_both(plane, contender, seed):
    """Twenty steps on one cloud in the browser and by torch. -> the learner; gamma, beta, memory"""
    cloud = plane("m.cloud([9, 6, 5], m.captionsAt(presets.ANGLES), seed)", seed=seed)
    points = torch.tensor(plane("m.shifted(points, 0.9)", points=cloud["points"]), dtype=torch.float64)
    labels = torch.tensor(cloud["labels"])
    captions = torch.tensor(plane("m.captionsAt(presets.ANGLES)"), dtype=torch.float64)
    found = plane(
        """(() => { const captions = m.captionsAt(presets.ANGLES);
        let learner = m.newLearner(points, captions, contender.alone);
        for (let i = 0; i < 20; i++) learner = m.step(learner, contender, points, labels, 14, captions);
        return learner; })()""",
        points=points.tolist(),
        labels=labels.tolist(),
        contender=contender,
    )
    return found, train(contender, points, labels, captions, 14, steps=20)


@pytest.mark.parametrize("shift", [0.7, 1.4, 2.1])
def test_without_sharing_tent_and_image_to_text_change_no_answer_and_the_bonus_does(plane, shift):
    """What rescues a picture, and what loses it, comes through what it shares with the others."""

    def changed(loss, diversity=False):
        return plane(
            """(() => { const captions = m.captionsAt(presets.ANGLES);
            return [...Array(10).keys()].reduce((sum, seed) => {
              const { points, labels } = m.cloud([10, 10, 10], captions, seed), x = m.shifted(points, shift);
              const answers = (weights) => m.forward(x, captions, weights).logits.map(m.argmax);
              let learner = m.newLearner(x, captions, true);
              for (let i = 0; i < 60; i++)
                learner = m.step(learner, { loss, diversity, alone: true }, x, labels, x.length, captions);
              const [before, after] = [answers(m.untrained()), answers(learner.weights)];
              return sum + before.filter((answer, i) => answer !== after[i]).length;
            }, 0); })()""",
            shift=shift,
            loss=loss,
            diversity=diversity,
        )

    assert changed("tent") == changed("image_to_text") == changed("hard") == 0
    assert changed("image_to_text", diversity=True) > 0


def test_pictures_keep_their_weights_when_others_come_and_go(plane):
    learner = plane(
        """(() => { const captions = m.captionsAt(presets.ANGLES);
        const { points, labels } = m.cloud([2, 2, 2], captions, 1);
        const contender = { loss: "tent", alone: true };
        const before = m.step(m.newLearner(points, captions, true), contender, points, labels, 6, captions);
        const without = m.moved(before, 5, (place) => (place === 2 ? -1 : place - Number(place > 2)));
        return [before, without, m.moved(without, 6, (place) => place + Number(place >= 4))]; })()"""
    )
    before, without, more = (one["weights"] for one in learner)
    assert without == before[:2] + before[3:]
    assert more == [*without[:4], {"gamma": [1, 1], "beta": [0, 0]}, *without[4:]]


def mean_outcome(plane, shift, loss, diversity=False):
    """Accuracy before and after 60 steps, and classes in use at the end: means over 20 clouds."""
    return plane(
        """(() => { const captions = m.captionsAt(presets.ANGLES), sum = [0, 0, 0], clouds = 20;
        for (let seed = 0; seed < clouds; seed++) {
          const { points, labels } = m.cloud([10, 10, 10], captions, seed), x = m.shifted(points, shift);
          const before = m.accuracy(m.forward(x, captions, m.untrained()).logits, labels);
          const end = m.outcome({ loss, diversity, memory: false }, x, labels, x.length, captions, 60);
          [before, end.accuracy, end.classes].forEach((value, k) => (sum[k] += value / clouds));
        }
        return sum; })()""",
        shift=shift,
        loss=loss,
        diversity=diversity,
    )


def test_under_a_large_shift_tent_collapses_and_contrast_or_bonus_keep_the_classes(plane):
    before, tent, used = mean_outcome(plane, 1.4, "tent")
    assert before > 0.42 and tent < before - 0.05 and used < 1.5
    for loss, diversity in (("tent", True), ("image_to_text", False), ("image_to_text", True)):
        _, accuracy, used = mean_outcome(plane, 1.4, loss, diversity)
        assert accuracy > 0.8 and used > 2.6, (loss, diversity)


def test_under_a_small_shift_tent_does_little_harm(plane):
    before, tent, used = mean_outcome(plane, 0.6, "tent")
    assert abs(tent - before) < 0.05 and used > 2.6
    assert mean_outcome(plane, 0.6, "image_to_text")[1] > before + 0.03


def test_classes_in_use_count_answers(plane):
    assert plane("m.classesInUse([12, 0, 0])") == 1
    assert plane("m.classesInUse([4, 4, 0])") == pytest.approx(2)
    unsure = [[0.01, 0, 0]] * 5  # every answer is the first class, by a hair
    assert plane("m.classesInUse(m.countAnswers(logits))", logits=unsure) == 1
