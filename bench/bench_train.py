"""Training speed: a step against PyTorch with transformers' ALBERT, the input side, and saving.

Both sides train the same shape on the same random batch with the MLM head on masked positions only, in turns,
each in a process of its own; the best turn counts. CPU-seconds beside wall time: on a shared machine they are
the steadier figure.

    python bench/bench_train.py [--shape small|demo] [--threads N]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SHAPES = {
    "small": {
        "hidden": 256,
        "layers": 6,
        "ffn": 1024,
        "vocabulary": 8000,
        "batch": 32,
        "length": 128,
        "masked": 20,
    },
    "demo": {
        "hidden": 128,
        "layers": 3,
        "ffn": 512,
        "vocabulary": 1280,
        "batch": 32,
        "length": 64,
        "masked": 12,
    },
}
TURNS = 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--threads", type=int, default=1, help="more make CPU-seconds count waiting, too")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(SIDES[options.side](SHAPES[options.shape], options.threads, options.steps)))
        return
    compare(options)
    inputs()
    saving()


def compare(options: argparse.Namespace) -> None:
    from tpu_train.hardware import has_amx

    names = ["embryo fp32", "torch fp32"] + (["embryo bf16", "torch bf16"] if has_amx() else [])
    best: dict[str, tuple[float, float]] = {}
    for _ in range(TURNS):
        for name in names:
            shown = subprocess.run(
                [
                    *(sys.executable, __file__, "--side", name, "--shape", options.shape),
                    *("--threads", str(options.threads), "--steps", str(options.steps)),
                ],
                capture_output=True,
                text=True,
                check=True,
            )
            cpu, wall = json.loads(shown.stdout.splitlines()[-1])
            before = best.get(name, (cpu, wall))
            best[name] = (min(cpu, before[0]), min(wall, before[1]))
    shape = SHAPES[options.shape]
    print(f"A step, {shape}, {options.threads} threads")
    print(f"  {'':12}  {'CPU-s':>7}  {'wall s':>7}  {'tokens/s':>9}  CPU-s against torch")
    for name in names:
        cpu, wall = best[name]
        rate = shape["batch"] * shape["length"] / wall
        ratio = best[name.replace("embryo", "torch")][0] / cpu
        print(f"  {name:12}  {cpu:7.3f}  {wall:7.3f}  {rate:9,.0f}  {ratio:.2f} times fewer")


def random_batch(shape: dict[str, int]) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    size, masked = (shape["batch"], shape["length"]), (shape["batch"], shape["masked"])
    return {
        "ids": draw.integers(5, shape["vocabulary"], size),
        "positions": np.sort(draw.integers(0, shape["length"], masked), axis=1),
        "labels": draw.integers(5, shape["vocabulary"], masked),
        "order": draw.integers(0, 2, shape["batch"]),
    }


def timed(step: Callable[[int], object], steps: int) -> tuple[float, float]:
    """CPU-seconds and wall seconds a step: the mean of all, and the median, after two to warm up."""
    for number in range(2):
        step(number)
    walls, cpu = [], time.process_time()
    for number in range(steps):
        begin = time.perf_counter()
        step(number + 2)
        walls.append(time.perf_counter() - begin)
    return (time.process_time() - cpu) / steps, sorted(walls)[steps // 2]


def embryo(shape: dict[str, int], threads: int, steps: int, dtype: str) -> tuple[float, float]:
    from tpu_train import families, hardware, initial, recipe

    hardware.prepare(threads)
    from tpu_train.batches import Batch
    from tpu_train.step import Trainer

    changes = {f"model.{key}": shape[key] for key in ("hidden", "layers", "ffn")}
    loaded = recipe.load(
        "albert-tiny",
        {**changes, "vocabulary.size": shape["vocabulary"], "data.length": shape["length"]}
        | {"data.max_predictions": shape["masked"], "training.batch": shape["batch"]},
    )
    network = families.network(loaded)
    trainer = Trainer(loaded, network, dtype, threads)
    trainer.start(initial.weights(network.weights, loaded.model, 0))
    made = {name: value.astype(np.int32) for name, value in random_batch(shape).items()}
    zeros, ones = np.zeros_like(made["ids"]), np.ones_like(made["ids"])
    weights = np.ones(made["labels"].shape, np.float32)
    batch = Batch(made["ids"], zeros, ones, made["positions"], made["labels"], weights, made["order"])
    return timed(lambda number: trainer.run(number, batch), steps)


def peer(shape: dict[str, int], threads: int, steps: int, dtype: str) -> tuple[float, float]:
    import torch
    from transformers import AlbertConfig, AlbertForPreTraining

    torch.set_num_threads(threads)
    config = AlbertConfig(
        vocab_size=shape["vocabulary"],
        embedding_size=128,
        hidden_size=shape["hidden"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=4,
        intermediate_size=shape["ffn"],
        hidden_dropout_prob=0,
        attention_probs_dropout_prob=0,
        classifier_dropout_prob=0,
    )
    model = AlbertForPreTraining(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    made = {name: torch.tensor(value) for name, value in random_batch(shape).items()}
    rows = torch.arange(shape["batch"])[:, None]

    def step(_: int) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16"):
            out = model.albert(made["ids"])
            words = model.predictions(out.last_hidden_state[rows, made["positions"]])
            order = model.sop_classifier(out.pooler_output)
            loss = torch.nn.functional.cross_entropy(words.flatten(0, 1).float(), made["labels"].flatten())
            loss += torch.nn.functional.cross_entropy(order.float(), made["order"])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return timed(step, steps)


SIDES: dict[str, Callable[[dict[str, int], int, int], tuple[float, float]]] = {
    f"{side} {dtype}": lambda shape, threads, steps, run=run, dtype=dtype: run(shape, threads, steps, dtype)
    for side, run in (("embryo", embryo), ("torch", peer))
    for dtype in ("fp32", "bf16")
}


def inputs() -> None:
    """Masking and batching, on one core."""
    from tpu_train import recipe, vocabulary
    from tpu_train.batches import Batches
    from tpu_train.examples import Packings
    from tpu_train.tokens import Tokens

    draw = np.random.default_rng(0)
    pieces = tuple(vocabulary.SPECIALS + tuple(f"{'▁' if i % 4 else ''}p{i}" for i in range(5, 8000)))
    known = vocabulary.Vocabulary({}, pieces)
    sentences = np.cumsum(draw.integers(8, 40, 100_000))
    documents = np.arange(10, 100_001, 10)
    ids = draw.integers(5, 8000, sentences[-1]).astype("<u2")
    tokens = Tokens(ids, sentences, documents, 0.0)
    print("Batches: order, segments, n-gram whole-word masks, one core")
    for length, masked in ((128, 20), (512, 77)):
        changes = {
            "data.length": length,
            "model.positions": length,
            "data.max_predictions": masked,
            "data.ngram": 3,
        }
        loaded = recipe.load("albert-tiny", changes)
        with tempfile.TemporaryDirectory() as folder:
            packings = Packings(Path(folder), tokens, loaded)
            made = Batches(loaded, known, tokens, packings)
            made.batch(0)
            begin, steps = time.process_time(), 400
            for _ in made.from_step(0, steps):
                pass
            rate = steps * loaded.training.batch * length / (time.process_time() - begin)
        print(f"  length {length}: {rate / 1e6:.2f} M tokens a CPU-second")


def saving() -> None:
    """A checkpoint and a state of ALBERT-base."""
    from tpu_train import families, initial, names, recipe, state, store

    loaded = recipe.load("albert-base")
    network = families.network(loaded)
    values = initial.weights(network.weights, loaded.model, 0)
    flat = np.concatenate([value.ravel() for value in values.values()])
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        models = [
            store.ModelFolder(saved.folder, names.to_hugging_face(saved.weights, values), saved.config)
            for saved in network.saved
        ]
        store.save_step(Path(folder), 0, models, {})
        step_seconds = time.perf_counter() - begin
        begin = time.perf_counter()
        vectors = {"weights": flat, "first_moments": flat, "second_moments": flat}
        state.save(Path(folder), state.Progress(), vectors)
        state_seconds = time.perf_counter() - begin
    print(f"Saving {flat.size:,} weights: a step {step_seconds:.2f} s, a state {state_seconds:.2f} s")


if __name__ == "__main__":
    main()
