"""The read side of checkpoints: one interface, one module a layout."""

from pathlib import Path

from evaluators.checkpoints.base import CheckpointSource, ModelFile, SavedStep
from evaluators.checkpoints.store import CheckpointStore

__all__ = ["CheckpointSource", "CheckpointStore", "ModelFile", "SavedStep", "open_checkpoints"]

HUB = "hub:"


def open_checkpoints(where: str | Path) -> CheckpointSource:
    """The source that a user named: a folder, a URL that fsspec knows, or ``hub:ORGANISATION/NAME``."""
    name = str(where)
    if name.startswith(HUB):
        from evaluators.checkpoints.hub import HubRuns

        return HubRuns(name.removeprefix(HUB))
    return CheckpointStore(where)
