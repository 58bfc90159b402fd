"""A run as a whole: reports, repeatability, stopping, bad values."""

from __future__ import annotations

import dataclasses
import gc
import pickle
import resource
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from clip_tta_core import engine, notes
from clip_tta_core.clip import embedded
from clip_tta_core.clip.loading import LoadedClip
from clip_tta_core.control import Control
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Contender, Pictures, RunConfig
from clip_tta_core.scores import otsu
from tests.conftest import TinyText, TinyVisual


@pytest.fixture(autouse=True)
def tiny_model(monkeypatch):
    """A random CLIP of a few thousand weights in the place of the real ones."""
    torch.manual_seed(0)
    visual, text = TinyVisual().requires_grad_(False).eval(), TinyText().requires_grad_(False).eval()
    cpu = torch.device("cpu")
    loaded = LoadedClip("tiny", visual, text, 100.0, (0.5,) * 3, (0.25,) * 3, 16, cpu, None, None)
    monkeypatch.setattr(engine, "load", lambda *what, **how: loaded)
    return loaded


SHORT = RunConfig(
    corruption="contrast", batch_size=8, batches=3, methods={"tent": {"lr": 1e-2}, "cliptta": {"steps": 2}}
)


def reports(config=SHORT, **changes):
    return list(engine.run(dataclasses.replace(config, **changes)))


def curve(all_reports, method):
    return np.concatenate([report.outcomes[method].probs for report in all_reports])


def test_reports_are_plain_data_that_survive_pickling():
    for report in reports():
        again = pickle.loads(pickle.dumps(report))
        assert again.batch_number == report.batch_number and set(again.outcomes) == {
            "zero_shot",
            "tent",
            "cliptta",
        }
        for outcome in again.outcomes.values():
            assert outcome.probs.dtype == np.float32 and outcome.probs.shape == (8, 20)
            np.testing.assert_allclose(outcome.probs.sum(axis=1), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same_numbers_alone_or_beside_others():
    together, again, alone = reports(), reports(), reports(methods={"cliptta": {"steps": 2}})
    np.testing.assert_array_equal(curve(together, "cliptta"), curve(again, "cliptta"))
    np.testing.assert_array_equal(curve(together, "cliptta"), curve(alone, "cliptta"))
    assert not np.array_equal(curve(together, "cliptta"), curve(reports(seed=1), "cliptta"))


def test_a_run_leaves_the_shared_model_untouched(tiny_model):
    before = [t.clone() for t in tiny_model.visual.state_dict().values()]
    reports()
    assert all(
        torch.equal(a, b) for a, b in zip(before, tiny_model.visual.state_dict().values(), strict=True)
    )


def test_the_stream_does_not_depend_on_the_batch_size():
    wide, narrow = reports(batch_size=8, batches=2), reports(batch_size=4, batches=4)
    images = [np.concatenate([r.batch.images for r in rs]) for rs in (wide, narrow)]
    np.testing.assert_array_equal(*images)
    np.testing.assert_array_equal(curve(wide, "zero_shot"), curve(narrow, "zero_shot"))


def test_episodic_runs_forget_between_batches():
    def second_batch(**changes):
        return reports(methods={"tent": {"lr": 1e-2}}, **changes)[1].outcomes["tent"].probs

    assert not np.array_equal(second_batch(episodic=True), second_batch(episodic=False))


def test_predictions_before_the_update_of_the_first_batch_are_zero_shot():
    first = reports(predict="pre")[0].outcomes
    np.testing.assert_array_equal(first["tent"].probs, first["zero_shot"].probs)
    later = reports(predict="post")[0].outcomes
    assert not np.array_equal(later["tent"].probs, later["zero_shot"].probs)


def test_closing_the_generator_ends_the_run():
    before = threading.enumerate()
    run = engine.run(SHORT)
    next(run)
    run.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("stream") and one not in before]
    with pytest.raises(StopIteration):
        next(run)


def test_stop_acts_between_optimization_steps():
    control = Control()
    seen = []

    def follow():
        seen.extend(
            engine.run(dataclasses.replace(SHORT, batches=500, methods={"tent": {"steps": 50}}), control)
        )

    thread = threading.Thread(target=follow)
    thread.start()
    while control.progress.step < 3:
        time.sleep(0.001)
    control.stop()
    thread.join(timeout=60)
    assert not thread.is_alive() and len(seen) < 500


def test_a_paused_run_takes_exactly_the_steps_it_is_given():
    control = Control()
    control.pause()
    config = dataclasses.replace(SHORT, batches=1, methods={"tent": {"steps": 3}})
    done = threading.Event()
    thread = threading.Thread(target=lambda: (list(engine.run(config, control)), done.set()))
    thread.start()
    assert not done.wait(0.2)
    for _ in range(4):  # the start of the batch and three optimization steps
        assert not done.is_set()
        control.step()
    assert done.wait(5)
    thread.join()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"methods": {}}, "at least one method"),
        ({"methods": {"tnet": {}}}, "Did you mean 'tent'"),
        ({"methods": {"tent": {"lr": 3}}}, r"Tent: lr must be a number in \[0, 0.1\], got 3"),
        ({"methods": {"tent": {"speed": 3}}}, "no knob 'speed'"),
        ({"batch_size": 0}, "batch_size must be in"),
        ({"severity": 9}, "severity must be in"),
        ({"batches": 2.5}, "whole number"),
        ({"corruption": "fogg"}, "Did you mean 'fog'"),
        ({"order": "random"}, "Unknown order"),
        ({"predict": "later"}, "'post' or 'pre'"),
        ({"batches": 3.0}, "batches must be a whole number, got 3.0"),
        ({"batches": "3"}, "batches must be a whole number, got '3'"),
        ({"severity": True}, "severity must be a whole number, got True"),
        ({"unknown_share": float("nan")}, "unknown_share must be in"),
        ({"unknown_share": 0.81}, r"unknown_share must be in \[0.0, 0.8\], got 0.81"),
        ({"unknown_share": "half"}, "unknown_share must be a number, got 'half'"),
        ({"seed": -1}, "seed must be in"),
        ({"seed": None}, "seed must be a whole number, got None"),
        ({"source": "camera"}, "Source must be 'rendered', 'upload' or 'dataset:' and a name, got 'camera'"),
        ({"source": "upload"}, "Upload: at least one picture is needed"),
        ({"unknown_source": "upload"}, "Unknown pictures: at least one is needed"),
        ({"unknown_source": "object"}, "Did you mean 'objects'"),
        ({"class_names": ("cat", "zebra")}, "Unknown rendered object 'zebra'"),
        ({"class_names": ("umbrella",)}, "at least two"),
        ({"class_names": ("umbrella", "umbrella")}, "listed once"),
    ],
)
def test_bad_values_are_answered_with_a_sentence_before_anything_runs(changes, sentence, monkeypatch):
    monkeypatch.setattr(engine, "load", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(ValueError, match=sentence):
        engine.run(dataclasses.replace(SHORT, **changes))


def test_unlabelled_pictures_leave_what_needs_labels_undefined():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
    mine = Pictures(images, np.full(10, -1), tuple(f"{i}.jpg" for i in range(10)))
    result = reports(source="upload", pictures=mine, class_names=("cat", "dog", "bird"), batches=5)
    assert [len(report.batch) for report in result] == [8, 2]
    metrics = result[-1].outcomes["cliptta"].metrics
    assert all(np.isnan(metrics[name]) for name in ("accuracy", "ece", "gained", "auroc"))
    assert 1 <= metrics["effective_classes"] <= 3 and 0 <= metrics["changed"] <= 1


@pytest.mark.parametrize("arrival", ["mixed", "bursts", "late"])
def test_unknown_pictures_come_in_their_share_and_are_judged_apart(arrival):
    result = reports(unknown_source="characters", unknown_share=0.25, unknown_arrival=arrival, batches=8)
    unknown = np.concatenate([report.batch.unknown for report in result])
    assert unknown.mean() == pytest.approx(0.25, abs=0.02)
    if arrival == "late":
        assert not unknown[: len(unknown) // 2].any()
    metrics = result[-1].outcomes["tent"].metrics
    assert 0 <= metrics["auroc"] <= 1 and 0 <= metrics["accuracy"] <= 1


EXTREMES = RunConfig(
    batch_size=8,
    batches=8,
    unknown_source="characters",
    methods={"tent": {}, "cliptta": {"steps": 2, "open_set": True, "lr": 1e-2}},
)


def numbers(report):
    return {name: {**o.metrics, **o.losses, "threshold": o.threshold} for name, o in report.outcomes.items()}


def undefined(report):
    """Names of the numbers that have no value, whoever lacks them."""
    return {key for values in numbers(report).values() for key, value in values.items() if np.isnan(value)}


DETECTION = {"auroc", "fpr95", "aupr_in", "aupr_out", "detection_accuracy", "oscr", "auroc_batch"}


def test_batches_of_unknown_pictures_only_leave_their_own_accuracy_undefined_and_say_so():
    result = reports(EXTREMES, batch_size=16, unknown_share=0.8, unknown_arrival="bursts")
    only = [report for report in result if report.batch.unknown.all()]
    assert len(only) == 4
    for report in only:
        assert undefined(report) == {"accuracy_batch", "truth_rising"}
        assert any("unknown pictures only" in note for note in report.notes)
    mixed = [report for report in result if not report.batch.unknown.all()]
    assert not any("unknown pictures only" in note for report in mixed for note in report.notes)


def test_without_unknown_pictures_only_their_detection_is_undefined_and_an_open_set_method_is_told():
    for report in reports(EXTREMES, unknown_source="none", batches=2):
        assert undefined(report) == DETECTION
        assert ["CLIPTTA expects unknown pictures" in note for note in report.notes] == [True]


def test_batches_of_one_picture_work_and_say_what_does_not():
    result = reports(EXTREMES, batch_size=1, batches=12)
    for report in result:
        losses = {name for outcome in report.outcomes.values() for name in outcome.losses}
        assert not undefined(report) & {"changed", "accepted", "entropy", "drift", "threshold", *losses}
        assert any("one picture only" in note for note in report.notes)
    assert undefined(result[-1]) <= {"accuracy_batch", "auroc_batch", "truth_rising"}


def test_equal_scores_are_told_and_harm_nothing(tiny_model, monkeypatch):
    """Every picture looks the same to this encoder: no threshold parts anything, so all of them teach."""
    monkeypatch.setattr(
        tiny_model.visual.patches, "forward", lambda images: images.new_ones(len(images), 32, 4, 4)
    )
    for report in reports(EXTREMES):
        assert undefined(report) <= {"accuracy_batch"}
        for name, outcome in report.outcomes.items():
            assert len(set(outcome.scores.tolist())) == 1
            assert outcome.metrics["auroc_batch"] == 0.5 and outcome.metrics["accepted"] in (0, 1)
            title = METHODS[name].title
            assert (
                f"{title} scores all pictures of a batch alike: no threshold can separate known from unknown."
                in (report.notes)
            )
        assert report.outcomes["cliptta"].losses["contrastive"] > 0


def test_a_method_that_rejects_everything_is_told_and_goes_on(monkeypatch):
    cliptta = METHODS["cliptta"]
    monkeypatch.setattr(cliptta, "_set_threshold", lambda self, features: self.threshold.data.fill_(10.0))
    for report in reports(EXTREMES):
        assert report.outcomes["cliptta"].metrics["accepted"] == 0
        assert undefined(report) <= {"accuracy_batch"}
        told = [note for note in report.notes if "takes all pictures" in note]
        assert told == ["CLIPTTA takes all pictures of a batch for unknown."]


def test_an_open_set_run_reports_its_threshold_and_how_hard_each_term_pulls():
    for report in reports(EXTREMES):
        losses = report.outcomes["cliptta"].losses
        assert losses["alpha"] == pytest.approx(report.outcomes["cliptta"].threshold)
        assert all(losses[f"grad_{term}"] >= 0 for term in ("contrastive", "diversity", "oce"))
        assert 0 < report.outcomes["cliptta"].metrics["accepted"] < 1
    threshold = report.outcomes["tent"].threshold  # nobody's own: Otsu's
    assert threshold == pytest.approx(otsu(torch.from_numpy(report.outcomes["tent"].scores)))


def test_predictions_that_are_no_numbers_end_the_run_with_a_sentence_and_leave_the_next_untouched():
    before = curve(reports(), "tent")
    with pytest.raises(ValueError, match="TENT: its predictions must be numbers.*lower its learning rate"):
        with_broken_weights = METHODS["tent"].adapt
        try:
            METHODS["tent"].adapt = lambda self, images: (
                [p.data.fill_(np.nan) for p in self.clip.trainable()] and {}
            )
            reports()
        finally:
            METHODS["tent"].adapt = with_broken_weights
    np.testing.assert_array_equal(curve(reports(), "tent"), before)


def test_a_model_that_gives_no_numbers_is_not_blamed_on_a_learning_rate(tiny_model):
    tiny_model.visual.project.weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="Zero-shot CLIP: its predictions must be numbers.*another model"):
        reports()


def test_time_on_hold_is_not_the_methods():
    control = Control()
    run = engine.run(dataclasses.replace(SHORT, batches=2, methods={"tent": {}}), control)
    next(run)
    control.pause()
    threading.Timer(0.5, control.resume).start()
    start = time.perf_counter()
    outcomes = next(run).outcomes.values()
    assert sum(outcome.seconds for outcome in outcomes) <= time.perf_counter() - start - control.held
    assert control.held > 0


def test_no_picture_goes_through_the_encoder_twice_for_nothing(tiny_model, monkeypatch):
    seen, forward = [], tiny_model.visual.forward
    monkeypatch.setattr(
        type(tiny_model.visual),
        "forward",
        lambda self, images: (seen.append(len(images)), forward(images))[1],
    )
    reports(batches=1, methods={"zero_shot": {}, "lame": {}, "tda": {}, "tent": {"steps": 2}})
    assert seen == [8] * (1 + 2 + 1)  # the frozen model once for all, TENT's two steps, its prediction


def test_a_hundred_runs_leave_the_memory_where_it_was():
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    mine = Pictures(images, np.full(8, -1), tuple("abcdefgh"))
    methods = {"tent": {}, "cliptta": {"steps": 1}}

    def open_and_close():
        run = engine.run(
            RunConfig(
                source="upload", pictures=mine, class_names=("cat", "dog"), batch_size=4, methods=methods
            )
        )
        next(run)
        run.close()

    def live_tensors():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    for _ in range(5):
        open_and_close()
    tensors, threads, size = live_tensors(), threading.active_count(), resident()
    for _ in range(100):
        open_and_close()
    assert live_tensors() <= 1.1 * tensors and threading.active_count() <= threads
    assert resident() <= 1.1 * size


def resident() -> int:
    """Bytes of this process in memory, where the system tells; else the most there ever were."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"labels": np.array([0, 2])}, "labels must be -1 or index the 2 class names, got 2"),
        ({"labels": np.array([0, -2])}, "got -2"),
        ({"labels": np.array([0])}, "each of 2 needs one whole number as its label and one name"),
        ({"labels": np.array([0.0, 1.0])}, "got labels float64"),
        ({"names": ("a.jpg",)}, "1 names"),
        ({"images": np.zeros((2, 16, 16, 3))}, "images must be uint8"),
        ({"images": np.full((2, 16, 16, 3), np.nan)}, "images must be uint8"),
        ({"images": np.zeros((2, 3, 16, 16), np.uint8)}, r"got uint8 \(2, 3, 16, 16\)"),
        ({"images": np.zeros((2, 16, 16), np.uint8)}, "images must be uint8"),
    ],
)
def test_pictures_of_the_wrong_kind_are_refused_where_they_are_made(changes, sentence):
    good = {
        "images": np.zeros((2, 16, 16, 3), np.uint8),
        "labels": np.array([0, 1]),
        "names": ("a.jpg", "b.jpg"),
        "class_names": ("cat", "dog"),
    }
    assert len(Pictures(**good)) == 2
    with pytest.raises(ValueError, match="^Pictures: .*" + sentence):
        Pictures(**good | changes)


def test_all_classes_are_listed_in_the_catalog_as_plain_data():
    catalog = engine.catalog()
    assert {"tent", "cliptta", "zero_shot"} <= {card.name for card in catalog.methods}
    assert pickle.loads(pickle.dumps(catalog.corruptions)) == catalog.corruptions


def test_a_batch_of_one_predicted_class_is_worth_a_sentence():
    outcome = dataclasses.replace(reports(batches=1)[0].outcomes["cliptta"], losses={"pseudo_classes": 1.0})
    assert notes.of_outcome("CLIPTTA", outcome, False) == [
        "CLIPTTA gave a whole batch one class: there is nothing to contrast it with."
    ]


def test_a_few_unknown_pictures_do_not_cost_the_known_ones():
    def pictures(count, shade):
        images = np.full((count, 16, 16, 3), shade, dtype=np.uint8)
        return Pictures(images, np.full(count, -1), tuple(f"{shade}-{i}.jpg" for i in range(count)))

    result = reports(
        source="upload",
        pictures=pictures(12, 90),
        unknown_source="upload",
        unknown_pictures=pictures(1, 200),
        class_names=("cat", "dog"),
        batches=5,
    )
    names = [name for report in result for name in report.batch.names]
    assert len(set(names)) == len(names) == 13
    assert sum(report.batch.unknown.sum() for report in result) == 1


def test_an_embedded_clip_warns_of_pictures_from_outside_its_world():
    mine = Pictures(np.zeros((8, 16, 16, 3), dtype=np.uint8), np.full(8, -1), tuple("abcdefgh"))
    uploads = dict(source="upload", pictures=mine, class_names=("cat", "cup"), batches=1)
    assert embedded.MINI.abroad in reports(**uploads)[0].notes
    assert embedded.MINI.abroad not in reports(batches=1)[0].notes
    assert embedded.PHOTO.abroad not in reports(**uploads, model="photo-clip")[0].notes
    drawings = reports(model="photo-clip", class_names=("cat", "horse"), batches=1)
    assert embedded.PHOTO.abroad in drawings[0].notes


COPIES = (
    Contender("TENT", "tent", {"lr": 1e-2}),
    Contender("TENT + diversity", "tent", {"lr": 1e-2, "beta_reg": 1.0}),
    Contender("once more", "tent", {"lr": 1e-2}),
)


def test_copies_of_a_method_run_side_by_side_under_their_labels():
    result = reports(contenders=COPIES)
    assert all(
        list(report.outcomes) == ["zero_shot", "TENT", "TENT + diversity", "once more"] for report in result
    )
    np.testing.assert_array_equal(curve(result, "TENT"), curve(result, "once more"))
    assert not np.array_equal(curve(result, "TENT"), curve(result, "TENT + diversity"))


def test_a_contenders_numbers_depend_on_neither_its_label_nor_its_neighbours():
    """Methods that draw numbers and keep pictures among them."""
    for method, settings in (("cliptta", {"steps": 2}), ("rotta", {}), ("stamp", {"views": 2}), ("tda", {})):
        alone = reports(contenders=(Contender(method, method, settings),))
        beside = reports(contenders=(*COPIES, Contender("another name", method, settings)))
        np.testing.assert_array_equal(curve(alone, method), curve(beside, "another name"))


@pytest.mark.parametrize(
    ("contenders", "sentence"),
    [
        ((Contender("a", "tent"), Contender("a", "cliptta")), "a label of its own, got 'a' twice"),
        ((Contender("tent", "tent"), Contender("TENT", "cliptta")), "a label of its own, got 'TENT' twice"),
        ((Contender(" ", "tent"),), "a label must have 1 to 60 characters, got ' '"),
        ((Contender("x" * 61, "tent"),), "a label must have 1 to 60 characters"),
        ((Contender("CLIP", "zero_shot"),), "zero-shot CLIP takes part once"),
        ((Contender("zero_shot", "tent"),), "zero-shot CLIP takes part once"),
        ((Contender("mine", "tnet"),), "Did you mean 'tent'"),
        ((Contender("mine", "tent", {"lr": 3}),), "Tent: lr must be a number"),
        (tuple(Contender(str(i), "tent") for i in range(7)), "at most 6 methods may run at once, got 7"),
    ],
)
def test_contenders_that_cannot_take_part_are_refused_with_a_sentence(contenders, sentence):
    with pytest.raises(ValueError, match=sentence):
        engine.run(dataclasses.replace(SHORT, contenders=contenders))


def test_the_short_form_names_one_contender_a_method():
    short = RunConfig(methods={"tent": {"lr": 1e-2}})
    assert short == RunConfig(contenders=(Contender("tent", "tent", {"lr": 1e-2}),))
    assert dataclasses.replace(short, seed=1).contenders == short.contenders
    assert dataclasses.replace(short, methods={"lame": {}}).contenders == (Contender("lame", "lame"),)


def test_a_configuration_that_was_checked_is_not_checked_again(monkeypatch):
    checked = engine.check(SHORT)
    monkeypatch.setattr(engine, "check", lambda config: pytest.fail("checked twice"))
    assert len(list(engine.run(checked))) == 3


def test_many_names_times_many_templates_are_refused_before_anything_runs():
    names = tuple(f"thing {i}" for i in range(1000))
    templates = "\n".join(f"picture {i} of a {{}}" for i in range(101))
    mine = Pictures(np.zeros((1, 16, 16, 3), np.uint8), np.full(1, -1), ("a",))
    config = dataclasses.replace(
        SHORT, source="upload", pictures=mine, class_names=names, templates=templates
    )
    with pytest.raises(ValueError, match="names times prompt templates may be at most 100,000, got 101,000"):
        engine.check(config)


def test_an_episodic_method_starts_over_at_every_batch(monkeypatch):
    """By its authors' protocol, whatever the run says."""
    config = dataclasses.replace(SHORT, methods={"tent": {"lr": 1e-2}})
    through = [report.outcomes["tent"].probs for report in engine.run(config)]
    over = [report.outcomes["tent"].probs for report in reports(config, episodic=True)]
    monkeypatch.setattr(METHODS["tent"], "episodic", True)
    by_itself = [report.outcomes["tent"].probs for report in engine.run(config)]
    np.testing.assert_array_equal(by_itself, over)
    assert not np.array_equal(by_itself, through)


def test_clipartt_runs_by_its_authors_protocol_unless_told_otherwise():
    def second_batch(**changes):
        config = dataclasses.replace(SHORT, methods={"clipartt": {"steps": 1, **changes.pop("knobs", {})}})
        return reports(config, **changes)[1].outcomes["clipartt"].probs

    over = second_batch(knobs={"episodic": False}, episodic=True)
    np.testing.assert_array_equal(second_batch(), over)
    assert not np.array_equal(second_batch(knobs={"episodic": False}), over)


def test_what_a_method_draws_depends_on_the_seed_of_the_run():
    """One picture a class, sorted: the same stream whatever the seed."""
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    mine = Pictures(images, np.arange(8), tuple("abcdefgh"), tuple(f"thing {k}" for k in "abcdefgh"))
    config = RunConfig(
        source="upload",
        pictures=mine,
        order="sorted",
        batch_size=8,
        batches=1,
        methods={"stamp": {"views": 2}},
    )
    first, second, again = (reports(config, seed=seed) for seed in (0, 1, 0))
    np.testing.assert_array_equal(curve(first, "zero_shot"), curve(second, "zero_shot"))
    np.testing.assert_array_equal(curve(first, "stamp"), curve(again, "stamp"))
    assert not np.array_equal(curve(first, "stamp"), curve(second, "stamp"))


def test_a_method_without_a_score_of_its_own_is_scored_by_its_cosines(tiny_model):
    assert tiny_model.scale == 100
    texts = engine.classifier(tiny_model, engine.catalog().task, SHORT.templates).text_features
    for report in reports():
        outcome = report.outcomes["zero_shot"]
        cosines = torch.from_numpy(outcome.features) @ texts.T
        expected = cosines.log_softmax(dim=-1).amax(dim=-1)
        np.testing.assert_allclose(outcome.scores, expected.numpy(), atol=1e-5)


def test_what_a_failed_attempt_left_behind_is_gone_before_the_next(monkeypatch):
    left, adapt = [], METHODS["tent"].adapt

    def failing_once(self, images):
        if left:
            assert left[0]() is None
            return adapt(self, images)
        ring: list = [torch.zeros(8)]
        ring.append(ring)  # so that only a collection frees it
        left.append(weakref.ref(ring[0]))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(engine, "runs_out", lambda device: True)
    monkeypatch.setattr(METHODS["tent"], "adapt", failing_once)
    gc.disable()
    try:
        assert any("ran out of memory" in note for note in reports(batches=1, methods={"tent": {}})[0].notes)
    finally:
        gc.enable()


@pytest.mark.parametrize("phase", range(4))
def test_large_pictures_are_shrunk_without_aliasing(phase):
    """Stripes of which one in four columns is white are a quarter grey at a quarter of the size."""
    images = np.zeros((1, 64, 64, 3), np.uint8)
    images[:, :, phase::4] = 255
    shrunk = engine.to_tensor(images, 16, torch.device("cpu"))
    torch.testing.assert_close(shrunk[..., 3:-3], torch.full((1, 3, 16, 10), 0.25), atol=0.02, rtol=0)


def test_the_weights_of_a_run_are_named_by_a_hash_that_changes_with_them(tiny_model):
    first = reports(batches=1)[0].weights
    assert len(first) == 64 and first == reports(batches=1)[0].weights
    engine._fingerprints.clear()
    next(tiny_model.visual.parameters()).data.add_(1e-3)
    assert reports(batches=1)[0].weights != first


def test_a_method_is_copied_before_its_batches_only_where_memory_can_run_out(monkeypatch):
    kept, keep = [], engine.Runner._keep
    monkeypatch.setattr(engine.Runner, "_keep", lambda self: (kept.append(self.title), keep(self))[1])
    reports(batches=1)
    assert not kept and engine.runs_out(torch.device("cuda"))
    monkeypatch.setattr(engine, "runs_out", lambda device: True)
    reports(batches=1)
    assert kept == ["Zero-shot CLIP", "TENT", "CLIPTTA"]


def test_a_held_run_ends_when_its_time_is_up(monkeypatch):
    monkeypatch.setenv("CLIPTTA_MAX_SECONDS", "1")
    control = Control()
    control.pause()
    with pytest.raises(ValueError, match="may take 1 seconds, and this one had done 0 of 3 batches"):
        list(engine.run(SHORT, control))


def test_on_a_clock_that_waits_for_all_nothing_is_left_out():
    """Zero-shot CLIP and what costs no more adapt to every batch, so their runs are the ordinary ones."""
    cheap = dataclasses.replace(SHORT, methods={"zero_shot": {}, "tda": {}})
    for now, then in zip(reports(cheap, clock="runs"), reports(cheap), strict=True):
        np.testing.assert_array_equal(now.outcomes["tda"].probs, then.outcomes["tda"].probs)


def test_on_a_clock_that_runs_a_slow_method_adapts_to_every_cth_batch_alone():
    """TENT with one step goes forward twice and backward once, which is two more: every 4th batch."""
    config = dataclasses.replace(SHORT, batches=6, methods={"tent": {"lr": 1e-2, "steps": 1}})
    found = reports(config, clock="runs")
    adapted = [bool(report.outcomes["tent"].losses) for report in found]
    assert adapted == [True, False, False, False, True, False]
    drift = [report.outcomes["tent"].metrics["drift"] for report in found]
    assert drift[0] == drift[1] == drift[3] < drift[4] == drift[5], "the last weights predict the rest"
    ordinary = reports(config)
    np.testing.assert_array_equal(found[0].outcomes["tent"].probs, ordinary[0].outcomes["tent"].probs)
    assert not np.array_equal(found[1].outcomes["tent"].probs, ordinary[1].outcomes["tent"].probs)


def test_a_method_slower_than_the_stream_is_zero_shot_after_the_first_batch_where_it_forgets():
    config = dataclasses.replace(SHORT, methods={"zero_shot": {}, "mta": {"views": 8}})
    first, *rest = reports(config, clock="runs")
    assert first.outcomes["mta"].losses
    for report in rest:
        np.testing.assert_array_equal(report.outcomes["mta"].probs, report.outcomes["zero_shot"].probs)


def test_another_clock_is_refused():
    with pytest.raises(ValueError, match="clock must be 'waits' or 'runs', got 'stops'"):
        engine.check(dataclasses.replace(SHORT, clock="stops"))
