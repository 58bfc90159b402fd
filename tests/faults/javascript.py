"""Faults of the scripts: each would have the page say something else than the numbers do."""

from __future__ import annotations

from tests.faults import Fault

PLAY, FORM, LIB = (f"tests/ui/page/test_drawn_{name}.py" for name in ("play", "form", "lib"))
SHOWN = "tests/ui/page/test_what_is_shown.py"
COURSE = "tests/ui/page/test_course.py"
PLANE, WHY = "tests/ui/page/test_plane.py", "tests/ui/page/test_why_tab.py"
STEPS = "tests/ui/page/test_real_steps.py"


def _fault(id: str, file: str, before: str, after: str, *tests: str) -> Fault:
    return Fault(id, f"assets/js/{file}", before, after, tests)


FAULTS = [
    _fault(  # shares above one half are all
        "j1",
        "lib/format.js",
        "value === 1 ?",
        "value > 0.5 ?",
        f"{LIB}::test_numbers_are_written_by_their_kind",
    ),
    _fault(  # the window is one batch too long
        "j2",
        "lib/decode.js",
        "Math.max(0, step - window + 1)",
        "Math.max(0, step - window)",
        f"{PLAY}::test_bars_are_as_long_as_a_class_was_predicted_in_the_last_batches",
    ),
    _fault(  # chance is twice as high
        "j3",
        "parts/curves.js",
        "y(1 / view.classes)",
        "y(2 / view.classes)",
        f"{PLAY}::test_the_line_of_chance_is_at_one_over_the_classes",
    ),
    _fault(  # the first batch is missing
        "j4",
        "parts/curves.js",
        "polyline(line, 0, now, x, y)",
        "polyline(line, 1, now, x, y)",
        f"{PLAY}::test_a_curve_has_a_point_for_every_batch_at_its_height",
    ),
    _fault(  # curves are half as high
        "j5",
        "parts/curves.js",
        "y(line[end]) }]",
        "y(line[end] / 2) }]",
        f"{PLAY}::test_a_curve_ends_with_its_mark_its_name_and_its_value",
    ),
    _fault(
        "j5b",
        "lib/scale.js",
        "y(values[i]).toFixed(1)",
        "y(values[i] / 2).toFixed(1)",
        f"{PLAY}::test_a_curve_has_a_point_for_every_batch_at_its_height",
    ),
    _fault(  # bars are a third as long
        "j6",
        "parts/classes.js",
        "width: long(number)",
        "width: long(number) / 3",
        f"{PLAY}::test_bars_are_as_long_as_a_class_was_predicted_in_the_last_batches",
    ),
    _fault(  # what was predicted is marked as what was there
        "j7",
        "parts/classes.js",
        "const there = countOf(row, truth, rows)",
        "const there = countOf(row, columns[k], rows)",
        f"{PLAY}::test_thin_marks_stand_where_the_true_counts_are",
    ),
    _fault(  # squared columns
        "j8",
        "lib/bins.js",
        "base - unit * height",
        "base - unit * height ** 2",
        f"{PLAY}::test_columns_are_as_tall_as_their_share",
    ),
    _fault(  # the unknown are drawn as the known
        "j9",
        "parts/scores.js",
        "scores(view.unknown[method.name])",
        "scores(view.known[method.name])",
        f"{PLAY}::test_known_scores_stand_and_unknown_ones_hang",
    ),
    _fault(  # gained is lost
        "j10",
        "parts/gallery.js",
        "gained: (tile) => !tile.wasRight && tile.isRight",
        "gained: (tile) => tile.wasRight && !tile.isRight",
        f"{PLAY}::test_filters_keep_what_they_say_and_count_it",
    ),
    _fault(  # a cross on what is right
        "j11",
        "parts/gallery.js",
        'tile.isRight ? "✓" : "✕"',
        'tile.isRight ? "✕" : "✓"',
        f"{PLAY}::test_ticks_stand_on_what_is_right_and_crosses_on_what_is_wrong",
    ),
    _fault(  # the worst is the best
        "j12",
        "parts/results.js",
        'column.better === "high" ?',
        'column.better === "low" ?',
        f"{PLAY}::test_the_best_is_marked_whether_high_or_low_is_better",
    ),
    _fault(  # gains are losses, in Play
        "j13",
        "parts/results.js",
        "gain(values[unadapted], value)",
        "gain(value, values[unadapted])",
        f"{PLAY}::test_the_table_says_the_numbers_and_the_gains_with_their_signs",
    ),
    _fault(  # and in Compare
        "j14",
        "parts/ranking.js",
        "gain(before, value)",
        "gain(value, before)",
        f"{FORM}::test_the_ranking_says_gains_over_zero_shot_clip",
    ),
    _fault(  # the map is upside down
        "j15",
        "parts/ranking.js",
        "ticks.length - 1]], [FLOOR, TOP])",
        "ticks.length - 1]], [TOP, FLOOR])",
        f"{FORM}::test_the_map_has_more_classes_to_the_right_and_more_accuracy_above",
    ),
    _fault(  # looking back shows the batch before
        "j16",
        "parts/gallery.js",
        "seen.get(step.value + 1)",
        "seen.get(step.value)",
        f"{SHOWN}::test_the_gallery_of_a_recorded_run_follows_the_slider",
    ),
    _fault(  # on the way to a batch of the past the newest flashes by
        "j39",
        "parts/gallery.js",
        " ?? seen.get(drawn)",
        "",
        f"{SHOWN}::test_on_the_way_to_an_earlier_batch_the_one_before_stays",
    ),
    _fault(  # names cover what came later
        "j27",
        "parts/curves.js",
        "(looksBack ? right :",
        "(looksBack ? end.x :",
        f"{SHOWN}::test_looking_back_names_do_not_cover_what_came_later",
    ),
    _fault(  # the scale is always all that is possible
        "j28",
        "parts/curves.js",
        "most - least > FITTED",
        "most - least > 0",
        f"{SHOWN}::test_99_2_can_be_told_from_99_5_percent",
    ),
    _fault(  # results of other settings look like those of the present ones
        "j29",
        "parts/sentence.js",
        'classList.toggle("ct-stale", isOther)',
        'classList.toggle("ct-stale", false)',
        f"{SHOWN}::test_results_of_other_settings_are_visibly_so",
    ),
    _fault(  # a link to a comparison opens Play
        "j30",
        "parts/standings.js",
        'looks = { tab: "compare", ',
        "looks = { ",
        f"{FORM}::test_a_link_to_a_comparison_opens_its_tab",
    ),
    _fault(  # a logarithmic slider is linear
        "j17",
        "lib/slider.js",
        "floor * (high / floor) ** (place / TICKS)",
        "floor + (high - floor) * (place / TICKS)",
        f"{FORM}::test_a_logarithmic_slider_sets_powers",
    ),
    _fault(  # presets set nothing
        "j18",
        "form/methods.js",
        "chosen()[card.name] = structuredClone(preset.values)",
        "structuredClone(preset.values)",
        f"{FORM}::test_a_preset_sets_every_value_it_names",
    ),
    _fault(  # fields never hide
        "j19",
        "form/controls.js",
        "node.hidden = spec.when.length > 0 && !spec.when.some(holds)",
        "node.hidden = false",
        f"{FORM}::test_fields_hide_where_another_setting_makes_them_meaningless",
    ),
    _fault(  # minutes are doubled
        "j20",
        "lib/format.js",
        "Math.round(seconds / 60)",
        "Math.round(seconds / 30)",
        f"{PLAY}::test_the_line_of_state_says_batch_step_speed_and_time_left",
    ),
    _fault(  # the recorded run does not play
        "j21",
        "parts/status.js",
        "!prefersStillness()",
        "prefersStillness()",
        f"{PLAY}::test_the_recorded_run_plays_itself_where_motion_is_welcome",
    ),
    _fault(  # any number of files
        "j23",
        "parts/upload.js",
        "entries.length > limits.entries",
        "entries.length > 10 * limits.entries",
        f"{LIB}::test_more_than_the_limits_is_refused_before_it_is_sent",
    ),
    _fault(  # the ladder begins a severity too late
        "j24",
        "parts/corruptions.js",
        "image.src = reply.tiles[k]",
        "image.src = reply.tiles[k + 1]",
        f"{FORM}::test_a_ladder_climbs_from_severity_one_to_five",
    ),
    _fault(  # TENT climbs
        "p1",
        "lib/plane.js",
        "gradient: logs.map((row, i) => row.map((log) => -times(log, log + each[i])",
        "gradient: logs.map((row, i) => row.map((log) => times(log, log + each[i])",
        f"{PLANE}::test_losses_and_their_gradients_are_those_of_losses_py",
    ),
    _fault(  # the bonus forgets that probabilities add up to one
        "p2",
        "lib/plane.js",
        "value * (slope[c] - dot(p, slope))",
        "value * slope[c]",
        f"{PLANE}::test_losses_and_their_gradients_are_those_of_losses_py",
    ),
    _fault(  # frequent classes cost nothing
        "p3",
        "lib/plane.js",
        "frequent[c] - penalties[i]",
        "-penalties[i]",
        f"{PLANE}::test_the_two_parts_of_image_to_text_are_what_they_are_called",
    ),
    _fault(  # an arrow forgets the other classes
        "p4",
        "lib/plane.js",
        "p * (inside - gradient[c])",
        "p * -gradient[c]",
        f"{PLANE}::test_a_pull_is_how_descent_moves_the_probabilities",
    ),
    _fault(  # captions count once
        "p5",
        "lib/plane.js",
        "(-counts[c] / size) *",
        "(-1 / size) *",
        f"{PLANE}::test_losses_and_their_gradients_are_those_of_losses_py",
    ),
    _fault(  # pictures leave the circle
        "p6",
        "lib/plane.js",
        "(value - along * features[i][k]) / length",
        "value / length",
        f"{PLANE}::test_weights_get_the_gradient_of_autograd_with_bonus_and_memory",
    ),
    _fault(  # the memory keeps the least sure
        "p7",
        "lib/plane.js",
        "sure[b] - sure[a]",
        "sure[a] - sure[b]",
        f"{PLANE}::test_the_contenders_of_every_preset_train_as_by_torch",
    ),
    _fault(  # a dragged picture is dropped where the untrained model has it
        "p8",
        "parts/why.js",
        "(value - beta[k]) / scale",
        "value - beta[k]",
        f"{WHY}::test_a_picture_stays_under_the_hand_after_training",
    ),
    _fault(  # an answer that was overtaken is drawn
        "p9",
        "parts/board.js",
        "(told[name] ?? 0) >= serial",
        "told[name] === serial",
        f"{COURSE}::test_of_two_choices_the_later_one_is_drawn_whichever_the_network_brings_last",
    ),
    _fault(  # of a batch's steps the first stays
        "p10",
        "parts/steps.js",
        "const last = own[own.length - 1];",
        "const last = own[0];",
        f"{STEPS}::test_every_step_draws_the_loss_the_bars_and_the_answers_that_the_engine_hands_out",
    ),
]
