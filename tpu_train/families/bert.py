"""BERT (Devlin et al. 2019): layers with weights of their own, MLM and next sentences."""

from __future__ import annotations

from tpu_train import names
from tpu_train.families.network import Network, Saved, WordHead, config
from tpu_train.names import Encoder, Weight
from tpu_train.recipe import Recipe


def network(recipe: Recipe) -> Network:
    """BERT with the MLM and NSP heads."""
    model, vocabulary = recipe.model, recipe.vocabulary.size
    weights = names.embeddings("bert/embeddings", "bert.embeddings", model, vocabulary)
    layers, own = names.bert_layers("bert", "bert", model)
    weights += own
    weights += names.dense("bert/pooler/dense", "bert.pooler.dense", model.hidden, model.hidden)
    head = "cls/predictions/transform"
    dotted = head.replace("/", ".")
    weights += names.dense(f"{head}/dense", f"{dotted}.dense", model.hidden, model.embedding)
    weights += names.norm(f"{head}/LayerNorm", f"{dotted}.LayerNorm", model.embedding)
    pair = "cls/seq_relationship"
    weights += [
        Weight("cls/predictions/output_bias", "cls.predictions.bias", (vocabulary,), "zeros"),
        Weight(f"{pair}/output_weights", "cls.seq_relationship.weight", (2, model.hidden), "normal"),
        Weight(f"{pair}/output_bias", "cls.seq_relationship.bias", (2,), "zeros"),
    ]
    return Network(
        tuple(weights),
        Encoder(model, "bert/embeddings", None, layers),
        WordHead(f"{head}/dense", f"{head}/LayerNorm", "cls/predictions/output_bias"),
        None,
        (Saved("", tuple(weights), config(recipe, model, "BertForPreTraining")),),
    )
