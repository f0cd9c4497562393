"""A little world for the evaluators: checkpoints in contract 1's layout, a treebank, facts."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AlbertForPreTraining,
    BertConfig,
    BertForPreTraining,
    PreTrainedTokenizerFast,
)

torch.set_num_threads(1)

WORDS = [
    "the",
    "a",
    "of",
    "in",
    "and",
    "to",
    "sees",
    "likes",
    "big",
    "small",
    "old",
    "dog",
    "cat",
    "bird",
    "house",
    "river",
    "Paris",
    "France",
    "Berlin",
    "Germany",
    "Rome",
    "Italy",
    "capital",
    "is",
    "language",
    "speaks",
    "French",
    "German",
    "Italian",
    ".",
    ",",
    "walk",
    "walked",
    "walking",
]
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
SPECIAL = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]

TREEBANK = [
    [("The", "DT"), ("old", "JJ"), ("dog", "NN"), ("sees", "VBZ"), ("a", "DT"), ("cat", "NN"), (".", ".")],
    [
        ("Paris", "NNP"),
        ("is", "VBZ"),
        ("the", "DT"),
        ("capital", "NN"),
        ("of", "IN"),
        ("France", "NNP"),
        (".", "."),
    ],
    [
        ("A", "DT"),
        ("zebra", "NN"),
        ("walked", "VBD"),
        ("to", "TO"),
        ("the", "DT"),
        ("river", "NN"),
        (".", "."),
    ],
    [("Walking", "VBG"), ("birds", "NNS"), (",", ","), ("the", "DT"), ("small", "JJ"), ("cat", "NN")],
    [("Rome", "NNP")],
]


def make_tokenizer(length: int = 64) -> PreTrainedTokenizerFast:
    """A lower-casing Unigram tokenizer of whole words and single letters, in ALBERT's manner."""
    pieces = [(token, 0.0) for token in SPECIAL]
    pieces += [("▁" + word.lower(), -3.0) for word in WORDS]
    pieces += [("▁", -6.0)] + [(letter, -8.0) for letter in LETTERS]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=1))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=length,
    )


def make_model(
    seed: int, family: str = "albert", length: int = 64, vocab_size: int | None = None
) -> torch.nn.Module:
    """A random model whose answers differ from word to word (initialised wider than for training)."""
    torch.manual_seed(seed)
    shape = {
        "vocab_size": vocab_size or len(make_tokenizer()),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": length,
        "initializer_range": 0.3,
        "hidden_act": "gelu_new",
    }
    if family == "albert":
        return AlbertForPreTraining(AlbertConfig(embedding_size=16, **shape)).eval()
    if family == "bert":
        return BertForPreTraining(BertConfig(**shape)).eval()
    return _other(family, shape).eval()


def _other(family: str, shape: dict[str, object]) -> torch.nn.Module:
    """Families beside ALBERT and BERT; "electra" is a generator, "detector" an ELECTRA discriminator."""
    if family in ("electra", "detector"):
        config = transformers.ElectraConfig(embedding_size=16, pad_token_id=0, **shape)
        kind = transformers.ElectraForMaskedLM if family == "electra" else transformers.ElectraForPreTraining
        return kind(config)
    if family == "roberta":
        length = shape.pop("max_position_embeddings") + 1
        return transformers.RobertaForMaskedLM(
            transformers.RobertaConfig(max_position_embeddings=length, pad_token_id=0, **shape)
        )
    if family == "distilbert":
        return transformers.DistilBertForMaskedLM(
            transformers.DistilBertConfig(
                vocab_size=shape["vocab_size"],
                dim=32,
                n_layers=2,
                n_heads=4,
                hidden_dim=64,
                max_position_embeddings=shape["max_position_embeddings"],
                initializer_range=0.3,
                activation="gelu",
            )
        )
    assert family == "modernbert"
    return transformers.ModernBertForMaskedLM(
        transformers.ModernBertConfig(
            vocab_size=shape["vocab_size"],
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=shape["max_position_embeddings"],
            global_attn_every_n_layers=2,
            local_attention=8,
            initializer_range=0.3,
            pad_token_id=0,
            cls_token_id=2,
            sep_token_id=3,
            bos_token_id=2,
            eos_token_id=3,
        )
    )


def teach(model: torch.nn.Module, updates: int) -> torch.nn.Module:
    """A few updates of masked prediction on part of the treebank: some words come right, others do not."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for update in range(updates):
        words = [form for form, _ in TREEBANK[update % 3]]
        ids = torch.tensor([tokenizer(" ".join(words))["input_ids"]])
        shown = torch.where(torch.rand(ids.shape) < 0.3, tokenizer.mask_token_id, ids)
        out = model(input_ids=shown)
        logits = out.prediction_logits if "prediction_logits" in out else out.logits
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits[0], ids[0]).backward()
        optimizer.step()
    return model.eval()


def write_manifest(folder: Path, step: int) -> None:
    files = {
        str(path.relative_to(folder)): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "COMPLETE.json"
    }
    (folder / "COMPLETE.json").write_text(json.dumps({"schema_version": 1, "step": step, "files": files}))


def write_step(
    run: Path, step: int, model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast | None = None
) -> Path:
    folder = run / f"step-{step:08d}"
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (tokenizer or make_tokenizer()).save_pretrained(folder)
    write_manifest(folder, step)
    return folder


def write_run(root: Path, name: str, steps: Sequence[int], seed: int = 0, family: str = "albert") -> Path:
    run = root / name
    run.mkdir(parents=True)
    (run / "run.json").write_text(
        json.dumps(
            {
                "schema_version": 1,
                "name": name,
                "family": family,
                "objective": "mlm+sop",
                "recipe": {"total_steps": max(steps)},
                "corpus": "demo",
                "seeds": {"model": seed},
            }
        )
    )
    lines = [
        {"step": s, "loss": 5.0 - s / 100, "mlm_loss": 4.0, "learning_rate": 1e-3}
        for s in range(0, max(steps) + 1, 5)
    ]
    (run / "train_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for step in steps:
        write_step(run, step, make_model(seed * 1000 + step, family))
    return run


def write_treebank(path: Path, sentences: Sequence[Sequence[tuple[str, str]]] = TREEBANK) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, sentence in enumerate(sentences):
        lines.append(f"# sent_id = {number}")
        lines += [
            f"{i}\t{form}\t_\tX\t{tag}\t_\t0\t_\t_\t_" for i, (form, tag) in enumerate(sentence, start=1)
        ]
        lines.append("")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_facts(folder: Path) -> Path:
    (folder / "TREx").mkdir(parents=True)
    relations = [
        {"relation": "P36", "template": "The capital of [X] is [Y] .", "type": "1-1", "label": "capital"},
        {"relation": "P37", "template": "[X] speaks [Y] .", "type": "N-1"},
        {"relation": "P47", "template": "[X] sees [Y] .", "type": "N-M"},
    ]
    (folder / "relations.jsonl").write_text("".join(json.dumps(r) + "\n" for r in relations))
    facts = {
        "P36": [
            ("France", "Paris"),
            ("Germany", "Berlin"),
            ("Italy", "Rome"),
            ("Italy", "Florence"),
            ("Italy", "Rome"),
        ],
        "P37": [("France", "French"), ("Germany", "German"), ("Italy", "Italian")],
        "P47": [("France", "Germany")],
    }
    for relation, pairs in facts.items():
        rows = [{"sub_label": s, "obj_label": o, "uuid": f"{relation}-{i}"} for i, (s, o) in enumerate(pairs)]
        (folder / "TREx" / f"{relation}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "common_vocab_cased.txt").write_text(
        "\n".join(["Paris", "Berlin", "Rome", "French", "dog", "dog", "elephant"])
    )
    return folder
