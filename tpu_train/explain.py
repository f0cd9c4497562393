"""``explain`` and ``plan``: where a recipe's numbers come from, and what a run will save and take.

Returns text; measures only when asked to, on this machine.
"""

from __future__ import annotations

import math
import time

from tpu_train import families, flops, hardware, masking, names
from tpu_train import recipe as recipes
from tpu_train.recipe import Recipe
from tpu_train.schedule import learning_rate, saved_steps

#: google-research/albert's released recipe for ALBERT-base.
_RELEASED_BATCH, _RELEASED_RATE, _RELEASED_STEPS, _RELEASED_WARMUP = 4096, 0.00176, 125_000, 3_125
#: English text under a vocabulary of 30k Unigram pieces, roughly.
_BYTES_A_TOKEN = 4.4
#: Sequences in a measured batch: enough to fill a core, few enough for any memory.
_MEASURED_SEQUENCES = 32
_MEASURED_STEPS = 5


def explain(recipe: Recipe, corpus_bytes: float) -> str:
    """Derives the numbers of ``recipe``, one a line.

    Args:
        recipe: any recipe.
        corpus_bytes: size of the text, for the number of epochs.
    """
    training, data, optimizer = recipe.training, recipe.data, recipe.optimizer
    scale = _RELEASED_BATCH / training.batch
    derived = _RELEASED_RATE / math.sqrt(scale)
    stages = recipes.stages(recipe)
    sequences = sum((end - start) * own.training.batch for start, end, own in stages)
    tokens = sum((end - start) * own.training.batch * own.data.length for start, end, own in stages)
    ngrams = ", ".join(f"{n}: {p:.1%}" for n, p in enumerate(masking.ngram_distribution(data), 1))
    after = learning_rate(optimizer.warmup_steps, training.steps, optimizer)
    epochs = tokens / (corpus_bytes / _BYTES_A_TOKEN)
    lines = [
        ("parameters", _parameters(recipe)),
        *(
            (
                "batch" if start == 0 else "  later",
                f"{own.training.batch:,} sequences of {own.data.length} tokens, {end - start:,} steps",
            )
            for start, end, own in stages
        ),
        ("peak learning rate", f"{optimizer.learning_rate:.9e}"),
    ]
    if optimizer.name == "lamb":
        lines += [
            (
                "  as released",
                f"{_RELEASED_RATE} · √({training.batch}/{_RELEASED_BATCH}) = {derived:.9e}",
            ),
            (
                "  the same text",
                f"{_RELEASED_STEPS:,} steps · {scale:g} = {_RELEASED_STEPS * scale:,.0f} steps, "
                f"warm-up {_RELEASED_WARMUP:,} · {scale:g} = {_RELEASED_WARMUP * scale:,.0f}",
            ),
        ]
    lines += [
        (
            "warm-up",
            f"{optimizer.warmup_steps:,} steps, from 0; "
            + (
                "multiplied with the linear decay, which begins at step 0 and has come to "
                if optimizer.warmup == "multiplies"
                else "then the linear decay that began at step 0 takes over, at "
            )
            + f"{after:.4e}",
        ),
        ("  first update", "moves nothing where there is a warm-up: its rate is 0 / warm-up"),
        *(("masked share" if start == 0 else "  later", _masked(own)) for start, _, own in stages),
        ("n-grams", f"{ngrams}{'; of whole words' if data.whole_words else ''}"),
        (
            "replacements",
            f"[MASK] {data.replaced_by_mask:.0%}, random {data.replaced_by_random:.0%}, "
            f"kept {1 - data.replaced_by_mask - data.replaced_by_random:.0%}",
        ),
        ("tokens seen", f"{tokens:,} ({sequences:,} sequences), padding included"),
        (
            "epochs",
            f"about {epochs:.3g} over {corpus_bytes / 1e9:.3g} GB of text at {_BYTES_A_TOKEN} bytes a token; "
            f"packings {data.duplicates}",
        ),
        (
            "work",
            f"{flops.step(recipe) / 1e9:,.1f} GFLOP a step, {flops.run(recipe):.3g} FLOP in all",
        ),
    ]
    return _table(f"{recipe.name}: {recipe.family}, {recipe.objective}, {optimizer.name}", lines)


def _parameters(recipe: Recipe) -> str:
    """How many each saved model has, and what they share."""
    network = families.network(recipe)
    counts = [f"{names.parameters(saved.weights):,}" for saved in network.saved]
    if recipe.family == "electra":
        total = names.parameters(network.weights)
        return f"{counts[0]} discriminator, {counts[1]} generator; {total:,} in all, embeddings shared"
    if recipe.family == "albert":
        return f"{counts[0]} (layers share {recipe.model.groups} group{'s' * (recipe.model.groups > 1)})"
    return counts[0]


def _masked(recipe: Recipe) -> str:
    """The share of tokens that a full sequence has predicted."""
    data = recipe.data
    full = max(1, round(data.length * data.masked_share))
    wanted = min(data.max_predictions, full)
    told = f"{wanted} of {data.length} tokens = {wanted / data.length:.1%}"
    return told + (f"; max_predictions {full} would mask {full / data.length:.1%}" if full > wanted else "")


def plan(recipe: Recipe, seconds_a_step: float | None) -> str:
    """What a run will save, how large it is and how long it takes, where that was measured."""
    steps = saved_steps(recipe.save, recipe.training.steps)
    one = flops.checkpoint_bytes(recipe)
    lines = [
        ("checkpoints", f"{len(steps)}: {_runs(steps)}"),
        ("each", f"{one / 1e6:,.1f} MB of weights"),
        (
            "all",
            f"{len(steps) * one / 1e9:,.2f} GB, and {2 * flops.state_bytes(recipe) / 1e9:,.2f} GB of states",
        ),
    ]
    if seconds_a_step is not None:
        total = seconds_a_step * recipe.training.steps
        rate = recipe.training.batch * recipe.data.length / seconds_a_step
        lines += [
            ("measured", f"{seconds_a_step:,.3g} s a step, {rate:,.0f} tokens/s on this machine"),
            ("time", f"{total / 3600:,.1f} h" if total > 5400 else f"{total / 60:,.1f} min"),
        ]
    return _table(f"{recipe.name}: {recipe.training.steps:,} steps", lines)


def measured(recipe: Recipe, threads: int) -> float:
    """Seconds of one step on this machine: the median of a few, on random ids.

    Large batches are measured on a part and scaled.
    """
    hardware.prepare(threads)
    import dataclasses

    import numpy as np

    from tpu_train import initial
    from tpu_train.batches import Batch
    from tpu_train.step import Trainer

    sequences = min(recipe.training.batch, _MEASURED_SEQUENCES)
    part = dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, batch=sequences))
    network = families.network(recipe)
    trainer = Trainer(
        part, network, hardware.compute_dtype(recipe.training.compute_dtype, recipe.model.hidden), threads
    )
    trainer.start(initial.weights(network.weights, recipe.model, 0))
    ids = np.random.default_rng(0).integers(5, recipe.vocabulary.size, (sequences, recipe.data.length))
    predictions = (sequences, recipe.data.max_predictions)
    batch = Batch(
        ids.astype(np.int32),
        np.zeros(ids.shape, np.int32),
        np.ones(ids.shape, np.int32),
        np.zeros(predictions, np.int32),
        np.zeros(predictions, np.int32),
        np.ones(predictions, np.float32),
        np.zeros(sequences, np.int32),
    )
    times = []
    for step in range(_MEASURED_STEPS + 1):
        begin = time.perf_counter()
        trainer.run(step, batch)
        times.append(time.perf_counter() - begin)
    return sorted(times[1:])[_MEASURED_STEPS // 2] * recipe.training.batch / sequences


def _runs(steps: tuple[int, ...]) -> str:
    """Steps in words: stretches of four or more at equal distance as ``1,000 … 20,000 by 1,000``."""
    shown, first = [], 0
    while first < len(steps):
        last = first + 1
        while last + 1 < len(steps) and steps[last + 1] - steps[last] == steps[first + 1] - steps[first]:
            last += 1
        if last - first >= 3 and last < len(steps):
            shown.append(f"{steps[first]:,} … {steps[last]:,} by {steps[last] - steps[last - 1]:,}")
            first = last + 1
        else:
            shown.append(f"{steps[first]:,}")
            first += 1
    return ", ".join(shown)


def _table(title: str, lines: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in lines)
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in lines)])
