"""Faults in how a run is counted and driven: metrics, seeds, scores, memory, limits."""

# ruff: noqa: E501, a table
from __future__ import annotations

from tests.faults import Fault

METRICS, ENGINE = "clip_tta_core/metrics.py", "clip_tta_core/engine.py"


def _of(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/{file}::{name}" for name in names)


ABOVE = _of(
    "test_metrics.py",
    "test_a_score_must_exceed_the_threshold_and_what_changed_is_counted_among_the_unknown_too",
)

FAULTS = [
    Fault("x1 ten bins", METRICS, "bins: int = 15", "bins: int = 10", _of("test_metrics.py", "test_the_calibration_error_has_fifteen_bins")),
    Fault("x3 a score at the threshold is accepted", METRICS, "(scores > threshold).mean()", "(scores >= threshold).mean()", ABOVE),
    Fault("x4 unknown pictures never change", METRICS, "(predicted != before).sum()", "(predicted != before)[known].sum()", ABOVE),
    Fault("x5 a mean in single precision", METRICS, "probs.mean(axis=0, dtype=np.float64)", "probs.mean(axis=0)", _of("test_metrics.py", "test_the_mean_prediction_of_single_precision_is_taken_in_double")),
    Fault("e1 methods draw whatever the seed", ENGINE, "zlib.crc32(drawn) ^ config.seed", "zlib.crc32(drawn)", _of("test_engine.py", "test_what_a_method_draws_depends_on_the_seed_of_the_run")),
    Fault("e4 memory is not given back", ENGINE, "            release_memory()\n            size", "            size", _of("test_engine.py", "test_what_a_failed_attempt_left_behind_is_gone_before_the_next")),
    Fault("e5 authors' protocols are ignored", ENGINE, "config.episodic or self.method.episodic", "config.episodic", _of("test_engine.py", "test_clipartt_runs_by_its_authors_protocol_unless_told_otherwise")),
    Fault("e6 scores of scaled cosines", ENGINE, "prediction.logits.float() / self.frozen.scale", "prediction.logits.float()", _of("test_engine.py", "test_a_method_without_a_score_of_its_own_is_scored_by_its_cosines")),
    Fault("e7 pictures alias", ENGINE, "antialias=True", "antialias=False", _of("test_engine.py", "test_large_pictures_are_shrunk_without_aliasing")),
    Fault("e8 drift in units of nothing", "clip_tta_core/optim.py", "moved.item() / max(size.item(), 1e-12)", "moved.item()", _of("test_optim.py", "test_drift_is_relative_to_the_starting_point")),
    Fault("e10 unknown pictures only", "clip_tta_core/validation.py", '"unknown_share": (0.0, 0.8)', '"unknown_share": (0.0, 1.0)', _of("test_engine.py", "test_bad_values_are_answered_with_a_sentence_before_anything_runs")),
]  # fmt: skip
