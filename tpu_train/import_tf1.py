"""``embryo-train import-tf1``: checkpoints of google-research's ALBERT, BERT and ELECTRA into a run's steps.

Family and shape follow from the variables themselves; what they cannot tell (heads, dropout, ALBERT's layers)
comes from a ``*config.json`` beside them, else from the family. Every variable is used once; one that is
neither a weight nor an optimiser's own is an error, as is a weight that is not there.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpu_train import atomic, families, hardware, names, store, vocabulary
from tpu_train import recipe as recipes
from tpu_train import run as runs
from tpu_train.errors import InputError
from tpu_train.families.network import Network
from tpu_train.places import Place
from tpu_train.recipe import Recipe
from tpu_train.store import ModelFolder
from tpu_train.vocabulary import Vocabulary

#: What the released optimisers keep beside the weights.
_OPTIMIZER = re.compile(
    r".*/(adam|lamb|momentum|LAMB|Adam)\w*|global_step|beta[12]_power|.*/ExponentialMovingAverage"
)
_NUMBERED = re.compile(r"(.*)-(\d+)")
_LAYER = re.compile(r"(bert|electra|generator)/encoder/layer_(\d+)/")
_GROUP = re.compile(r"bert/encoder/transformer/group_(\d+)/inner_group_(\d+)/")
#: The width of a head in every released model.
_HEAD = 64
#: What is read from a released configuration as a number.
_NUMBERS = {
    "num_hidden_layers",
    "num_attention_heads",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "initializer_range",
}
Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Found:
    """A TensorFlow 1 checkpoint: the step it is of, and its prefix (``…/model.ckpt-1000``)."""

    step: int
    prefix: Path


def find(source: Path) -> list[Found]:
    """The checkpoints in a folder, or the one of a prefix, by step.

    Raises:
        InputError: there is none, or two are of one step.
    """
    prefixes = [source] if Path(f"{source}.index").is_file() else []
    if source.is_dir():
        prefixes = [path.with_suffix("") for path in sorted(source.glob("*.index"))]
    if not prefixes:
        raise InputError(
            f"No TensorFlow 1 checkpoint at {source}: expected a folder with NAME.ckpt-N.index and its data, "
            "or such a checkpoint's prefix."
        )
    found = []
    for prefix in prefixes:
        match = _NUMBERED.fullmatch(prefix.name)
        found.append(Found(int(match[2]) if match else 0, prefix))
    found.sort(key=lambda one: one.step)
    for one, other in itertools.pairwise(found):
        if one.step == other.step:
            raise InputError(f"{one.prefix} and {other.prefix.name} are of the same step; move one away.")
    return found


def import_tf1(source: Path, out: Place, tokenizer: Path | None, config: Path | None) -> list[int]:
    """Writes every checkpoint of ``source`` as a step of the run ``out``; those that are there stay.

    Args:
        source: a folder of checkpoints, or a prefix.
        out: the run's folder.
        tokenizer: folder with ``vocab.txt``, a SentencePiece ``*.model`` or a Hugging Face tokenizer; None:
            the source's own.
        config: the released ``albert_config.json`` or ``bert_config.json``; None: one beside the checkpoints,
            if there is.

    Returns:
        The steps.

    Raises:
        InputError: not a checkpoint of the three families, variables missing, unknown or of another shape.
    """
    hardware.prepare(1)
    import tensorflow as tf

    found = find(source)
    folder = source if source.is_dir() else source.parent
    described = _config(folder, config)
    readers = {one.step: _reader(tf, one.prefix) for one in found}
    shapes = [reader.get_variable_to_shape_map() for reader in readers.values()]
    recipe = recipe_of(shapes[0], described, str(found[0].prefix))
    network = families.network(recipe)
    for one, shape in zip(found, shapes, strict=True):
        check(network, shape, str(one.prefix))
    pieces = vocabulary.from_folder(tokenizer or folder, recipe.vocabulary, recipe.model.positions)
    with runs.locked(out):
        _describe(out, recipe, network, pieces, source, found)
        for step, reader in readers.items():
            values = {weight.google: reader.get_tensor(weight.google) for weight in network.weights}
            models = [
                ModelFolder(saved.folder, names.to_hugging_face(saved.weights, values), saved.config)
                for saved in network.saved
            ]
            store.save_step(out, step, models, pieces.files)
    return list(readers)


def _reader(tf: Any, prefix: Path) -> Any:
    try:
        return tf.train.load_checkpoint(str(prefix))
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise InputError(f"{prefix} cannot be read as a TensorFlow checkpoint ({error}).") from None


def _config(folder: Path, given: Path | None) -> dict[str, Any]:
    """The released description of the model, where there is one."""
    found = [given] if given else sorted(folder.glob("*config.json"))
    if not found:
        return {}
    try:
        described = json.loads(found[0].read_text("utf-8"))
        if not isinstance(described, dict):
            raise ValueError(f"expected an object, found a {type(described).__name__}")
        for key in _NUMBERS & described.keys():
            if isinstance(described[key], bool) or not isinstance(described[key], int | float):
                raise ValueError(f"{key} is {described[key]!r}, no number")
    except (OSError, ValueError) as error:
        raise InputError(f"{found[0]} cannot be read as a model's config.json ({error}).") from None
    return described


def recipe_of(shapes: Shapes, described: Mapping[str, Any], where: str) -> Recipe:
    """The family's recipe with the model that the variables and the configuration describe.

    Raises:
        InputError: the variables are of none of the three families.
    """
    family = _family(shapes, where)
    prefix = "electra" if family == "electra" else "bert"
    try:
        vocabulary_size, embedding = shapes[f"{prefix}/embeddings/word_embeddings"]
        positions = shapes[f"{prefix}/embeddings/position_embeddings"][0]
        types = shapes[f"{prefix}/embeddings/token_type_embeddings"][0]
        inner = _inner(family, prefix)
        hidden, ffn = shapes[inner]
    except KeyError as error:
        raise InputError(f"{where} lacks the variable {error}, which every {family} has.") from None
    layers = 1 + max(
        (int(m[2]) for name in shapes if (m := _LAYER.match(name)) and m[1] == prefix), default=0
    )
    groups = 1 + max((int(m[1]) for name in shapes if (m := _GROUP.match(name))), default=0)
    if family == "albert":
        if "num_hidden_layers" not in described:
            raise InputError(
                f"{where}: an ALBERT's variables do not tell how often its layers are repeated. Put the "
                "released albert_config.json beside them, or name it with --config."
            )
        layers = int(described["num_hidden_layers"])
    gelu = "gelu_erf" if family == "electra" else "gelu_tanh"
    overrides: dict[str, Any] = {
        "model.hidden": hidden,
        "model.layers": layers,
        "model.heads": int(described.get("num_attention_heads", max(1, hidden // _HEAD))),
        "model.ffn": ffn,
        "model.embedding": embedding,
        "model.positions": positions,
        "model.token_types": types,
        "model.groups": groups,
        "model.activation": gelu,
        "model.hidden_dropout": float(described.get("hidden_dropout_prob", 0.1)),
        "model.attention_dropout": float(described.get("attention_probs_dropout_prob", 0.1)),
        "model.initializer_range": float(described.get("initializer_range", 0.02)),
        "vocabulary.size": vocabulary_size,
        "vocabulary.lowercase": bool(described.get("do_lower_case", True)),
        # Training's own settings are not known, and these are not kept: only the model's are.
        "data.length": min(positions, 128),
        "data.phases": [],
    }
    if family == "electra":
        overrides |= _generator(shapes, hidden, layers)
    return recipes.load(f"{family}-base", overrides)


def _family(shapes: Shapes, where: str) -> str:
    if any(name.startswith("electra/") for name in shapes):
        return "electra"
    if any(map(_GROUP.match, shapes)):
        return "albert"
    if any(map(_LAYER.match, shapes)):
        return "bert"
    some = ", ".join(sorted(shapes)[:3])
    raise InputError(
        f"{where} holds no ALBERT, BERT or ELECTRA as google-research releases them (found {some} …)."
    )


def _inner(family: str, prefix: str) -> str:
    """The kernel that leads from the hidden size to the feed-forward's width."""
    if family == "albert":
        return f"{prefix}/encoder/transformer/group_0/inner_group_0/ffn_1/intermediate/dense/kernel"
    return f"{prefix}/encoder/layer_0/intermediate/dense/kernel"


def _generator(shapes: Shapes, hidden: int, layers: int) -> dict[str, Any]:
    """The generator's shape as shares of the discriminator's."""
    width = shapes.get("generator/encoder/layer_0/intermediate/dense/kernel", (hidden, 0))[0]
    count = 1 + max(
        (int(m[2]) for name in shapes if (m := _LAYER.match(name)) and m[1] == "generator"), default=0
    )
    return {"electra.generator_width": width / hidden, "electra.generator_layers": count / layers}


def check(network: Network, shapes: Shapes, where: str) -> None:
    """Holds the variables against the network's weights.

    Raises:
        InputError: weights that are missing or of another shape, variables that nobody knows.
    """
    wanted = {weight.google: weight.shape for weight in network.weights}
    problems = [f"missing: {name}" for name in wanted if name not in shapes]
    problems += [
        f"unknown: {name}" for name in shapes if name not in wanted and not _OPTIMIZER.fullmatch(name)
    ]
    problems += [
        f"{name}: expected the shape {list(shape)}, found {list(shapes[name])}"
        for name, shape in wanted.items()
        if name in shapes and tuple(shapes[name]) != shape
    ]
    if problems:
        shown = "\n  ".join(problems[:12] + ([f"… {len(problems) - 12} more"] if len(problems) > 12 else []))
        raise InputError(f"{where} does not hold exactly the weights of its model:\n  {shown}")


def _describe(
    out: Place,
    recipe: Recipe,
    network: Network,
    pieces: Vocabulary,
    source: Path,
    found: Sequence[Found],
) -> None:
    """``run.json`` of an imported run: no recipe and no corpus, as nobody knows them.

    Raises:
        InputError: ``out`` holds another run.
    """
    imported = {"source": str(source), "vocabulary": pieces.digest}
    about = runs.read(out)
    if about is not None and about.get("imported") != imported:
        raise InputError(f"{out} holds another run. Choose another --out.")
    described = {
        "schema_version": store.SCHEMA_VERSION,
        "name": out.name,
        "family": recipe.family,
        "objective": recipe.objective,
        "total_steps": max(one.step for one in found),
        "layers": recipe.model.layers,
        "heads": recipe.model.heads,
        "hidden": recipe.model.hidden,
        "parameters": names.parameters(network.saved[0].weights),
        "imported": imported,
        "vocabulary": {"digest": pieces.digest, "size": len(pieces.pieces)},
        "versions": runs.versions(),
        "git": runs.git_commit(),
    }
    atomic.write_json(out / runs.RUN, described)
