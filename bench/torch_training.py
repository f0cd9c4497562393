"""The training benchmark's peer: PyTorch with transformers' models, heads on masked positions alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import transformers


def updates(
    family: str, shape: Mapping[str, int], batch: Mapping[str, np.ndarray], threads: int, dtype: str
) -> Callable[[int], None]:
    """What does one update of the ``family``'s model on ``batch``; bf16 by autocast."""
    torch.set_num_threads(threads)
    options = {
        "vocab_size": shape["vocabulary"],
        "num_hidden_layers": shape["layers"],
        "hidden_dropout_prob": 0,
        "attention_probs_dropout_prob": 0,
        "classifier_dropout_prob": 0,
    }
    size = {
        "hidden_size": shape["hidden"],
        "num_attention_heads": 4,
        "intermediate_size": shape["ffn"],
    }
    if family == "albert":
        config = transformers.AlbertConfig(**options, **size, embedding_size=128)
        model = transformers.AlbertForPreTraining(config)
    elif family == "bert":
        model = transformers.BertForPreTraining(transformers.BertConfig(**options, **size))
    else:
        half = {"hidden_size": shape["hidden"] // 2, "intermediate_size": 2 * shape["hidden"]}
        own = transformers.ElectraConfig(**options, **size, embedding_size=128)
        small = transformers.ElectraConfig(**options, **half, num_attention_heads=2, embedding_size=128)
        model = torch.nn.ModuleList(
            [transformers.ElectraForMaskedLM(small), transformers.ElectraForPreTraining(own)]
        )
        model[0].electra.embeddings = model[1].electra.embeddings
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    made = {name: torch.tensor(value) for name, value in batch.items()}
    rows = torch.arange(shape["batch"])[:, None]
    entropy = torch.nn.functional.cross_entropy

    def loss() -> Any:
        labels, places = made["labels"], made["positions"]
        if family == "electra":
            states = model[0].electra(made["ids"]).last_hidden_state[rows, places]
            words = model[0].generator_lm_head(model[0].generator_predictions(states)).float()
            guesses = torch.distributions.Categorical(logits=words.detach()).sample()
            filled = made["ids"].clone()
            filled[rows, places] = guesses
            fake = (filled != made["ids"]).float()
            real = model[1].discriminator_predictions(model[1].electra(filled).last_hidden_state).float()
            found = torch.nn.functional.binary_cross_entropy_with_logits(real, fake)
            return entropy(words.flatten(0, 1), labels.flatten()) + 50 * found
        out = (model.albert if family == "albert" else model.bert)(made["ids"])
        picked = out.last_hidden_state[rows, places]
        words = model.predictions(picked) if family == "albert" else model.cls.predictions(picked)
        pairs = model.sop_classifier if family == "albert" else model.cls.seq_relationship
        order = pairs(out.pooler_output).float()
        return entropy(words.flatten(0, 1).float(), labels.flatten()) + entropy(order, made["order"])

    def step(_: int) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16"):
            found = loss()
        optimizer.zero_grad()
        found.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step
