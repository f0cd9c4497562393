"""Families of models: every one against its own transformers class; heads by their tensors, never made up."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import transformers

from evaluators.batches import Stream, by_length
from evaluators.checkpoints import CheckpointStore
from evaluators.compute import look
from evaluators.errors import CheckpointError
from evaluators.families import longest_input
from evaluators.loading import Resident
from evaluators.vocabulary import load_vocabulary

MASKED = ("albert", "bert", "electra", "roberta", "distilbert", "modernbert")


def save(little: ModuleType, root: Path, *models: torch.nn.Module) -> CheckpointStore:
    for step, model in enumerate(models):
        little.write_step(root / "one", step, model)
    return CheckpointStore(root)


def rows(count: int, length: int, vocabulary: int) -> torch.Tensor:
    return torch.randint(5, vocabulary, (count, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", MASKED)
def test_states_attentions_and_logits_are_those_of_the_familys_own_class(
    little: ModuleType, tmp_path: Path, family: str
) -> None:
    first, second = little.make_model(1, family), little.make_model(2, family)
    source = save(little, tmp_path, first, second)
    resident = Resident("cpu", "fp32")
    ids = rows(3, 11, len(little.make_tokenizer()))
    for step, model in ((0, first), (1, second), (0, first)):
        resident.hold(source.open("one", step))
        found = resident.body(ids, attentions=True, layers=True)
        model.set_attn_implementation("eager")
        with torch.no_grad():
            expected = model(input_ids=ids, output_attentions=True, output_hidden_states=True)
        logits = expected.prediction_logits if "prediction_logits" in expected else expected.logits
        hidden = found.last_hidden_state.flatten(0, 1)
        torch.testing.assert_close(resident.head()(hidden), logits.flatten(0, 1), atol=1e-4, rtol=1e-4)
        for mine, theirs in (
            (found.attentions, expected.attentions),
            (found.hidden_states, expected.hidden_states),
            (resident.every(ids, maps=True)[0], expected.hidden_states),
            (resident.every(ids, maps=True)[1], expected.attentions),
            (resident.layers(ids), expected.hidden_states),
        ):
            assert len(mine) == len(theirs) > 0
            for one, other in zip(mine, theirs, strict=True):
                torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", MASKED)
def test_layers_in_half_precision_are_nearly_those_in_full(
    little: ModuleType, tmp_path: Path, family: str
) -> None:
    source = save(little, tmp_path, little.make_model(1, family))
    ids = rows(3, 11, len(little.make_tokenizer()))
    found = []
    for dtype in ("fp32", "bf16"):
        resident = Resident("cpu", dtype)
        resident.hold(source.open("one", 0))
        found.append([state.float() for state in resident.layers(ids)])
    for whole, half in zip(*found, strict=True):
        assert whole.shape == half.shape
        assert float((whole - half).norm() / whole.norm()) < 0.03


@pytest.mark.parametrize("family", MASKED)
def test_batches_that_are_computed_together_are_what_they_are_alone(
    little: ModuleType, tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident = Resident("cpu", "fp32")
    resident.hold(save(little, tmp_path, little.make_model(1, family)).open("one", 0))
    vocabulary = len(little.make_tokenizer())
    batches = by_length([*rows(5, 7, vocabulary).numpy(), *rows(3, 9, vocabulary).numpy()], 15)
    places = tuple((np.arange(len(batch.ids)), np.arange(len(batch.ids)) + 1) for batch in batches)
    for stream in Stream((), batches, places=places), Stream((), batches, attentions=True, layers=True):
        alone, some, all_ = [], [], []
        for budget, found in (15, alone), (30, some), (1000, all_):
            monkeypatch.setattr(Resident, "budget", budget)
            for batch, seen in look(resident, stream):
                assert len(batch.ids) == len(seen.hidden)
                found.append((seen.hidden, *seen.attentions, *seen.layers))
        assert len(alone) == len(batches) == 6
        torch.testing.assert_close(some, alone)
        torch.testing.assert_close(all_, alone)


@pytest.mark.parametrize("family", MASKED)
def test_a_row_as_long_as_the_model_reads_is_read(little: ModuleType, tmp_path: Path, family: str) -> None:
    source = save(little, tmp_path, little.make_model(1, family))
    saved = source.open("one", 0)
    resident = Resident("cpu", "fp32")
    resident.hold(saved)
    assert longest_input(saved) == 64
    resident.body(rows(1, longest_input(saved), 60), attentions=False)


def test_an_encoder_alone_has_states_and_no_head(little: ModuleType, tmp_path: Path) -> None:
    whole = little.make_model(1, "bert")
    source = save(little, tmp_path, whole.bert)
    resident = Resident("cpu", "fp32")
    resident.hold(source.open("one", 0))
    ids = rows(2, 7, 60)
    with torch.no_grad():
        expected = whole.bert(ids).last_hidden_state
    torch.testing.assert_close(resident.body(ids, attentions=False).last_hidden_state, expected)
    with pytest.raises(CheckpointError, match="no head over the vocabulary"):
        resident.head()


def test_a_discriminator_detects_and_does_not_fill_masks(little: ModuleType, tmp_path: Path) -> None:
    model = little.make_model(1, "detector")
    source = save(little, tmp_path, model)
    resident = Resident("cpu", "fp32")
    resident.hold(source.open("one", 0))
    ids = rows(2, 7, 60)
    hidden = resident.body(ids, attentions=False).last_hidden_state
    with torch.no_grad():
        expected = model(ids).logits
    torch.testing.assert_close(resident.detector()(hidden), expected)
    with pytest.raises(CheckpointError, match="discriminator: save its generator"):
        resident.head()


def test_a_generator_does_not_detect(little: ModuleType, tmp_path: Path) -> None:
    source = save(little, tmp_path, little.make_model(1, "electra"))
    resident = Resident("cpu", "fp32")
    resident.hold(source.open("one", 0))
    with pytest.raises(CheckpointError, match="no head that detects"):
        resident.detector()


def lose_bias(state: dict[str, torch.Tensor]) -> None:
    del state["cls.predictions.transform.dense.bias"]


def gain_tensor(state: dict[str, torch.Tensor]) -> None:
    state["cls.classifier.weight"] = torch.zeros(2, 32)


def lose_layer(state: dict[str, torch.Tensor]) -> None:
    for name in [name for name in state if ".layer.1." in name]:
        del state[name]


@pytest.mark.parametrize("harm", [lose_bias, gain_tensor, lose_layer])
def test_weights_that_would_be_made_up_or_dropped_are_refused(
    little: ModuleType, tmp_path: Path, harm: Callable[[dict[str, torch.Tensor]], None]
) -> None:
    model = little.make_model(1, "bert")
    folder = little.write_step(tmp_path / "one", 0, model)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items() if "decoder" not in name}
    harm(state)
    from safetensors.torch import save_file

    save_file(state, folder / "model.safetensors", {"format": "pt"})
    little.write_manifest(folder, 0)
    with pytest.raises(CheckpointError, match="do not belong together"):
        Resident("cpu", "fp32").hold(CheckpointStore(tmp_path).open("one", 0))


def test_byte_level_words_follow_a_space(little: ModuleType, tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=[])
    tokenizer.train_from_iterator(["the dog sees the cat"] * 20, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token="<s>",
        pad_token="<pad>",
        sep_token="</s>",
        unk_token="<unk>",
        mask_token="<mask>",
    )
    folder = little.write_step(
        tmp_path / "one", 0, little.make_model(1, "roberta", vocab_size=len(fast)), fast
    )
    assert folder.is_dir()
    vocabulary = load_vocabulary(CheckpointStore(tmp_path).open("one", 0))
    assert vocabulary.strings(vocabulary.pieces("dog")) == ("Ġdog",)
