"""One model in memory: built once, then given the weights of one checkpoint after another.

Weights are read as bytes, held against their digest, and never unpickled. Knows no task.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import safetensors
import safetensors.torch
import torch
import transformers
from transformers.activations import NewGELUActivation

from evaluators.checkpoints import SavedStep
from evaluators.checkpoints.base import CONFIG_FILE, WEIGHTS_FILE
from evaluators.errors import CheckpointError
from evaluators.hardware import Dtype

#: Where the head over the vocabulary sits: hidden states (rows, hidden) in, logits (rows, vocabulary) out.
_HEADS: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "AlbertForPreTraining": lambda model: model.predictions,
    "AlbertForMaskedLM": lambda model: model.predictions,
    "BertForPreTraining": lambda model: model.cls.predictions,
    "BertForMaskedLM": lambda model: model.cls.predictions,
    "ElectraForMaskedLM": lambda model: (
        lambda rows: model.generator_lm_head(model.generator_predictions(rows))
    ),
}


_MOST_THREADS = torch.get_num_threads()
#: Below this width products are so small that handing them to a second thread costs more than it saves, and
#: many times more on a busy machine.
_WIDE = 512


@dataclass
class Resident:
    """The loaded model, and which checkpoint's weights it holds. ``threads``: None lets its width decide."""

    device: str
    dtype: Dtype
    threads: int | None = None
    _model: Any = None
    _config_hash: str = ""
    _weights_hash: str = ""
    _names: frozenset[str] = frozenset()

    def hold(self, saved: SavedStep) -> None:
        """Makes the model hold the weights of ``saved``.

        Raises:
            CheckpointError: the files are damaged, or their weights are not the model's.
        """
        if saved.problem:
            raise CheckpointError(saved.problem)
        if (saved.config_hash, saved.weights_hash) == (self._config_hash, self._weights_hash):
            return
        state = read_weights(saved)
        self._weights_hash = ""
        if saved.config_hash == self._config_hash and frozenset(state) == self._names:
            _swap(self._model, state, saved)
        else:
            self._config_hash, self._names, self._model = "", frozenset(), None
            self._model = _build(saved, self.device)
            torch.set_num_threads(self.threads or self._suitable_threads())
            if state.keys() <= self._model.state_dict().keys():
                self._config_hash, self._names = saved.config_hash, frozenset(state)
        self._weights_hash = saved.weights_hash

    def body(self, ids: torch.Tensor, *, attentions: bool, layers: bool = False) -> Any:
        """The encoder's output for ``ids`` (rows, length), all of one length and none of them padding."""
        wanted = "eager" if attentions else "sdpa"
        if self._model.config._attn_implementation != wanted:
            self._model.set_attn_implementation(wanted)
        with torch.inference_mode(), self._precision():
            return self._model.base_model(
                input_ids=ids.to(self.device), output_attentions=attentions, output_hidden_states=layers
            )

    def head(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The head over the vocabulary, in fp32.

        Raises:
            CheckpointError: the model has none.
        """
        name = type(self._model).__name__
        if name not in _HEADS:
            raise CheckpointError(
                f"{name} has no head over the vocabulary that is known here, and the task needs one. "
                f"Known: {', '.join(_HEADS)}."
            )
        head = _HEADS[name](self._model)

        def logits(hidden: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode():
                found: torch.Tensor = head(hidden.float())
            return found

        return logits

    def _suitable_threads(self) -> int:
        width = getattr(self._model.config, "hidden_size", _WIDE)
        return _MOST_THREADS if width >= _WIDE else 1

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        cast: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if self.dtype == "bf16":
            cast = torch.autocast(self.device, dtype=torch.bfloat16)
        return cast


def read_weights(saved: SavedStep) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, checked.

    Raises:
        CheckpointError: the bytes are not those of the manifest, are no safetensors, or hold NaN or infinity.
    """
    path = saved.folder / WEIGHTS_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != saved.weights_hash:
        raise CheckpointError(
            f"{path} is damaged: its SHA-256 starts {found[:12]}, COMPLETE.json says "
            f"{saved.weights_hash[:12]}. Copy or save the step again."
        )
    try:
        state: dict[str, torch.Tensor] = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is no complete safetensors file: {error}. Copy or save the step again."
        ) from error
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum(dtype=torch.float64)):
            raise CheckpointError(f"{path}: {name} holds NaN or infinity: the training had diverged here.")
    return state


def _build(saved: SavedStep, device: str) -> Any:
    with _quiet():
        try:
            model, told = _class(saved).from_pretrained(
                saved.folder,
                output_loading_info=True,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                attn_implementation="sdpa",
            )
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{saved.folder}: the model cannot be built: {error}") from error
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        names = sorted(map(str, told[what]))
        if names:
            shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
            raise CheckpointError(
                f"{saved.folder}: {WEIGHTS_FILE} and {CONFIG_FILE} do not belong together: "
                f"{len(names)} {what.replace('_', ' ')} for {type(model).__name__} ({shown})."
            )
    return _fuse_gelu(model).eval().requires_grad_(False).to(device)


def _fuse_gelu(model: Any) -> Any:
    """Puts PyTorch's tanh GELU, one kernel, in the place of transformers' eight: the same function."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, NewGELUActivation):
                setattr(module, name, torch.nn.GELU(approximate="tanh"))
    return model


def _class(saved: SavedStep) -> Any:
    """The class that config.json names; the family's pretraining class where it names none."""
    named = saved.config.get("architectures") or []
    found = getattr(transformers, named[0], None) if named else None
    return found or transformers.AutoModelForPreTraining


def _swap(model: Any, state: dict[str, torch.Tensor], saved: SavedStep) -> None:
    """Copies ``state`` into the resident model; tied tensors follow by themselves."""
    parameters = model.state_dict()
    for name, tensor in state.items():
        if parameters[name].shape != tensor.shape:
            raise CheckpointError(
                f"{saved.folder / WEIGHTS_FILE}: {name} has the shape {tuple(tensor.shape)}, "
                f"config.json makes it {tuple(parameters[name].shape)}."
            )
        parameters[name].copy_(tensor)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's own reports off the terminal: what they say is checked and said here."""
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        transformers.logging.enable_progress_bar()
