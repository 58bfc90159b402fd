"""Pictures to keep: drawn from the same log, whatever is in it."""

import io

import numpy as np
import pytest
from PIL import Image

from clip_tta_core import plots
from clip_tta_core.palette import look, ordered
from clip_tta_core.records import RunConfig
from tests.ui.conftest import make_log


@pytest.mark.parametrize("source", ["none", "objects"])
def test_the_sheet_is_a_picture(source):
    log = make_log(RunConfig(batches=3, batch_size=8, unknown_source=source))
    with Image.open(io.BytesIO(plots.to_png(log))) as image:
        assert image.format == "PNG" and image.width > 1200


def test_curves_are_those_of_the_log():
    log = make_log(RunConfig(batches=4, batch_size=8))
    axes = plots.sheet(log).axes[0]
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
    for name, title in log.titles.items():
        np.testing.assert_allclose(drawn[title], log.series[name]["accuracy_window"])


@pytest.mark.parametrize(
    "name", ["${alert(1)}", "$\\frac{1}$", "<img src=x onerror=alert(1)>", "日本", "a_b^c", "$"]
)
def test_any_class_name_can_be_drawn(name):
    log = make_log(RunConfig(batches=2, batch_size=8, class_names=(name, "dog")))
    plots.to_png(log)


def test_an_unlabelled_run_can_be_drawn():
    plots.to_png(make_log(RunConfig(batches=2, batch_size=8, source="upload")))


def test_every_method_looks_the_same_twice_and_unlike_its_rivals():
    assert look("tent") == look("tent") != look("cliptta")
    assert look("a method of tomorrow") == look("a method of tomorrow")


def test_no_two_known_methods_look_alike():
    from clip_tta_core.engine import catalog

    looks = [look(card.name) for card in catalog().methods]
    assert len(set(looks)) == len(looks)


def test_zero_shot_comes_first_and_cliptta_on_top():
    assert ordered(["cliptta", "tent", "zero_shot"]) == ["zero_shot", "tent", "cliptta"]
