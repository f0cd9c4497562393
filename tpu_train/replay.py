"""``batch``: shows the batch of any step of a run, from what the run keeps. Trains nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tpu_train import prepare
from tpu_train import recipe as recipes
from tpu_train import run as runs
from tpu_train.batches import Staged
from tpu_train.errors import InputError
from tpu_train.places import Place

#: What the label of a pair of segments means.
_PAIR = {"mlm+sop": "swapped", "mlm+nsp": "stranger"}


def replayed(run: Place, step: int) -> Iterator[str]:
    """One JSON object an example: pieces as the model saw them, what was masked where, and the order's label.

    Raises:
        InputError: no run there, or a step outside of it.
    """
    about = runs.read(run)
    if about is None or "recipe" not in about:
        raise InputError(f"{run} holds no run: expected {runs.RUN} there, as embryo-train writes it.")
    recipe = recipes.from_json(about["recipe"], str(run / runs.RUN))
    if not 0 <= step < recipe.training.steps:
        raise InputError(f"--step {step}: {run} has updates 0 to {recipe.training.steps - 1:,}.")
    work = runs.work_folder(run)
    prepare.fetch(run, work)
    prepared = prepare.resume(work, recipe)
    batch = Staged(recipe, prepared.vocabulary, prepared.tokens, work / "tokens").batch(step)
    pieces, pair = prepared.vocabulary.pieces, _PAIR.get(recipe.objective)
    for row in range(len(batch.ids)):
        length = int(batch.attention_mask[row].sum())
        count = int(batch.weights[row].sum())
        yield json.dumps(
            {
                "step": step,
                "example": row,
                "ids": batch.ids[row, :length].tolist(),
                "pieces": [pieces[i] for i in batch.ids[row, :length]],
                "token_types": batch.token_types[row, :length].tolist(),
                "positions": batch.positions[row, :count].tolist(),
                "labels": batch.labels[row, :count].tolist(),
                "masked": [pieces[i] for i in batch.labels[row, :count]],
                **({pair: int(batch.order_labels[row])} if pair else {}),
            },
            ensure_ascii=False,
        )
