"""Tables of many runs: cells that are measured once, kept as files, and put together into a summary.

One cell is one file named by its content, so resuming, dividing the work among machines and merging what they
made are file operations: a cell that is there is never measured again.
"""

from clip_tta_core.sweep import live, own, papers

__all__ = ["live", "own", "papers"]  # which declare the tables there are
