"""A folder of runs, on this machine or behind a URL: each run in the layout that its files show."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from embryo_store.naming import is_name
from embryo_store.records import Run
from evaluators.checkpoints import layouts, manifest
from evaluators.checkpoints.base import CheckpointSource, SavedStep
from evaluators.checkpoints.model_folder import Listing, describe
from evaluators.checkpoints.trees import LocalTree, Tree, tree_at
from evaluators.errors import InputError

#: A run's own files, its steps', and those of a step's generator.
_DEPTH = 3


@dataclass
class CheckpointStore(CheckpointSource):
    """The runs under ``root``: its folders, or itself where it holds the steps of a foreign layout."""

    root: str | Path
    _runs: dict[str, Tree] = field(default_factory=dict)
    _listings: dict[str, Listing] = field(default_factory=dict)

    def runs(self) -> tuple[str, ...]:
        """The runs' names as they are now, sorted.

        Raises:
            InputError: there is no such folder, or it holds no run.
        """
        self._runs = self._find_runs()
        return tuple(sorted(self._runs))

    def steps(self, run: str) -> tuple[int, ...]:
        """The steps of ``run`` as they are now, ascending."""
        self._listings.pop(run, None)
        return tuple(sorted(self._places(run)))

    def describe(self, run: str) -> Run:
        """What run.json says, where there is one, and the shape of the last step."""
        listing = self._listing(run)
        if manifest.is_run(listing):
            return manifest.describe_run(listing, run)
        places = self._places(run)
        last = self.open(run, max(places)) if places else None
        return describe(run, last, listing.tree.uri)

    def open(self, run: str, step: int) -> SavedStep:
        """One step.

        Raises:
            InputError: the step was not saved.
        """
        place = self._places(run).get(step)
        listing = self._listing(run)
        if place is None:
            raise InputError(f"{listing.tree.uri} has no complete step {step:,}.")
        if manifest.is_run(listing):
            return manifest.open_step(listing, place, run, step)
        return layouts.open_step(listing, place, run, step)

    def train_log(self, run: str) -> Path | None:
        """The run's train_log.jsonl."""
        listing = self._listing(run)
        return listing.tree.local("train_log.jsonl") if "train_log.jsonl" in listing.files else None

    def _places(self, run: str) -> dict[int, str]:
        listing = self._listing(run)
        return dict(manifest.steps(listing) if manifest.is_run(listing) else layouts.steps(listing))

    def _listing(self, run: str) -> Listing:
        if run not in self._listings:
            if run not in self._runs:
                self.runs()
            if not is_name(run):
                raise InputError(
                    f"{self.root}: a run's folder is named {run!a}, which cannot be shown. Rename it."
                )
            tree = self._runs[run]
            try:
                self._listings[run] = Listing(tree, tree.files(_DEPTH))
            except OSError as error:
                raise InputError(f"{tree.uri} cannot be listed: {error}") from error
        return self._listings[run]

    def _find_runs(self) -> dict[str, Tree]:
        tree = tree_at(str(self.root))
        hint = "Name the folder with --checkpoints, or train one with embryo-train --out checkpoints/NAME."
        if isinstance(tree, LocalTree) and not tree.path.is_dir():
            what = "is not a folder" if tree.path.exists() else "does not exist"
            raise InputError(f"The checkpoint folder {tree.uri} {what}. {hint}")
        try:
            folders, own = tree.folders(), tree.files(1)
            found = {name: tree.child(name) for name in folders if self._is_run(tree.child(name), name)}
            if found:
                return found
            if manifest.is_run(Listing(tree, own)) or any(
                manifest.is_run(Listing(tree, {f"{name}/{manifest.MANIFEST}": entry}))
                for name in layouts.step_folders(folders).values()
                if (entry := tree.child(name).files(1).get(manifest.MANIFEST))
            ):
                above = tree.uri.rpartition("/")[0] if not isinstance(tree, LocalTree) else tree.path.parent
                raise InputError(
                    f"{tree.uri} is a run itself. Name the folder above it: --checkpoints {above}"
                )
            if layouts.step_folders(folders) or layouts.numbered_weights(own):
                return {tree.name: tree}
        except OSError as error:
            raise InputError(f"{tree.uri} cannot be listed: {error}") from error
        raise InputError(
            f"{tree.uri} holds no run: expected {tree.uri}/RUN/step-N/{manifest.MANIFEST}, or as others save "
            f"them RUN/checkpoint-N, RUN/step_N, RUN/pytorch_model_N.bin. {hint}"
        )

    def _is_run(self, tree: Tree, name: str) -> bool:
        """Is the folder ``name`` a run? One that is named like a step is none. One that cannot be looked into
        may be one: it is told when it is listed.
        """
        is_step = layouts.step_of(name) is not None
        try:
            if is_step and not tree.folders():
                return False
            own = tree.files(1)
            if manifest.RUN_FILE in own or layouts.numbered_weights(own):
                return True
            return bool(layouts.step_folders(tree.folders()))
        except OSError as error:
            return not is_step and not isinstance(error, FileNotFoundError)
