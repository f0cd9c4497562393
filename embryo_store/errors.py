"""What can go wrong with a results store, told in full: expected, found, where, what to do next.

Every message stands alone, without a traceback. ``exit_code`` is the exit status a command ends with:
2 where the input is wrong, 3 where good input could not be finished.
"""

import re

#: Control codes save the ends of lines and tabs, and bytes that are no text.
UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

# Their names say what is the case; "Error" behind each would say nothing more.
# ruff: noqa: N818


class StoreError(Exception):
    """A results store could not do what was asked."""

    exit_code = 3

    def __init__(self, message: str) -> None:
        """A foreign file has a say in some messages, but moves no cursor and colours no terminal with it."""
        super().__init__(UNSHOWABLE.sub(lambda found: ascii(found.group())[1:-1], message))


class StoreMissing(StoreError):
    """There is no file under this path."""

    exit_code = 2


class NotAStore(StoreError):
    """The file is no DuckDB file, or holds something else than results."""

    exit_code = 2


class NewerSchema(StoreError):
    """The file was made by a later version of Embryo, or of DuckDB."""

    exit_code = 2


class HostileStore(StoreError):
    """The file would run something under a name that means something else."""

    exit_code = 2


class DamagedStore(StoreError):
    """The file's content contradicts itself."""

    exit_code = 2


class NotReadable(StoreError):
    """The file may not be read by this user."""

    exit_code = 2


class NotWritable(StoreError):
    """The file, or its folder, may not be written by this user."""

    exit_code = 2


class BadQuery(StoreError):
    """DuckDB refused a query."""

    exit_code = 2


class NothingFound(StoreError):
    """Nothing of the store bears the names that were given."""

    exit_code = 2


class MissingPackage(StoreError):
    """An answer was asked for in the form of a package that is not installed."""

    exit_code = 2


class BadName(StoreError):
    """A name for a run that could not be shown."""

    exit_code = 2


class MergeConflict(StoreError):
    """Two stores hold different results under the same names."""

    exit_code = 2


class StoreLocked(StoreError):
    """Another process kept the file open for longer than the time allowed."""


class StoreFull(StoreError):
    """The disk has no room left. Nothing of what was being written was kept."""


class QueryTooLong(StoreError):
    """A query ran past its time or memory, and was stopped."""
