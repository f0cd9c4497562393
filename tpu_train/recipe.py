"""Recipes: everything that decides what a run becomes, one frozen dataclass, read from TOML.

Knows no TensorFlow and no corpus. Defaults are the released values of google-research/albert, and those of
bert and electra where ALBERT has none; the sizes, steps and learning rate have none, so that a recipe always
says them.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from tpu_train.errors import InputError
from tpu_train.tables import from_table, set_path


@dataclasses.dataclass(frozen=True)
class Model:
    """The encoder. ``embedding`` below ``hidden`` is factorised; ``groups`` is of ALBERT alone.

    ALBERT's layers of a group share their weights; every layer of BERT and ELECTRA has its own.
    """

    hidden: int
    layers: int
    heads: int
    ffn: int
    embedding: int
    positions: int
    groups: int = 1
    token_types: int = 2
    activation: Literal["gelu_tanh", "gelu_erf"] = "gelu_tanh"
    layer_norm_epsilon: float = 1e-12
    initializer_range: float = 0.02
    position_init: Literal["normal", "sinusoidal"] = "normal"
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1


@dataclasses.dataclass(frozen=True)
class Electra:
    """ELECTRA's generator and how it and the discriminator are trained together; other families pass it by.

    The generator has ``generator_width`` of the discriminator's hidden size and, as released, the same number
    of layers, FFN of four times its size, and a head for every 64 of it (at least one). It shares the word,
    type and position embeddings and their LayerNorm.
    """

    generator_width: float = 1 / 3
    generator_layers: float = 1.0
    generator_loss: float = 1.0
    discriminator_loss: float = 50.0
    temperature: float = 1.0
    right_guess_is_real: bool = True


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The sub-word vocabulary, trained on about ``sample_bytes`` of the corpus, spread over all of it.

    Unigram for ALBERT, WordPiece for BERT and ELECTRA. Characters beyond ``character_coverage`` of the text
    are unknown to it (SentencePiece's default).
    """

    size: int
    kind: Literal["unigram", "wordpiece"] = "unigram"
    lowercase: bool = True
    keep_accents: bool = False
    character_coverage: float = 0.9995
    sample_bytes: int = 200_000_000


@dataclasses.dataclass(frozen=True)
class Phase:
    """From the update after ``from_step`` on, sequences of another length, as BERT's last tenth."""

    from_step: int
    length: int
    max_predictions: int
    batch: int


@dataclasses.dataclass(frozen=True)
class Data:
    """Examples and masks.

    ``duplicates`` is the released dupe factor: so many different packings of the corpus are gone through in
    turn. Words of a masked n-gram never cross the ``[SEP]`` unless ``ngrams_cross_segments``, as released.
    ``swap_probability`` and ``lone_sentence`` belong to sentence order, ``random_next_probability`` to next
    sentences, ``single_segment_probability`` to ELECTRA's pairs. ``masked_twice`` draws positions with
    replacement, as ELECTRA's release does.
    """

    length: int
    max_predictions: int
    masked_share: float = 0.15
    ngram: int = 3
    favor_shorter_ngrams: bool = True
    ngrams_cross_segments: bool = True
    whole_words: bool = True
    punctuation_starts_word: bool = True
    replaced_by_mask: float = 0.8
    replaced_by_random: float = 0.1
    short_sequence_probability: float = 0.1
    duplicates: int = 40
    swap_probability: float = 0.5
    lone_sentence: Literal["random-document", "split"] = "random-document"
    random_next_probability: float = 0.5
    single_segment_probability: float = 0.1
    masked_twice: bool = False
    split_sentences: bool = True
    phases: tuple[Phase, ...] = ()


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """LAMB or AdamW as released: neither corrects its moments for their bias.

    ``warmup`` says whether the rising rate stands in for the decayed one until they meet (ALBERT, BERT) or
    is multiplied with it (ELECTRA).
    """

    name: Literal["lamb", "adamw"]
    learning_rate: float
    warmup_steps: int
    end_learning_rate: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-6
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    no_decay: tuple[str, ...] = ("LayerNorm", "bias")
    warmup: Literal["replaces", "multiplies"] = "replaces"


@dataclasses.dataclass(frozen=True)
class Training:
    """Length of the run. ``compute_dtype`` auto is bf16 where the CPU multiplies it faster, else fp32.

    ``accumulate`` computes the gradient of a batch in so many stretches, one after another, in the memory of
    one.
    """

    steps: int
    batch: int
    seed: int = 0
    log_every: int = 100
    compute_dtype: Literal["auto", "fp32", "bf16"] = "auto"
    accumulate: int = 1


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of the save schedule: every ``every`` steps up to and including ``until``."""

    until: int
    every: int


@dataclasses.dataclass(frozen=True)
class Save:
    """Which steps are kept: those listed, those of the pieces in turn, and always the last.

    ``dtype`` is that of the saved weights; what training goes on from is always fp32.
    """

    steps: tuple[int, ...]
    pieces: tuple[Piece, ...] = ()
    dtype: Literal["fp32", "bf16"] = "fp32"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All of a run's settings. ``name`` is for people; ``objective`` names the losses that are added."""

    name: str
    family: Literal["albert", "bert", "electra"]
    objective: Literal["mlm+sop", "mlm+nsp", "mlm+rtd"]
    model: Model
    vocabulary: Vocabulary
    data: Data
    optimizer: Optimizer
    training: Training
    save: Save
    electra: Electra = Electra()


#: What each family learns, and the vocabulary it learns it with.
OBJECTIVES = {"albert": "mlm+sop", "bert": "mlm+nsp", "electra": "mlm+rtd"}
VOCABULARIES = {"albert": "unigram", "bert": "wordpiece", "electra": "wordpiece"}


def names() -> tuple[str, ...]:
    """The recipes that come with the package."""
    files = resources.files("tpu_train").joinpath("recipes").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def load(name_or_file: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Reads a recipe that comes with the package by its name, or any other by its path.

    Args:
        name_or_file: ``albert-tiny`` or ``my/recipe.toml``.
        overrides: values by dotted key, such as ``{"training.steps": 100}``.

    Raises:
        InputError: no such recipe, not TOML, unknown or missing keys, values that contradict one another.
    """
    if name_or_file in names():
        content = resources.files("tpu_train").joinpath("recipes", f"{name_or_file}.toml").read_bytes()
        where = f"recipe {name_or_file}"
    else:
        path = Path(name_or_file)
        if not path.is_file():
            raise InputError(
                f"No recipe {name_or_file!r}: expected a TOML file or one of {', '.join(names())}."
            )
        content, where = path.read_bytes(), str(path)
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is not valid TOML: {error}.") from None
    for key, value in (overrides or {}).items():
        set_path(table, key, value)
    return check(from_table(Recipe, table, where), where)


def from_json(table: Mapping[str, Any], where: str) -> Recipe:
    """The recipe as ``run.json`` keeps it."""
    return check(from_table(Recipe, table, where), where)


def to_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as nested tables, every default written out."""
    return dataclasses.asdict(recipe)


def stages(recipe: Recipe) -> list[tuple[int, int, Recipe]]:
    """The stretches of a run with batches of one shape: first step, end, and the recipe of its batches."""
    found = []
    edges = [(0, recipe), *((phase.from_step, _phased(recipe, phase)) for phase in recipe.data.phases)]
    ends = [start for start, _ in edges[1:]] + [recipe.training.steps]
    for (start, own), end in zip(edges, ends, strict=True):
        found.append((start, end, own))
    return found


def _phased(recipe: Recipe, phase: Phase) -> Recipe:
    data = dataclasses.replace(recipe.data, length=phase.length, max_predictions=phase.max_predictions)
    return dataclasses.replace(
        recipe, data=data, training=dataclasses.replace(recipe.training, batch=phase.batch)
    )


def differences(old: Recipe, new: Recipe) -> list[str]:
    """What differs, one ``key: old → new`` a line."""
    return _differences(to_json(old), to_json(new), "")


def _differences(old: Any, new: Any, prefix: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in old:
            found += _differences(old[key], new[key], f"{prefix}.{key}" if prefix else key)
        return found
    return [] if old == new else [f"{prefix}: {old!r} → {new!r}"]


def check(recipe: Recipe, where: str) -> Recipe:
    """Returns ``recipe`` if its values can go together.

    Raises:
        InputError: they cannot; the message names the keys and what they must satisfy.
    """
    model, data, training, optimizer = recipe.model, recipe.data, recipe.training, recipe.optimizer
    positive = {
        f"{table}.{field.name}": getattr(getattr(recipe, table), field.name)
        for table in ("model", "vocabulary", "data", "training")
        for field in dataclasses.fields(getattr(recipe, table))
        if field.type == "int" and field.name != "seed"
    }
    rules: list[tuple[bool, str]] = [(value > 0, f"{key} must be above 0") for key, value in positive.items()]
    rules += [
        (model.hidden % max(model.heads, 1) == 0, "model.hidden must be a multiple of model.heads"),
        (model.layers % max(model.groups, 1) == 0, "model.layers must be a multiple of model.groups"),
        (data.length <= model.positions, "data.length must not exceed model.positions"),
        (data.length >= 8, "data.length must be 8 or more"),
        (
            recipe.objective == OBJECTIVES[recipe.family],
            f"objective of the family {recipe.family} is {OBJECTIVES[recipe.family]!r}",
        ),
        (
            recipe.vocabulary.kind == VOCABULARIES[recipe.family],
            f"vocabulary.kind of the family {recipe.family} is {VOCABULARIES[recipe.family]!r}",
        ),
        (recipe.family == "albert" or model.groups == 1, "model.groups is of the family albert alone"),
        (
            recipe.family != "bert" or model.embedding == model.hidden,
            "model.embedding must be model.hidden in the family bert",
        ),
        (
            recipe.family != "electra" or model.activation == "gelu_erf",
            'model.activation must be "gelu_erf" in the family electra: transformers\' head knows no other',
        ),
        (0 < recipe.electra.generator_width <= 1, "electra.generator_width must lie in (0, 1]"),
        (0 < recipe.electra.generator_layers <= 1, "electra.generator_layers must lie in (0, 1]"),
        (recipe.electra.temperature > 0, "electra.temperature must be above 0"),
        (0 < data.masked_share < 1, "data.masked_share must lie between 0 and 1"),
        (data.replaced_by_mask + data.replaced_by_random <= 1, "data.replaced_by_* must add up to 1 or less"),
        (0 <= model.hidden_dropout < 1, "model.hidden_dropout must lie in [0, 1)"),
        (0 <= model.attention_dropout < 1, "model.attention_dropout must lie in [0, 1)"),
        (optimizer.warmup_steps >= 0, "optimizer.warmup_steps must not be negative"),
        (optimizer.learning_rate > 0, "optimizer.learning_rate must be above 0"),
        (0 <= optimizer.beta1 < 1, "optimizer.beta1 must lie in [0, 1)"),
        (0 <= optimizer.beta2 < 1, "optimizer.beta2 must lie in [0, 1)"),
        (optimizer.epsilon > 0, "optimizer.epsilon must be above 0"),
        (optimizer.weight_decay >= 0, "optimizer.weight_decay must not be negative"),
        (optimizer.clip_norm > 0, "optimizer.clip_norm must be above 0"),
        # Random numbers are keyed by 64 bits.
        (0 <= training.seed < 1 << 63, "training.seed must not be negative, and below 2^63"),
        (all(step >= 0 for step in recipe.save.steps), "save.steps must not be negative"),
        (all(piece.every > 0 for piece in recipe.save.pieces), "save.pieces: every must be above 0"),
    ]
    before = 0
    for phase in data.phases:
        rules += [
            (before < phase.from_step < training.steps, "data.phases: from_step must rise, below the steps"),
            (8 <= phase.length <= model.positions, "data.phases: length must lie in 8 … model.positions"),
            (phase.max_predictions > 0 and phase.batch > 0, "data.phases: all must be above 0"),
        ]
        before = phase.from_step
    for holds, rule in rules:
        if not holds:
            raise InputError(f"{where}: {rule}.")
    return recipe
