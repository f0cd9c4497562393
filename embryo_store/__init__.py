"""The results store: the one place that opens ``results.duckdb``. duckdb and NumPy, nothing else.

``read`` answers questions, ``commit`` writes what was evaluated, ``done`` says what is there already.
"""

from embryo_store import errors, records
from embryo_store.check import Health, check
from embryo_store.compaction import compact, rename
from embryo_store.merging import merge
from embryo_store.query import Reader, read
from embryo_store.upkeep import drop, export, migrate
from embryo_store.write import Done, commit, commit_all, done, ensure_writable, fold_in

__all__ = [
    "Done",
    "Health",
    "Reader",
    "check",
    "commit",
    "commit_all",
    "compact",
    "done",
    "drop",
    "ensure_writable",
    "errors",
    "export",
    "fold_in",
    "merge",
    "migrate",
    "read",
    "records",
    "rename",
]
