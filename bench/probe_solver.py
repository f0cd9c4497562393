"""The probes' solver beside the authors' optimiser, on the features of trained checkpoints.

Adam as published (1e-4, batches of 1,024, 30,000 steps, gradients clipped at 5), judged every 250 steps and
stopped where its development loss was lowest: as well as it can do. Ours is what ``embryo-eval`` runs.
Limits: development loss at most 1.005 times Adam's, test F1 at most 0.3 points lower.

usage: probe_solver.py CHECKPOINTS RUN CORPUS --task probe-pos --step 1000 --layer 2 …
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from evaluators.batches import Batch
from evaluators.checkpoints import CheckpointStore
from evaluators.corpora.edge_folder import read_edge_folder
from evaluators.loading import Resident
from evaluators.probes.features import FeatureBank
from evaluators.probes.judge import Questions, examples
from evaluators.probes.solver import Examples, Linear, fit
from evaluators.probes.task import PreparedProbe, Probe
from evaluators.tasks.registry import make_tasks
from evaluators.vocabulary import load_vocabulary

STEPS, EVERY, BATCH, RATE, CLIP = 30_000, 250, 1024, 1e-4, 5.0
LOSS_LIMIT, F1_LIMIT = 1.005, 0.003


def published(train: Examples, dev: Examples, labels: int, seed: int) -> tuple[Linear, float, int]:
    """The authors' optimiser: its best layer, that layer's development loss, and the step of it."""
    torch.manual_seed(seed)
    spans, width = len(train.vectors), train.vectors[0].shape[1]
    layer = torch.nn.Linear(spans * width, labels)
    optimizer = torch.optim.Adam(layer.parameters(), lr=RATE, fused=True)
    rows = torch.cat([v if i is None else v[i] for v, i in zip(train.vectors, train.index, strict=True)], 1)
    best: tuple[Linear, float, int] | None = None
    order = torch.randperm(len(rows))
    place = 0
    for step in range(1, STEPS + 1):
        if place >= len(order):
            order, place = torch.randperm(len(rows)), 0
        chosen = order[place : place + BATCH]
        place += BATCH
        loss = torch.nn.functional.cross_entropy(layer(rows[chosen]), train.label[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(layer.parameters(), CLIP)
        optimizer.step()
        if step % EVERY == 0:
            weight = layer.weight.detach().T.reshape(spans, width, labels).clone()
            found = Linear(weight, layer.bias.detach().clone())
            lost = found.loss(dev)
            if best is None or lost < best[1]:
                best = found, lost, step
    assert best is not None
    return best


def accuracy(linear: Linear, test: Examples) -> float:
    return float((linear.logits(test).argmax(1) == test.label).double().mean())


def features(resident: Resident, prepared: PreparedProbe) -> FeatureBank:
    bank: FeatureBank | None = None
    for number, batch in enumerate(prepared.stream.batches):
        states = _states(resident, batch)
        if bank is None:
            bank = FeatureBank(len(states), len(prepared.spans), states[0].shape[-1], 4e9)
        bank.fill(prepared.poolings[number], states)
    assert bank is not None
    return bank


def _states(resident: Resident, batch: Batch) -> tuple[torch.Tensor, ...]:
    out = resident.body(torch.from_numpy(batch.ids), attentions=False, layers=True)
    states: tuple[torch.Tensor, ...] = out.hidden_states
    return states


def compare(name: str, questions: Questions, bank: FeatureBank, layer: int) -> bool:
    split = {k: examples(bank.layer(layer), t, torch.device("cpu")) for k, t in questions.targets.items()}
    labels = len(questions.labels)
    began = time.process_time()
    ours = fit(split["train"], split["dev"], labels)
    mine = time.process_time() - began
    began = time.process_time()
    theirs, lost, step = published(split["train"], split["dev"], labels, seed=0)
    adam = time.process_time() - began
    f1 = accuracy(ours.linear, split["test"]), accuracy(theirs, split["test"])
    ratio = ours.dev_loss / lost
    print(
        f"{name:<28}{len(split['train']):>9,}{ours.dev_loss:>10.4f}{lost:>10.4f}{ratio:>9.4f}"
        f"{100 * f1[0]:>9.2f}{100 * f1[1]:>8.2f}{100 * (f1[0] - f1[1]):>+8.2f}"
        f"{mine:>9.1f}{adam:>8.1f}{step:>8}",
        flush=True,
    )
    return ratio <= LOSS_LIMIT and f1[0] >= f1[1] - F1_LIMIT


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", type=Path)
    parser.add_argument("run")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--task", action="append", default=[])
    parser.add_argument("--step", action="append", type=int, default=[])
    parser.add_argument("--layer", action="append", type=int, default=[])
    parser.add_argument("--max-targets", type=int, default=20_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    corpus = read_edge_folder(given.corpus, given.corpus.name)
    tasks = make_tasks(given.task, {name: {"max_targets": given.max_targets} for name in given.task})
    source, resident = CheckpointStore(given.checkpoints), Resident("cpu", "fp32", 1)
    print(f"{'':<28}{'train':>9}{'loss':>10}{'Adam':>10}{'ratio':>9}{'F1':>9}{'Adam':>8}{'':>8}", end="")
    print(f"{'CPU-s':>9}{'Adam':>8}{'step':>8}")
    held = []
    for step in given.step:
        saved = source.open(given.run, step)
        resident.hold(saved)
        vocabulary = load_vocabulary(saved)
        for task in tasks:
            assert isinstance(task, Probe)
            prepared = task.prepare(corpus, vocabulary, saved.config["max_position_embeddings"])
            assert isinstance(prepared, PreparedProbe)
            bank = features(resident, prepared)
            for layer in given.layer:
                name = f"{task.name} {step:,} layer {layer}"
                held.append(compare(name, prepared.questions, bank, layer))
    print(f"\nwithin {LOSS_LIMIT} in loss and {100 * F1_LIMIT:.1f} points of F1: {sum(held)} of {len(held)}")
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
