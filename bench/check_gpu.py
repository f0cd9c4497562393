"""Does a GPU find what the CPU finds? A little model of every family, taught the built-in sentences; each
task in fp32 on both, word by word; then what bf16 changes. Exits with 1 where fp32 differs in a single word.

usage: check_gpu.py [DEVICE] [UPDATES] [FAMILY …]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from base_models import save_model, without_store

without_store()

from bench_lama import make_facts  # noqa: E402

from embryo_store.records import LamaAnswers, Outcomes  # noqa: E402
from evaluators.checkpoints import CheckpointStore  # noqa: E402
from evaluators.compute import look  # noqa: E402
from evaluators.corpora.base import Corpus, WordCorpus  # noqa: E402
from evaluators.corpora.sentences import built_in  # noqa: E402
from evaluators.hardware import Dtype, resolve_dtype  # noqa: E402
from evaluators.loading import Resident  # noqa: E402
from evaluators.tasks.attention import Attention  # noqa: E402
from evaluators.tasks.base import Finding, ModelTask  # noqa: E402
from evaluators.tasks.lama import Lama  # noqa: E402
from evaluators.tasks.mask_predict import MaskPredict  # noqa: E402
from evaluators.tasks.mlm import Mlm  # noqa: E402
from evaluators.tasks.reconstruct import Reconstruct  # noqa: E402
from evaluators.vocabulary import load_vocabulary  # noqa: E402
from evaluators.words import piece  # noqa: E402

TOKENS = 2_000
FAMILIES = ("albert", "bert", "electra", "roberta", "distilbert", "modernbert")


def make(family: str) -> Any:
    """A random model whose answers differ from word to word (initialised wider than for training)."""
    torch.manual_seed(1)
    size = {
        "vocab_size": TOKENS,
        "max_position_embeddings": 130,
        "initializer_range": 0.05,
        "pad_token_id": 0,
    }
    wide = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 256}
    if family == "distilbert":
        wide = {"dim": 128, "n_layers": 4, "n_heads": 4, "hidden_dim": 256}
    ends = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    config = transformers.AutoConfig.for_model(
        family, **size, **wide, **(ends if family == "modernbert" else {})
    )
    return transformers.AutoModelForMaskedLM.from_config(config)


def teach(model: Any, rows: Sequence[Any], mask: int, updates: int, device: str) -> Any:
    """Masked prediction of the rows, so that many words come right and others do not."""
    chance = np.random.default_rng(0)
    model = model.to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=device)
    for _ in range(updates):
        mine = ids[chance.choice(len(rows), 32)]
        hidden = torch.from_numpy(chance.random(mine.shape) < 0.3).to(device) & (mine > 4)
        logits = model(input_ids=torch.where(hidden, mask, mine), attention_mask=(mine > 0).long()).logits
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits[mine > 0], mine[mine > 0]).backward()
        optimizer.step()
    return model.eval().cpu()


def find(folder: Path, task: ModelTask, corpus: Corpus, device: str, dtype: Dtype = "fp32") -> Finding:
    """What a task finds at the checkpoint in ``folder``."""
    saved = CheckpointStore(folder.parent.parent).open(folder.parent.name, 0)
    resident = Resident(device, dtype)
    resident.hold(saved)
    prepared = task.prepare(corpus, load_vocabulary(saved), 128)
    collector = prepared.start()
    for index, (batch, seen) in enumerate(look(resident, prepared.stream)):
        collector.see(index, batch, seen)
    return collector.findings()["paper"]


def answers(finding: Finding) -> np.ndarray[Any, Any]:
    """Right or wrong of every word; of every fact whether it is right, and what the answer was."""
    for payload in finding.payloads:
        if isinstance(payload, Outcomes):
            return payload.correct
        if isinstance(payload, LamaAnswers):
            return np.where(payload.gold_rank == 1, True, -payload.tokens[:, 0])
    return np.empty(0)


def furthest(one: Finding, other: Finding) -> float:
    """The largest difference of two stored numbers of one name."""
    return max(abs(a.value - b.value) for a, b in zip(one.metrics, other.metrics, strict=True))


def main() -> int:
    device = sys.argv[1] if len(sys.argv) > 1 else "cuda"
    updates = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    lines = tuple(tuple(line.split()) for line in built_in().sentences)
    words = WordCorpus("w", "w", "w", lines, tuple(("X",) * len(line) for line in lines))
    tasks: list[tuple[ModelTask, Corpus]] = [
        (Reconstruct(), words),
        (MaskPredict(), words),
        (Mlm(), words),
        (Lama(), make_facts(500)),
        (Attention(), built_in()),
    ]
    print(f"auto is {resolve_dtype('auto')} here\n")
    titles = ("answers", "right", "fp32 alike", "furthest", "bf16 alike", "furthest")
    print(f"{'':26}" + "".join(f"{title:>12}" for title in titles))
    wrong = 0
    for family in sys.argv[3:] or FAMILIES:
        with tempfile.TemporaryDirectory() as root:
            folder, model = Path(root) / "c" / family / "step-00000000", make(family)
            save_model(folder, model, built_in().sentences, TOKENS)
            vocabulary = load_vocabulary(CheckpointStore(Path(root) / "c").open(family, 0))
            rows = [sentence.ids for sentence in piece(words, vocabulary, 128).sentences]
            taught = teach(model, rows, vocabulary.mask, updates, device)
            save_model(folder, taught, built_in().sentences, TOKENS)
            for task, corpus in tasks:
                here, there = find(folder, task, corpus, "cpu"), find(folder, task, corpus, device)
                short = find(folder, task, corpus, device, "bf16")
                mine = answers(here)
                alike = [int((answers(other) == mine).sum()) for other in (there, short)]
                wrong += alike[0] != len(mine) or furthest(here, there) > 1e-3
                print(
                    f"{family + ' ' + task.name:26}{len(mine):12,}{int((mine == 1).sum()):12,}"
                    f"{alike[0]:12,}{furthest(here, there):12.1e}{alike[1]:12,}{furthest(here, short):12.1e}"
                )
    print("\nfp32 differs" if wrong else "\nevery word alike in fp32")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
