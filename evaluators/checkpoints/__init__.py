"""The read side of checkpoints: one interface, one module a layout."""

from evaluators.checkpoints.base import CheckpointSource, SavedStep
from evaluators.checkpoints.store import CheckpointStore

__all__ = ["CheckpointSource", "CheckpointStore", "SavedStep"]
