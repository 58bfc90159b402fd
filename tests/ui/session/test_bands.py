"""What the menu of curves offers, and the intervals around accuracy."""

import pytest

from clip_tta_core import metrics
from clip_tta_core.records import INTERVALS
from clip_tta_core.ui.session import views
from clip_tta_core.ui.wire.encode import plain


@pytest.mark.parametrize("name, recent", INTERVALS.items())
def test_the_bands_are_wilsons_intervals_of_the_pictures_of_the_curve(name, recent, log):
    value = plain(views.curves(log))
    right = log.right("tent", 6, recent)
    ends = metrics.wilson(int(right.sum()), len(right))
    drawn = [float(value[side][name]["tent"].split()[5]) for side in ("low", "high")]
    assert drawn == pytest.approx(ends, rel=1e-3)
    accuracy = [float(x) for x in value["curves"][name]["tent"].split()]
    low, high = ([float(x) for x in value[side][name]["tent"].split()] for side in ("low", "high"))
    assert all(a <= b <= c for a, b, c in zip(low, accuracy, high, strict=True))


def test_the_menu_offers_what_the_methods_of_the_run_have(log):
    curves = plain(views.curves(log))["curves"]
    assert {"effective_classes", "effective_classes_soft", "loss"} <= set(curves)
    assert "loss_entropy" not in curves, "no method of this run has one"
