"""A batch that is under way: what is kept of its steps, when the page is told, and how long it will take."""

import dataclasses
import math

import numpy as np
import pytest

from clip_tta_core.control import Progress
from clip_tta_core.logs import open_log
from clip_tta_core.records import Batch, Contender, Glimpse, Outcome, Report, RunConfig, Step
from clip_tta_core.ui.session import status, views
from clip_tta_core.ui.session.course import Course
from clip_tta_core.ui.session.follow import Moment
from clip_tta_core.ui.session.play import SLOW, Inside
from clip_tta_core.ui.wire.encode import plain

CONFIG = RunConfig(batches=4, batch_size=4, class_names=("cat", "dog", "bird"))
LABELS = np.array([0, 1, 2, -1])
BATCH = Batch(np.zeros((4, 8, 8, 3), np.uint8), LABELS, ("a", "b", "c", "d"), np.zeros(4, bool), ("",) * 4)
EVEN = np.full((4, 3), 1 / 3, np.float32)  # all answer the first class: one of the three labelled is right
SURE = np.eye(3, dtype=np.float32)[[0, 1, 1, 1]]  # two of three right, two classes in use


def outcome(probs: np.ndarray) -> Outcome:
    return Outcome(probs, np.zeros((4, 2), np.float32), np.zeros(4, np.float32), 0.0, {}, {}, 1.0)


def glimpse(
    label: str = "", taken: int = 0, probs: np.ndarray = EVEN, batch: Batch = BATCH, **done
) -> Glimpse:
    losses = {"loss": 2.0 - taken, "contrastive": 1.0, "diversity": 1.0 - taken}
    step = Step(label, taken, 2, probs, losses) if label else None
    return Glimpse(
        1 if batch is BATCH else 2, 4, batch, {name: outcome(own) for name, own in done.items()}, {}, step
    )


@pytest.fixture
def course() -> Course:
    made = Course()
    made.take(glimpse(zero_shot=EVEN))
    made.take(glimpse("tent", 0, zero_shot=EVEN))
    made.take(glimpse("tent", 1, SURE, zero_shot=EVEN))
    return made


def test_every_look_is_kept_with_its_numbers(course):
    told = plain(views.steps(open_log(CONFIG), course))
    assert told["taken"] == {"zero_shot": "0 ", "tent": "0 1 "}
    assert told["values"]["loss"]["tent"] == "2 1 "
    assert told["values"]["loss_diversity"]["tent"] == "1 0 "
    assert told["values"]["accuracy_batch"]["tent"] == "0.333333 0.666667 "
    assert (
        told["values"]["effective_classes"]["tent"]
        == f"1 {math.exp(-0.25 * math.log(0.25) - 0.75 * math.log(0.75)):.6g} "
    )
    assert told["values"]["entropy"]["tent"] == f"{math.log(3):.6g} 0 "
    assert told["counts"] == {"zero_shot": "0:4\n", "tent": "0:1 1:3\n"} and told["truth"] == "0:1 1:1 2:1\n"
    assert told["planned"] == {"zero_shot": 0, "tent": 2} and told["done"] == ["zero_shot"]
    names = [one["name"] for one in told["measures"]]
    assert names[:3] == ["loss", "loss_contrastive", "loss_diversity"]


def test_the_pictures_show_the_answers_of_the_method_at_work(course):
    told = plain(views.gallery_under_way(open_log(CONFIG), course))
    assert [one["name"] for one in told["methods"]] == ["zero_shot", "tent"], "CLIPTTA has none yet"
    assert told["answers"] == {"zero_shot": "0 0 0 0", "tent": "0 1 1 1"}
    assert told["work"] == "tent" and told["after"] == "1 of 2 steps"
    course.take(glimpse(zero_shot=EVEN, tent=SURE))
    told = plain(views.gallery_under_way(open_log(CONFIG), course))
    assert "after" not in told, "its answers are those that count"


def test_a_method_that_is_done_ends_its_curve_and_the_next_batch_begins_anew(course):
    end = np.eye(3, dtype=np.float32)[[1, 1, 1, 1]]
    course.take(glimpse(zero_shot=EVEN, tent=end))
    assert [one.taken for one in course.seen["tent"]] == [0, 1, 2]
    later = dataclasses.replace(BATCH)
    course.take(glimpse(batch=later, zero_shot=EVEN))
    assert list(course.seen) == ["zero_shot"]


def test_what_a_step_is_is_said_where_it_is_not_one_on_the_batch(course):
    def said() -> str:
        return plain(views.steps(open_log(CONFIG), course))["says"]

    assert said() == "", "a step on the batch needs no words"
    for on, words in (("memory", "TENT learns from the pictures in its memory"), ("picture", "one picture")):
        look = glimpse("tent", 1, SURE, zero_shot=EVEN)
        course.take(dataclasses.replace(look, step=dataclasses.replace(look.step, on=on)))
        assert words in said()
    course.take(glimpse(zero_shot=EVEN, tent=SURE))
    assert said() == "", "now the answers are those that count"
    course.take(glimpse(zero_shot=EVEN, tent=SURE, cliptta=SURE))
    assert said() == "CLIPTTA takes no optimization steps on this batch; Step goes on to what comes next."


def test_a_held_run_shows_the_batch_that_it_has_done_too():
    """A method without steps is held between batches only."""
    log = open_log(CONFIG)
    inside, done = Inside(log), glimpse(zero_shot=EVEN, tent=SURE, cliptta=SURE)
    inside.course.take(done)
    log.append(Report(1, 4, BATCH, done.outcomes, "cpu"), 0.5)
    assert not inside.views(moment(0.5)) and set(inside.views(moment(0.5, "paused"))) == {"steps"}


def test_without_labels_nothing_is_said_of_accuracy():
    unlabelled, made = dataclasses.replace(BATCH, labels=np.full(4, -1)), Course()
    made.take(glimpse(batch=unlabelled, zero_shot=EVEN))
    names = [one["name"] for one in plain(views.steps(open_log(CONFIG), made))["measures"]]
    assert "accuracy_batch" not in names and "entropy" in names


def moment(active: float, state="running") -> Moment:
    return Moment(state, active, fresh=False)


def test_a_quick_batch_is_not_drawn_unless_the_run_is_held():
    log = open_log(CONFIG)
    inside = Inside(log)
    assert not inside.views(moment(100.0)), "nothing has been seen"
    inside.course.take(glimpse(zero_shot=EVEN))
    assert not inside.views(moment(SLOW - 0.1))
    assert set(inside.views(moment(SLOW - 0.1, "paused"))) == {"steps", "gallery"}
    assert not inside.views(moment(SLOW, "paused")), "it has been told"


def test_a_slow_batch_is_drawn_and_its_end_too():
    log = open_log(CONFIG)
    inside = Inside(log)
    inside.course.take(glimpse(zero_shot=EVEN))
    assert set(inside.views(moment(SLOW))) == {"steps", "gallery"}
    done = glimpse(zero_shot=EVEN, tent=SURE, cliptta=SURE)
    inside.course.take(done)
    log.append(Report(1, 4, BATCH, done.outcomes, "cpu"), SLOW + 1)
    assert set(inside.views(moment(SLOW + 1))) == {"steps"}, "the pictures are the report's from now on"
    inside.course.take(glimpse(batch=dataclasses.replace(BATCH), zero_shot=EVEN))
    assert not inside.views(moment(SLOW + 1.1)), "the next batch has only begun"


def test_time_left_is_told_from_the_first_step_and_weighed_by_the_work_of_each_method():
    two = (Contender("zero_shot", "zero_shot"), Contender("tent", "tent", {"steps": 10}))
    log = open_log(RunConfig(contenders=two, batches=4, batch_size=4))
    begun = status.status("running", log, Progress(1, 4, "tent", 5, 10), active=8.0)
    # Zero-shot CLIP takes 1 forward, TENT 31: of the first batch 1 + 15.5 of 32 are done.
    share = (1 + 15.5) / 32 / 4
    assert begun.share == pytest.approx(share, abs=1e-4)
    assert begun.left == pytest.approx(8 * (1 - share) / share, abs=0.1)
    assert status.status("running", log, Progress(1, 4, "zero_shot"), active=1.0).left is None
