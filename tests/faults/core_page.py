"""Faults in what a visitor's session decides: settings, uploads, paces, what is kept, what is left."""

# ruff: noqa: E501, a table
from __future__ import annotations

from tests.faults import Fault

SESSION = "clip_tta_core/ui/session"
DESK, FOLLOW, PLAY = (f"{SESSION}/{name}.py" for name in ("desk", "follow", "play"))


def _of(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/ui/session/test_{file}.py::{name}" for name in names)


FAULTS = [
    Fault("p2 semicolons on the server only", "clip_tta_core/ui/wire/class_list.py", "LINE_ENDS + SEPARATORS  #", 'LINE_ENDS + ","  #', _of("settings", "test_what_ends_a_name_here_ends_it_on_the_page")),
    Fault("p2 semicolons on the page only", "clip_tta_core/sources/class_lists.py", 'SEPARATORS = ",;', 'SEPARATORS = ",', ("tests/sources/test_class_lists.py",)),
    Fault("p2 commas only in folders", f"{SESSION}/albums.py", 're.sub(f"[{SEPARATORS}]", " ", name)', 'name.replace(",", " ")', _of("albums", "test_a_folder_with_a_separator_can_be_typed_as_a_class")),
    Fault("p3 names of any length", f"{SESSION}/settings.py", " or len(value) > longest:", ":", _of("settings", "test_a_value_of_the_wrong_kind_is_answered_with_a_sentence")),
    Fault("p8 an old upload stays while a new one is read", DESK, "        self.albums.drop(session, purpose)\n        reading.start()", "        reading.start()", _of("desk", "test_an_earlier_upload_is_gone_once_a_new_one_is_read")),
    Fault("p9 every batch is told at once", FOLLOW, "BETWEEN_STEPS if quiet else between)", "BETWEEN_STEPS if quiet else 0.0)", _of("follow", "test_the_page_is_told_of_batches_ten_times_a_second")),
    Fault("p10 steps are told as often as batches", FOLLOW, "BETWEEN_STEPS if quiet else between)", "between)", _of("follow", "test_steps_alone_are_told_once_a_second")),
    Fault("p10 a hold is told as late as a step", FOLLOW, 'not fresh and state == seen[-1] == "running"', "not fresh", _of("follow", "test_that_a_run_is_held_is_told_at_once")),
    Fault("p10 pictures with every batch", PLAY, " and now - pictures_shown >= BETWEEN_BATCHES", "", _of("play", "test_pictures_are_told_less_often_than_curves")),
    Fault("p11 a lesson is kept with its run", PLAY, ' and key != "lesson"', "", _of("play", "test_a_run_says_nothing_of_the_lesson_it_began_as")),
    Fault("p12 an upload outlives its visitor", DESK, "            self.albums.drop(session, purpose)\n            raise", "            raise", _of("desk", "test_a_visitor_who_leaves_when_it_has_been_read_leaves_nothing_either")),
    Fault("p16 what is left in parts of the whole", f"{SESSION}/status.py", "active * (1 - share) / share", "active * (1 - share)", _of("status", "test_what_is_left_takes_as_long_as_what_is_done_did")),
    Fault("p16 batches reported are counted twice", f"{SESSION}/status.py", "len(log) >= progress.batch or", "", _of("status", "test_a_batch_that_has_been_reported_is_not_counted_twice")),
]  # fmt: skip
