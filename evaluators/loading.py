"""One model in memory: built once, then given the weights of one checkpoint after another.

Weights are read as bytes, held against their digest, and never unpickled. Knows no task.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import safetensors
import safetensors.torch
import torch
import transformers
from transformers.activations import NewGELUActivation

from evaluators.batches import BUDGET
from evaluators.checkpoints import ModelFile, SavedStep
from evaluators.checkpoints.base import CONFIG_FILE, UNREADABLE
from evaluators.encoder import Encoder, make_encoder
from evaluators.errors import CheckpointError
from evaluators.families import DETECTOR, DETECTOR_MARK, Family, canonical, family_of
from evaluators.hardware import Dtype

_MOST_THREADS = torch.get_num_threads()
#: Below this width products are so small that handing them to a second thread costs more than it saves, and
#: many times more on a busy machine.
_WIDE = 512


#: Pieces that a GPU computes at a time: fewer leave most of it idle.
_GPU_BUDGET = 32_768

#: Models kept in memory at a time: an ELECTRA needs its generator and its discriminator in turn.
_KEPT = 2


@dataclass
class _Held:
    """A model, the names of the tensors that fill it, and whose weights it holds."""

    model: Any
    names: frozenset[str]
    weights_hash: str
    encoder: Encoder | None = None


@dataclass
class Resident:
    """The loaded model, and which checkpoint's weights it holds. ``threads``: None lets its width decide."""

    device: str
    dtype: Dtype
    threads: int | None = None
    most_threads: int | None = None
    _kept: dict[str, _Held] = field(default_factory=dict)
    _held: _Held | None = None
    _family: Family | None = None

    def __post_init__(self) -> None:
        """Takes cuDNN out of PyTorch's attention: it plans anew for every length of sentence, which took ten
        times as long as the attention itself.
        """
        if self.device == "cuda":
            torch.backends.cuda.enable_cudnn_sdp(False)

    def hold(self, saved: SavedStep) -> None:
        """Makes the model hold the weights of ``saved``.

        Raises:
            CheckpointError: the files are damaged, or their weights are not the model's.
        """
        if saved.problem:
            raise CheckpointError(saved.problem)
        self._family = family_of(saved)
        kept = self._kept.get(saved.config_hash)
        if kept is not None and kept.weights_hash == saved.weights_hash:
            self._held = kept
            return
        state = read_weights(saved, self._family)
        if UNREADABLE in (saved.weights_hash, saved.tokenizer_hash):
            for file in saved.tokenizer:
                file.read()  # raises what is wrong, where it still is
            raise CheckpointError(
                f"{saved.uri} could not be read when it was looked at. Run the command again."
            )
        self._held = None
        if kept is not None and kept.names == frozenset(state):
            kept.weights_hash = ""
            _swap(kept.model, state, saved)
        else:
            self._kept.pop(saved.config_hash, None)
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            kept = _Held(_build(saved, self._family, state, self.device), frozenset(state), "")
            torch.set_num_threads(self.threads or self._suitable_threads(kept.model))
            self._kept[saved.config_hash] = kept
        kept.weights_hash = saved.weights_hash
        kept.encoder = None
        self._held = kept

    @property
    def budget(self) -> int:
        """How many pieces may be computed together. No number depends on it, but for the last bits."""
        return BUDGET if self.device == "cpu" else _GPU_BUDGET

    @property
    def _model(self) -> Any:
        if self._held is None:
            raise CheckpointError("no checkpoint is loaded.")
        return self._held.model

    def body(self, ids: torch.Tensor, *, attentions: bool, layers: bool = False) -> Any:
        """The encoder's output for ``ids`` (rows, length), all of one length and none of them padding."""
        model = self._model
        wanted = "eager" if attentions else "sdpa"
        if model.config._attn_implementation != wanted:
            model.set_attn_implementation(wanted)
        with torch.inference_mode(), self._precision():
            return model.base_model(
                input_ids=ids.to(self.device), output_attentions=attentions, output_hidden_states=layers
            )

    def states(self, ids: torch.Tensor, row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        """The last layer's states (n, width) of the pieces at (``row``, ``column``) of ``ids``, as ``body``
        gives them, and no others: the shortest way there.
        """
        encoder = self._encoder()
        if encoder is not None:
            return encoder.states(ids.to(self.device), row, column)
        found: torch.Tensor = self.body(ids, attentions=False).last_hidden_state[row, column]
        return found

    def layers(self, ids: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The states (rows, length, width) of every layer, the embeddings first, as ``body`` gives them."""
        return self.every(ids, maps=False)[0]

    def every(
        self, ids: torch.Tensor, *, maps: bool
    ) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        """``layers``, and where ``maps`` are asked for, every layer's (rows, heads, length, length)."""
        encoder = self._encoder()
        if encoder is not None:
            return encoder.every(ids.to(self.device), maps=maps)
        out = self.body(ids, attentions=maps, layers=True)
        told = out.attentions or ()
        return out.hidden_states, told if maps and all(one is not None for one in told) else ()

    def _encoder(self) -> Encoder | None:
        """The shortest way through the model that is held, where there is a shorter one than its own."""
        model, held = self._model, self._held
        assert held is not None
        if held.encoder is None:
            held.encoder = make_encoder(model, self.dtype)
        return held.encoder

    def head(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The head over the vocabulary, in fp32.

        Raises:
            CheckpointError: the checkpoint has none.
        """
        model, family = self._model, self._family
        assert self._held is not None
        assert family is not None
        if not any(name.startswith(family.marks) for name in self._held.names):
            raise CheckpointError(
                f"The checkpoint has no head over the vocabulary ({family.marks[0]}…): the task needs one."
                + (
                    " It is a discriminator: save its generator beside it, in a folder generator/."
                    if type(model).__name__ == DETECTOR
                    else ""
                )
            )
        head = family.head(model)

        def logits(hidden: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode():
                found: torch.Tensor = head(hidden.float())
            return found

        return logits

    def detector(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """ELECTRA's discriminator: hidden states (n, width) to logits (n,), above 0 for a replaced piece.

        Raises:
            CheckpointError: the checkpoint has none.
        """
        model = self._model
        if type(model).__name__ != DETECTOR:
            raise CheckpointError(
                "The checkpoint has no head that detects replaced pieces, and the task needs one: "
                "it is for ELECTRA's discriminators."
            )

        def logits(hidden: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode():
                found: torch.Tensor = model.discriminator_predictions(hidden.float())
            return found

        return logits

    def _suitable_threads(self, model: Any) -> int:
        return (
            (self.most_threads or _MOST_THREADS)
            if getattr(model.config, "hidden_size", _WIDE) >= _WIDE
            else 1
        )

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        cast: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if self.dtype == "bf16":
            cast = torch.autocast(self.device, dtype=torch.bfloat16)
        return cast


def read_weights(saved: SavedStep, family: Family) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by the names that ``family`` gives them, checked.

    Raises:
        CheckpointError: the bytes are not those of the manifest, hold no tensors, or hold NaN or infinity.
    """
    state: dict[str, torch.Tensor] = {}
    for file in saved.weights:
        for told, tensor in _tensors(file).items():
            name = canonical(told, family)
            if name is None:
                continue
            if tensor.is_floating_point() and not torch.isfinite(tensor.sum(dtype=torch.float64)):
                raise CheckpointError(
                    f"{file.uri}: {told} holds NaN or infinity: the training had diverged here."
                )
            state[name] = tensor
    return state


def _tensors(file: ModelFile) -> dict[str, torch.Tensor]:
    data = file.read()
    if file.path.endswith(".safetensors"):
        try:
            found: dict[str, torch.Tensor] = safetensors.torch.load(data)
        except (safetensors.SafetensorError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"{file.uri} is no complete safetensors file: {error}. Copy or save the step again."
            ) from error
        return found
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            # PyTorch's own words go on to advise the reading that runs the code.
            f"{file.uri} is refused: it holds more than tensors, and to read it would run code, or it is "
            "damaged. Save the weights alone, best as model.safetensors."
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{file.uri} is no complete PyTorch file: {_first_line(error)}. Copy or save the step again."
        ) from error
    for wrapping in ("state_dict", "model"):
        if isinstance(told, dict) and isinstance(told.get(wrapping), dict):
            told = told[wrapping]
    if not isinstance(told, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in told.values()):
        raise CheckpointError(f"{file.uri}: expected tensors by name, found {type(told).__name__}.")
    return {str(name).removeprefix("module."): tensor for name, tensor in told.items()}


def _build(saved: SavedStep, family: Family, state: dict[str, torch.Tensor], device: str) -> Any:
    detects = any(name.startswith(DETECTOR_MARK) for name in state)
    kind = getattr(
        transformers, DETECTOR if detects and family.masked.startswith("Electra") else family.masked
    )
    with _quiet():
        try:
            model, told = kind.from_pretrained(
                None,
                config=_config(saved),
                state_dict=state,
                output_loading_info=True,
                dtype=torch.float32,
                attn_implementation="sdpa",
                # Told below, by name; without this transformers raises and names nothing.
                ignore_mismatched_sizes=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{saved.uri}: the model cannot be built: {_first_line(error)}") from error
    if not any(name.startswith(family.marks) for name in state):
        # An encoder alone: no head was saved, and none is used.
        told["missing_keys"] = [n for n in told["missing_keys"] if not n.startswith(family.marks)]
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        # A mismatched key comes with its two shapes.
        names = sorted(str(key[0] if isinstance(key, tuple) else key) for key in told[what])
        if names:
            shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
            raise CheckpointError(
                f"{saved.uri}: the weights and {CONFIG_FILE} do not belong together: "
                f"{len(names)} {what.replace('_', ' ')} for {type(model).__name__} ({shown})."
            )
    return _fuse_gelu(model).eval().requires_grad_(False).to(device)


def _config(saved: SavedStep) -> Any:
    """The configuration as transformers reads it; code that a repository brings along is never run."""
    told = {key: value for key, value in saved.config.items() if key not in ("auto_map", "model_type")}
    return transformers.AutoConfig.for_model(saved.config["model_type"], **told)


def _fuse_gelu(model: Any) -> Any:
    """Puts PyTorch's tanh GELU, one kernel, in the place of transformers' eight: the same function."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, NewGELUActivation):
                setattr(module, name, torch.nn.GELU(approximate="tanh"))
    return model


def _swap(model: Any, state: dict[str, torch.Tensor], saved: SavedStep) -> None:
    """Copies ``state`` into the resident model; tied tensors follow by themselves."""
    parameters = model.state_dict()
    for name, tensor in state.items():
        if parameters[name].shape != tensor.shape:
            raise CheckpointError(
                f"{saved.uri}: {name} has the shape {tuple(tensor.shape)}, "
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


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
