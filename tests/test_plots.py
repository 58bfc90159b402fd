"""Pictures to keep: drawn from the same log, whatever is in it."""

import io

import numpy as np
import pytest
from PIL import Image

from clip_tta_core import plots
from clip_tta_core.methods import looks_of
from clip_tta_core.records import Contender, RunConfig, Standing
from tests.ui.conftest import make_log


@pytest.mark.parametrize("source", ["none", "objects"])
def test_the_sheet_is_a_picture(source):
    log = make_log(RunConfig(batches=3, batch_size=8, unknown_source=source))
    with Image.open(io.BytesIO(plots.figure_png(plots.sheet(log)))) as image:
        assert image.format == "PNG" and image.width > 3000, "as print wants it: 300 dots an inch"


def test_curves_are_those_of_the_log():
    log = make_log(RunConfig(batches=4, batch_size=8))
    axes = plots.sheet(log).axes[0]
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
    for name, title in log.titles.items():
        np.testing.assert_allclose(drawn[title], log.series[name]["accuracy_window"])


def test_bars_count_what_the_log_counted_lately():
    log = make_log(RunConfig(batches=6, batch_size=8))
    axes = plots.sheet(log).axes[1]
    for bars, name in zip(axes.containers, looks_of(log.methods), strict=True):
        lately = np.array(log.predicted[name][-log.recent :])
        np.testing.assert_array_equal([bar.get_height() for bar in bars], lately.sum(axis=0))


def test_scores_are_drawn_above_the_threshold_of_their_own_batch():
    log = make_log(RunConfig(batches=2, batch_size=8, unknown_source="objects"))
    for name in log.series:
        log.known[name], log.unknown[name] = [(1.0, 1.0), (11.0, 11.0)], [(-1.0,), (9.0,)]
        log.series[name]["threshold"] = [0.0, 10.0]
    axes = plots.sheet(log).axes[2]
    places = [patch.get_xy()[patch.get_xy()[:, 1] > 0, 0] for patch in axes.patches]
    for known, unknown in zip(places[::2], places[1::2], strict=True):
        assert 0.5 <= known.min() and known.max() <= 1.5  # all at 1: one spike, however wide a bar is
        assert -1.5 <= unknown.min() and unknown.max() <= -0.5


@pytest.mark.parametrize(
    "name", ["${alert(1)}", "$\\frac{1}$", "<img src=x onerror=alert(1)>", "日本", "a_b^c", "$"]
)
def test_any_class_name_can_be_drawn(name):
    log = make_log(RunConfig(batches=2, batch_size=8, class_names=(name, "dog")))
    plots.figure_png(plots.sheet(log))


def test_an_unlabelled_run_can_be_drawn():
    plots.figure_png(plots.sheet(make_log(RunConfig(batches=2, batch_size=8, source="upload"))))


COPIES = RunConfig(
    batches=3,
    batch_size=8,
    seed=7,
    contenders=(
        Contender("tent", "tent", {"lr": 0.01}),
        Contender("TENT + diversity", "tent", {"beta_reg": 1.0}),
    ),
    unknown_source="objects",
)


@pytest.mark.parametrize("name", ["curves", "classes", "scores"])
def test_every_chart_stands_alone_as_png_and_svg(name):
    log = make_log(COPIES)
    figure = plots.chart(log, name)
    said = figure.get_supxlabel().replace("\n", " ")
    for part in (
        "seed 7",
        "mini-clip",
        "TENT (lr 0.01)",
        "TENT + diversity (beta_reg 1.0)",
        "n = 24 pictures",
    ):
        assert part in said
    assert "after the update" in said and "50 % unknown" in said
    assert plots.figure_png(figure).startswith(b"\x89PNG") and b"<svg" in plots.figure_svg(figure)


def test_an_svg_is_the_same_twice_and_holds_nothing_a_visitor_typed_as_markup():
    log = make_log(RunConfig(batches=2, batch_size=8, class_names=("<script>x</script>", "dog")))
    first, second = (plots.figure_svg(plots.sheet(log)) for _ in range(2))
    assert first == second and b"<script>" not in first


def test_the_chart_of_curves_draws_the_curve_that_is_asked_for():
    log = make_log(COPIES)
    figure = plots.chart(log, "curves", plots.Curve("effective_classes", "Classes in use", share=False))
    axes = figure.axes[0]
    assert axes.get_title() == "Classes in use" and not axes.collections, "no interval is known"
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_allclose(drawn["TENT + diversity"], log.series["TENT + diversity"]["effective_classes"])
    assert "%" not in axes.yaxis.get_major_formatter()(5.0)


def test_a_chart_that_a_run_does_not_have_is_refused_by_a_sentence():
    log = make_log(RunConfig(batches=2, batch_size=8))
    with pytest.raises(ValueError, match="^Figure: of this run there are curves and classes, got 'scores'"):
        plots.chart(log, "scores")


def test_the_axis_fits_what_is_shown():
    log = make_log(RunConfig(batches=3, batch_size=8))
    log.answers.clear()  # without single answers there are no intervals
    for label, start in (("zero_shot", 0.992), ("tent", 0.993), ("cliptta", 0.995)):
        log.series[label]["accuracy_window"] = [start] * 3
    low, high = plots.sheet(log).axes[0].get_ylim()
    assert 0.98 < low < 0.992 and 0.995 < high <= 1


def test_the_interval_of_recent_accuracy_is_drawn_behind_its_curve():
    log = make_log(RunConfig(batches=3, batch_size=8))
    axes = plots.sheet(log).axes[0]
    first = next(iter(log.series))
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    intervals = [log.interval(first, batch, recent=True) for batch in (1, 2, 3)]
    assert band.min() == pytest.approx(min(low for low, _ in intervals))
    assert band.max() == pytest.approx(max(high for _, high in intervals))


def test_no_interval_is_cut_off():
    log = make_log(RunConfig(batches=3, batch_size=8))
    axes = plots.sheet(log).axes[0]
    low, high = axes.get_ylim()
    for band in axes.collections:
        heights = band.get_paths()[0].vertices[:, 1]
        assert low <= heights.min() and heights.max() <= high


@pytest.mark.parametrize("name", ["curves", "classes"])
def test_names_stand_between_the_title_and_what_is_drawn(name):
    copies = [Contender(f"TENT with {k} steps, a name too long to be read", "tent") for k in range(4)]
    figure = plots.chart(make_log(RunConfig(batches=3, batch_size=8, contenders=tuple(copies))), name)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    names, title = axes.get_legend().get_window_extent(), axes.title.get_window_extent()
    assert axes.bbox.y1 <= names.y0 and names.y1 <= title.y0 and title.y1 <= figure.bbox.y1
    assert figure.bbox.x0 <= names.x0 and names.x1 <= figure.bbox.x1
    assert axes.bbox.width > figure.bbox.width / 2


def test_bars_of_one_colour_are_told_apart_by_their_hatch():
    figure = plots.chart(make_log(COPIES), "classes")
    looks = {
        one.get_label(): (one.patches[0].get_facecolor(), one.patches[0].get_hatch())
        for one in figure.axes[0].containers
    }
    assert len(looks) == 3 and len(set(looks.values())) == 3


def test_scores_come_with_their_auroc():
    log = make_log(COPIES)
    said = [label.get_text() for label in plots.chart(log, "scores").axes[0].get_yticklabels()]
    share = 100 * log.series["tent"]["auroc"][-1]
    assert f"TENT\nAUROC {share:.1f} %" in said


def test_the_caption_of_a_run_without_words_for_its_stream_names_what_was_special_about_it():
    unusual = {"attack": "linf", "attack_epsilon": 4.0, "order": "sorted", "unknown_source": "characters"}
    said = plots.caption_of(make_log(RunConfig(batches=2, batch_size=8, **unusual)))
    assert said.startswith("attack linf of 4.0/255 · 2 batches of 8 pictures · order sorted · mini-clip · ")
    assert "50 % unknown (characters)" in said and "source" not in said and "start" not in said
    said = plots.caption_of(make_log(RunConfig(batches=2, corruption="defocus_blur", start="clipood")))
    assert said.startswith("defocus blur, severity 5 · 2 batches of 64 pictures · start clipood · mini-clip")
    assert plots.caption_of(make_log(RunConfig(batches=2))).startswith(
        "no shift · 2 batches of 64 pictures · "
    )
    said = plots.caption_of(make_log(RunConfig(batches=2, style="outline", schedule="in_turn", severity=3)))
    assert said.startswith("outline and corrupted, severity 3, schedule in turn · ")


def test_the_caption_of_standings_says_every_setting():
    tent = Standing("TENT, slow", 3, 3, {"accuracy": 0.5}, 0.1, method="tent", settings={"lr": 1e-5})
    frozen = Standing("zero_shot", 3, 3, {"accuracy": 0.4}, 0.1, method="zero_shot")
    said = plots.caption_of_standings("fog 5 · 3 × 8 pictures · seed 7", [tent, frozen], {})
    assert said == "fog 5 · 3 × 8 pictures · seed 7 · TENT, slow (lr 1e-05) · all others at their defaults"
    assert plots.caption_of_standings("", [frozen], {}) == "every method at its defaults"


def test_standings_are_bars_in_their_order():
    standings = [
        Standing("cliptta", 3, 3, {"accuracy": 0.5}, 0.1, method="cliptta"),
        Standing("zero_shot", 3, 3, {"accuracy": 0.25}, 0.1, method="zero_shot"),
        Standing("lame", 0, 3, {}, float("nan"), "LAME: no."),
    ]
    axes = plots.draw_standings(standings, {"cliptta": "CLIPTTA"}, "fog 5").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0.25]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["CLIPTTA", "zero_shot"]
