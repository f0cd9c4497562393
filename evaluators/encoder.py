"""The encoders of ALBERT, BERT, ELECTRA, RoBERTa and DistilBERT, for the states that are read, no others.

Probes and attention read every layer. Masked prediction reads the last layer at the masked pieces and nothing
else: it is computed for these alone, its keys and values not at all (``_last``). The masked copies of a
sentence enter the first layer almost alike: its queries, keys and values are computed once for every token at
a place. On CPUs products run in oneDNN with packed weights and the activation fused; additions to the
residual stream and layer norms stay in fp32. Embeddings are those of the loaded model, whose weights are
taken over once a checkpoint.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from evaluators.hardware import Dtype

Linear = Callable[[torch.Tensor], torch.Tensor]

#: Up to this many pieces a row, attention is computed as batched products.
_SHORT = 128
#: Numbers that a processor's softmax takes at a time: shorter rows are computed one number after another.
_VECTOR = 16

#: config.json's activation → (what oneDNN calls it, which form of it).
_ACTIVATIONS = {"gelu": ("gelu", "none"), "gelu_new": ("gelu", "tanh"), "gelu_pytorch_tanh": ("gelu", "tanh")}


@dataclass(frozen=True)
class _Layer:
    """One layer after Vaswani et al. 2017, norms last. ``all_three``: queries, keys and values at once.

    ``to_key`` (heads, width of a head, width) and ``to_value`` (heads, width, width of a head) are their
    matrices by head, ``value_bias`` (width) what is added to values.
    """

    query: Linear
    all_three: Linear
    to_key: torch.Tensor
    to_value: torch.Tensor
    value_bias: torch.Tensor
    out: Linear
    norm: Linear
    up: Linear
    down: Linear
    last_norm: Linear


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder. ``heads``: attention heads of a layer; ``layers`` may repeat one (ALBERT)."""

    embed: Callable[[torch.Tensor], torch.Tensor]
    layers: Sequence[_Layer]
    heads: int
    dtype: torch.dtype

    def states(self, ids: torch.Tensor, row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        """The last layer's states (n, width), in fp32, of the pieces at (``row``, ``column``) of ``ids``.

        ``ids`` (rows, length) are of one length, without padding; ``row`` ascends.
        """
        rows, length = ids.shape
        row, column = row.to(ids.device), column.to(ids.device)
        with torch.inference_mode():
            (state,) = deque(self._through(ids, self.layers[:-1], alike=True), maxlen=1)
            if not len(row):  # a sentence of which no word fits is masked nowhere
                return state[:0].float()
            return self._last(state, rows, length, row, column)

    def every(
        self, ids: torch.Tensor, *, maps: bool = False
    ) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        """Of rows of one length every layer's states (rows, length, width) in fp32, embeddings first; with
        ``maps`` every layer's attention (rows, heads, length, length) in fp32.
        """
        seen: list[torch.Tensor] | None = [] if maps else None
        with torch.inference_mode():
            states = self._through(ids, self.layers, maps=seen)
            return tuple(state.view(*ids.shape, -1) for state in states), tuple(seen or ())

    def _through(
        self,
        ids: torch.Tensor,
        layers: Sequence[_Layer],
        *,
        alike: bool = False,
        maps: list[torch.Tensor] | None = None,
    ) -> Iterator[torch.Tensor]:
        """The embeddings' states (pieces, width), and those of each of the ``layers``. ``alike``: many rows
        have the same tokens at the same places. ``maps`` takes each layer's attention.
        """
        rows, length = ids.shape
        state = self.embed(ids).flatten(0, 1)
        yield state
        for number, layer in enumerate(layers):
            shown = state.to(self.dtype)
            three = _once(layer.all_three, shown, ids) if alike and not number else layer.all_three(shown)
            state = _finish(layer, state, self._mix(three, rows, length, maps), self.dtype)
            yield state

    def _mix(
        self, three: torch.Tensor, rows: int, length: int, maps: list[torch.Tensor] | None
    ) -> torch.Tensor:
        """Attention of every piece to its row; (pieces, 3 · width) to (pieces, width)."""
        query, key, value = three.view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = self._attend(query, key, value, maps)
        return mixed.transpose(1, 2).reshape(rows * length, -1)

    def _attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        maps: list[torch.Tensor] | None,
    ) -> torch.Tensor:
        """Attention (rows, heads, length, width of a head). On CPUs PyTorch's own kernel is made for long
        rows, and gives no maps back; in bf16, sentences take half its time as batched products.
        """
        slow = self.dtype == torch.bfloat16 and not query.is_cuda and query.shape[2] <= _SHORT
        if maps is None and not slow:
            return functional.scaled_dot_product_attention(query, key, value)
        shape = query.shape
        query, key, value = (part.flatten(0, 1) for part in (query, key, value))
        scores = torch.bmm(query, key.transpose(1, 2)).float().mul_(shape[-1] ** -0.5)
        weights = _softmax(scores)
        if maps is not None:
            maps.append(weights.view(*shape[:2], *weights.shape[1:]))
        return torch.bmm(weights.to(self.dtype), value).view(shape)

    def _last(
        self, state: torch.Tensor, rows: int, length: int, row: torch.Tensor, column: torch.Tensor
    ) -> torch.Tensor:
        """The last layer, of the asked pieces.

        q · Kx = (qK) · x, and a sum of values Vx is V of the sum of x: so matrices meet the few queries
        rather than all pieces. What a key's bias adds is alike for all pieces of a row: softmax drops it.
        """
        layer = self.layers[-1]
        mine = state[row * length + column]
        query = layer.query(mine.to(self.dtype)).view(len(row), self.heads, -1)
        looked_for = torch.bmm(query.transpose(0, 1), layer.to_key).transpose(0, 1)
        # One query a row is the rule: a word of several pieces asks once for each of its places.
        place = torch.arange(len(row), device=row.device) - torch.searchsorted(row, row)
        padded = looked_for.new_zeros(rows, int(place.max()) + 1, *looked_for.shape[1:])
        padded[row, place] = looked_for
        pieces = state.to(self.dtype).view(rows, length, -1)
        scores = torch.bmm(padded.flatten(1, 2), pieces.transpose(1, 2)).float()
        weights = scores.mul_(query.shape[-1] ** -0.5).softmax(-1).to(self.dtype)
        seen = torch.bmm(weights, pieces).view(padded.shape)[row, place]
        mixed = torch.bmm(seen.transpose(0, 1), layer.to_value).transpose(0, 1).flatten(1) + layer.value_bias
        return _finish(layer, mine, mixed, self.dtype).float()


def _softmax(scores: torch.Tensor) -> torch.Tensor:
    """Over the last axis. Rows shorter than a vector take a fifth as long with weightless company."""
    length = scores.shape[-1]
    if scores.is_cuda or length >= _VECTOR:
        return scores.softmax(-1)
    return functional.pad(scores, (0, _VECTOR - length), value=-torch.inf).softmax(-1)[..., :length]


def _once(linear: Linear, states: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """``linear`` of embeddings (pieces, width), which a token and its place in ``ids`` decide: each once."""
    columns = torch.arange(ids.shape[1], device=ids.device)
    different, which = torch.unique(ids * ids.shape[1] + columns, return_inverse=True)
    which = which.flatten()
    first = which.new_empty(len(different)).scatter_(0, which, torch.arange(len(which), device=ids.device))
    return linear(states[first])[which]


def _finish(layer: _Layer, state: torch.Tensor, mixed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    state = layer.norm(_added(layer.out(mixed), state))
    return layer.last_norm(_added(layer.down(layer.up(state.to(dtype))), state))


def _added(part: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """Their sum in fp32, in the place of ``part``: to add numbers of two formats takes half as long again."""
    return part.float().add_(state)


def make_encoder(model: Any, dtype: Dtype) -> Encoder | None:
    """Takes over a transformers model; None where it is of another build."""
    config, base = model.config, model.base_model
    kind = config.model_type
    activation = _ACTIVATIONS.get(str(getattr(config, "hidden_act", getattr(config, "activation", ""))))
    if kind not in _PARTS or activation is None:
        return None
    number = torch.bfloat16 if dtype == "bf16" else torch.float32
    heads = getattr(config, "num_attention_heads", None) or config.n_heads
    made: dict[int, _Layer] = {}
    layers = []
    for module in _PARTS[kind][0](base):
        if id(module) not in made:
            made[id(module)] = _layer(_PARTS[kind][1](module), heads, number, activation)
        layers.append(made[id(module)])
    return Encoder(_embedding(base), layers, heads, number)


def _embedding(base: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Embeddings as wide as the layers: ELECTRA and ALBERT project theirs, in places of their own."""
    encoder = getattr(base, "encoder", None)
    project = getattr(base, "embeddings_project", getattr(encoder, "embedding_hidden_mapping_in", None))

    def embed(ids: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = base.embeddings(input_ids=ids)
        return project(found) if project is not None else found

    return embed


def _albert_layers(base: Any) -> list[Any]:
    groups = base.encoder.albert_layer_groups
    count = base.config.num_hidden_layers
    return [layer for number in range(count) for layer in groups[number * len(groups) // count].albert_layers]


def _albert_parts(layer: Any) -> tuple[Any, ...]:
    mine = layer.attention
    return (
        *(mine.query, mine.key, mine.value, mine.dense, mine.LayerNorm),
        *(layer.ffn, layer.ffn_output, layer.full_layer_layer_norm),
    )


def _bert_parts(layer: Any) -> tuple[Any, ...]:
    mine, out = layer.attention.self, layer.attention.output
    return (
        *(mine.query, mine.key, mine.value, out.dense, out.LayerNorm),
        *(layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm),
    )


def _distilbert_parts(layer: Any) -> tuple[Any, ...]:
    mine = layer.attention
    return (
        *(mine.q_lin, mine.k_lin, mine.v_lin, mine.out_lin, layer.sa_layer_norm),
        *(layer.ffn.lin1, layer.ffn.lin2, layer.output_layer_norm),
    )


#: Family → its layers in order, and a layer's query, key, value, out, norm, up, down and last norm.
_PARTS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], tuple[Any, ...]]]] = {
    "albert": (_albert_layers, _albert_parts),
    "bert": (lambda base: base.encoder.layer, _bert_parts),
    "electra": (lambda base: base.encoder.layer, _bert_parts),
    "roberta": (lambda base: base.encoder.layer, _bert_parts),
    "distilbert": (lambda base: base.transformer.layer, _distilbert_parts),
}


def _layer(parts: tuple[Any, ...], heads: int, dtype: torch.dtype, activation: tuple[str, str]) -> _Layer:
    query, key, value, out, norm, up, down, last_norm = parts
    return _Layer(
        query=_linear((query,), dtype),
        all_three=_linear((query, key, value), dtype),
        to_key=key.weight.to(dtype).unflatten(0, (heads, -1)),
        to_value=value.weight.to(dtype).unflatten(0, (heads, -1)).transpose(1, 2),
        value_bias=value.bias.to(dtype),
        out=_linear((out,), dtype),
        norm=norm,
        up=_linear((up,), dtype, activation),
        down=_linear((down,), dtype),
        last_norm=last_norm,
    )


def _linear(parts: Sequence[Any], dtype: torch.dtype, activation: tuple[str, str] | None = None) -> Linear:
    """Linear maps side by side as one, with the activation that follows, through oneDNN where it is there."""
    weight = torch.cat([part.weight for part in parts]).to(dtype)
    bias = torch.cat([part.bias for part in parts]).to(dtype)
    if weight.device.type == "cpu" and torch.backends.mkldnn.is_available():
        return packed_linear(weight, bias, activation)
    if activation is None:
        return lambda rows: functional.linear(rows, weight, bias)
    return lambda rows: functional.gelu(functional.linear(rows, weight, bias), approximate=activation[1])


def packed_linear(
    weight: torch.Tensor, bias: torch.Tensor, activation: tuple[str, str] | None = None
) -> Linear:
    """A linear map on a CPU, in oneDNN with packed weights, and the activation that follows."""
    packed = torch.ops.mkldnn._reorder_linear_weight(weight)
    name, form = activation or ("none", "")
    return lambda rows: torch.ops.mkldnn._linear_pointwise(rows, packed, bias, name, [], form)
