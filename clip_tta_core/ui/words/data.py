"""What is said of the pictures that a lesson needs."""

from __future__ import annotations

from clip_tta_core import limits
from clip_tta_core.sources.datasets import DATASETS, is_here


def needs(name: str) -> str:
    """Where a data set is, and how it comes here.

    Args:
        name: one of DATASETS.
    """
    dataset = DATASETS[name]
    if is_here(name):
        return f"It runs on {dataset.title}, which is on this machine."
    fetched = f"{dataset.megabytes:,} MB, which Run fetches first; Stop ends that"
    if _has_folder():
        return f"It runs on {dataset.title}: {fetched}."
    return (
        f"It runs on {dataset.title}, which this page lacks: whoever starts it names a folder for data sets "
        f"in {limits.DATA} ({fetched})."
    )


def _has_folder() -> bool:
    try:
        return limits.data_folder() is not None
    except ValueError:
        return False
