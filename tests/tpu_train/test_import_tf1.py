"""TensorFlow 1 checkpoints: the released models, written out from formulas, give transformers' logits."""

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
import torch
from transformers import AutoModelForMaskedLM, AutoModelForPreTraining, AutoTokenizer

from tpu_train.cli import main

Arrays = dict[str, npt.NDArray[np.float64]]
VOCABULARY, LENGTH, HIDDEN, FFN, LAYERS = 60, 12, 128, 256, 3
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "river", "##s", "."]
CONFIG = {"num_attention_heads": 4, "num_hidden_layers": LAYERS, "hidden_dropout_prob": 0.0}


def released(family: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes as google-research's code makes them, written down by hand."""
    shapes: dict[str, tuple[int, ...]] = {}

    def dense(name: str, inputs: int, outputs: int) -> None:
        shapes[f"{name}/kernel"], shapes[f"{name}/bias"] = (inputs, outputs), (outputs,)

    def norm(name: str, width: int) -> None:
        shapes[f"{name}/gamma"] = shapes[f"{name}/beta"] = (width,)

    def layer(prefix: str, hidden: int, ffn: int) -> None:
        for part in ("query", "key", "value"):
            dense(f"{prefix}/attention/self/{part}", hidden, hidden)
        dense(f"{prefix}/attention/output/dense", hidden, hidden)
        norm(f"{prefix}/attention/output/LayerNorm", hidden)
        dense(f"{prefix}/intermediate/dense", hidden, ffn)
        dense(f"{prefix}/output/dense", ffn, hidden)
        norm(f"{prefix}/output/LayerNorm", hidden)

    scope, width = ("electra" if family == "electra" else "bert"), (HIDDEN if family == "bert" else 48)
    for name, rows in (("word", VOCABULARY), ("token_type", 2), ("position", 32)):
        shapes[f"{scope}/embeddings/{name}_embeddings"] = (rows, width)
    norm(f"{scope}/embeddings/LayerNorm", width)
    if family == "electra":
        dense("electra/embeddings_project", width, HIDDEN)
        dense("generator/embeddings_project", width, HIDDEN // 2)
        for number in range(LAYERS):
            layer(f"electra/encoder/layer_{number}", HIDDEN, FFN)
            layer(f"generator/encoder/layer_{number}", HIDDEN // 2, 2 * HIDDEN)
        dense("discriminator_predictions/dense", HIDDEN, HIDDEN)
        dense("discriminator_predictions/dense_1", HIDDEN, 1)
        dense("generator_predictions/dense", HIDDEN // 2, width)
        norm("generator_predictions/LayerNorm", width)
        shapes["generator_predictions/output_bias"] = (VOCABULARY,)
        return shapes
    if family == "bert":
        for number in range(LAYERS):
            layer(f"bert/encoder/layer_{number}", HIDDEN, FFN)
    else:
        dense("bert/encoder/embedding_hidden_mapping_in", width, HIDDEN)
        inside = "bert/encoder/transformer/group_0/inner_group_0"
        for part in ("self/query", "self/key", "self/value", "output/dense"):
            dense(f"{inside}/attention_1/{part}", HIDDEN, HIDDEN)
        norm(f"{inside}/LayerNorm", HIDDEN)
        dense(f"{inside}/ffn_1/intermediate/dense", HIDDEN, FFN)
        dense(f"{inside}/ffn_1/intermediate/output/dense", FFN, HIDDEN)
        norm(f"{inside}/LayerNorm_1", HIDDEN)
    dense("bert/pooler/dense", HIDDEN, HIDDEN)
    dense("cls/predictions/transform/dense", HIDDEN, width)
    norm("cls/predictions/transform/LayerNorm", width)
    shapes["cls/predictions/output_bias"] = (VOCABULARY,)
    shapes["cls/seq_relationship/output_weights"] = (2, HIDDEN)
    shapes["cls/seq_relationship/output_bias"] = (2,)
    return shapes


class Reference:
    """The models in float64, from their formulas; notes which variables it has used."""

    def __init__(self, values: Arrays) -> None:
        self._values, self.used = values, set[str]()

    def __getitem__(self, name: str) -> npt.NDArray[np.float64]:
        self.used.add(name)
        return self._values[name]

    def dense(self, x: Any, name: str) -> Any:
        return x @ self[f"{name}/kernel"] + self[f"{name}/bias"]

    def norm(self, x: Any, name: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return centred / scale * self[f"{name}/gamma"] + self[f"{name}/beta"]

    def embedded(self, scope: str, ids: Any, types: Any) -> Any:
        words = self[f"{scope}/word_embeddings"][ids] + self[f"{scope}/token_type_embeddings"][types]
        return self.norm(words + self[f"{scope}/position_embeddings"][: ids.shape[1]], f"{scope}/LayerNorm")

    def layer(self, x: Any, names: list[str], heads: int, gelu: Any) -> Any:
        query, key, value, output, first, inner, outer, second = names
        batch, length, hidden = x.shape

        def split(name: str) -> Any:
            return self.dense(x, name).reshape(batch, length, heads, -1).transpose(0, 2, 1, 3)

        scores = split(query) @ split(key).transpose(0, 1, 3, 2) / math.sqrt(hidden / heads)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed = (shares @ split(value)).transpose(0, 2, 1, 3).reshape(batch, length, hidden)
        x = self.norm(x + self.dense(mixed, output), first)
        return self.norm(x + self.dense(gelu(self.dense(x, inner)), outer), second)

    def words(self, x: Any, scope: str, head: str, bias: str, gelu: Any) -> Any:
        x = self.norm(gelu(self.dense(x, f"{head}/dense")), f"{head}/LayerNorm")
        return x @ self[f"{scope}/word_embeddings"].T + self[bias]


def tanh_gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def erf_gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def bert_names(prefix: str) -> list[str]:
    parts = ("attention/self/query", "attention/self/key", "attention/self/value", "attention/output/dense")
    rest = ("attention/output/LayerNorm", "intermediate/dense", "output/dense", "output/LayerNorm")
    return [f"{prefix}/{part}" for part in (*parts, *rest)]


def albert_names() -> list[str]:
    prefix = "bert/encoder/transformer/group_0/inner_group_0"
    parts = ("attention_1/self/query", "attention_1/self/key", "attention_1/self/value")
    rest = ("attention_1/output/dense", "LayerNorm", "ffn_1/intermediate/dense")
    last = ("ffn_1/intermediate/output/dense", "LayerNorm_1")
    return [f"{prefix}/{part}" for part in (*parts, *rest, *last)]


def reference(family: str, values: Arrays, ids: Any, types: Any) -> tuple[Any, Any, set[str]]:
    """Logits of the family's two heads, and the variables that they took."""
    graph = Reference(values)
    if family == "electra":
        both = []
        for scope, hidden in (("electra", HIDDEN), ("generator", HIDDEN // 2)):
            x = graph.dense(graph.embedded("electra/embeddings", ids, types), f"{scope}/embeddings_project")
            for number in range(LAYERS):
                heads = 4 if scope == "electra" else hidden // 64
                x = graph.layer(x, bert_names(f"{scope}/encoder/layer_{number}"), heads, erf_gelu)
            both.append(x)
        x = erf_gelu(graph.dense(both[0], "discriminator_predictions/dense"))
        fake = graph.dense(x, "discriminator_predictions/dense_1")[..., 0]
        head = "generator_predictions"
        words = graph.words(both[1], "electra/embeddings", head, f"{head}/output_bias", erf_gelu)
        return words, fake, graph.used
    x = graph.embedded("bert/embeddings", ids, types)
    if family == "albert":
        x = graph.dense(x, "bert/encoder/embedding_hidden_mapping_in")
    for number in range(LAYERS):
        names = albert_names() if family == "albert" else bert_names(f"bert/encoder/layer_{number}")
        x = graph.layer(x, names, 4, tanh_gelu)
    head = "cls/predictions/transform"
    words = graph.words(x, "bert/embeddings", head, "cls/predictions/output_bias", tanh_gelu)
    pooled = np.tanh(graph.dense(x[:, 0], "bert/pooler/dense"))
    pairs = (
        pooled @ graph["cls/seq_relationship/output_weights"].T + graph["cls/seq_relationship/output_bias"]
    )
    return words, pairs, graph.used


def drawn(shapes: dict[str, tuple[int, ...]], seed: int) -> Arrays:
    draw = np.random.default_rng(seed)
    return {
        name: (draw.normal(0, 0.1, shape) + name.endswith("gamma")).astype(np.float32).astype(np.float64)
        for name, shape in shapes.items()
    }


def saved(folder: Path, step: int, values: Arrays) -> None:
    """A checkpoint as TensorFlow 1 writes it, with the slots of the released optimiser."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, value in values.items():
            given = value.astype(np.float32)
            tf.compat.v1.get_variable(name, initializer=given, use_resource=False)
            for slot in ("adam_m", "adam_v"):
                tf.compat.v1.get_variable(f"{name}/{slot}", initializer=0 * given, use_resource=False)
        tf.compat.v1.get_variable("global_step", initializer=np.int64(step), use_resource=False)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(max_to_keep=None).save(session, str(folder / "model.ckpt"), global_step=step)


def varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([value])


def sentencepiece_model(pieces: list[tuple[str, float]]) -> bytes:
    """A SentencePiece model's bytes, with a trainer's settings after the pieces."""
    made = b""
    for text, score in pieces:
        raw = text.encode()
        inner = b"\x0a" + varint(len(raw)) + raw + b"\x15" + struct.pack("<f", score) + b"\x18\x01"
        made += b"\x0a" + varint(len(inner)) + inner
    return made + b"\x12\x03\x18\x80\x3e"


def source(folder: Path, family: str, steps: tuple[int, ...] = (0, 1000)) -> dict[int, Arrays]:
    folder.mkdir()
    every = {step: drawn(released(family), step + 1) for step in steps}
    for step, values in every.items():
        saved(folder, step, values)
    if family == "albert":
        pieces = [
            ("<pad>", 0.0),
            ("<unk>", 0.0),
            ("[CLS]", 0.0),
            ("[SEP]", 0.0),
            ("[MASK]", 0.0),
            ("▁", -3.0),
        ]
        pieces += [("▁the", -1.5), ("▁river", -4.25), ("s", -5.0)]
        pieces += [(f"▁w{n}", -9.0 - n) for n in range(VOCABULARY - len(pieces))]
        (folder / "30k-clean.model").write_bytes(sentencepiece_model(pieces))
    else:
        words = WORDS + [f"w{n}" for n in range(VOCABULARY - len(WORDS))]
        (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    (folder / f"{family}_config.json").write_text(json.dumps(CONFIG), "utf-8")
    return every


@pytest.mark.parametrize("family", ["albert", "bert", "electra"])
def test_a_folder_of_checkpoints_becomes_steps_with_the_formulas_logits(family: str, tmp_path: Path) -> None:
    every = source(tmp_path / "tf1", family)
    out = tmp_path / "checkpoints" / family
    assert main(["import-tf1", str(tmp_path / "tf1"), "--out", str(out)]) == 0
    draw = np.random.default_rng(5)
    ids, types = draw.integers(5, VOCABULARY, (3, LENGTH)), draw.integers(0, 2, (3, LENGTH))
    given = {"input_ids": torch.tensor(ids), "token_type_ids": torch.tensor(types)}

    def agree(mine: Any, theirs: torch.Tensor) -> None:
        other = theirs.detach().numpy()
        assert np.abs(mine - other).max() <= 2e-5 * max(1.0, np.abs(other).max())

    for step, values in every.items():
        folder = out / f"step-{step:08d}"
        words, second, used = reference(family, values, ids, types)
        assert used == set(values)  # every variable is in some head's way
        with torch.no_grad():
            theirs = AutoModelForPreTraining.from_pretrained(folder).eval()(**given)
            if family == "electra":
                generator = AutoModelForMaskedLM.from_pretrained(folder / "generator").eval()
                agree(words, generator(**given).logits)
                agree(second, theirs.logits)
            else:
                agree(words, theirs.prediction_logits)
                agree(second, theirs.sop_logits if family == "albert" else theirs.seq_relationship_logits)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert tokenizer("The rivers")["input_ids"] == [
            2,
            *([6, 7, 8] if family == "albert" else [5, 6, 7]),
            3,
        ]
    about = json.loads((out / "run.json").read_text("utf-8"))
    assert (about["family"], about["total_steps"], about["layers"]) == (family, 1000, LAYERS)
    assert "recipe" not in about
    before = {path: path.read_bytes() for path in sorted(out.rglob("*.safetensors"))}
    assert main(["import-tf1", str(tmp_path / "tf1"), "--out", str(out)]) == 0
    assert before == {path: path.read_bytes() for path in sorted(out.rglob("*.safetensors"))}
    assert main(["--out", str(out)]) == 2


def test_what_does_not_belong_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "tf1", tmp_path / "run"
    values = source(folder, "bert", (7,))[7]

    def refused(told: str, *more: str) -> None:
        assert main(["import-tf1", str(folder), "--out", str(out), *more]) == 2
        assert told in capsys.readouterr().err
        assert not out.exists()

    saved(folder, 7, values | {"bert/encoder/layer_0/adapter/kernel": np.zeros((2, 2))})
    refused("unknown: bert/encoder/layer_0/adapter/kernel")
    saved(folder, 7, {name: value for name, value in values.items() if "pooler" not in name})
    refused("missing: bert/pooler/dense/kernel")
    saved(folder, 7, values | {"cls/predictions/output_bias": np.zeros(9)})
    refused("cls/predictions/output_bias: expected the shape [60], found [9]")
    saved(folder, 7, {"resnet/kernel": np.zeros((3, 3))})
    refused("holds no ALBERT, BERT or ELECTRA")
    saved(folder, 7, values)
    (folder / "vocab.txt").write_text("\n".join(WORDS), "utf-8")
    refused("holds 9 pieces, the recipe says vocabulary.size = 60")
    (folder / "vocab.txt").unlink()
    refused("No vocabulary in")
    refused("cannot be read as a model's config.json", "--config", str(folder / "model.ckpt-7.index"))
    (folder / "model.ckpt-7.index").write_bytes(b"broken")
    refused("cannot be read as a TensorFlow checkpoint")
    (folder / "model.ckpt-7.index").unlink()
    refused("No TensorFlow 1 checkpoint at")
