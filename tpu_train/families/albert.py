"""ALBERT (Lan et al. 2019): shared layers, factorised embeddings, MLM and sentence order."""

from __future__ import annotations

from tpu_train import names
from tpu_train.families.network import Network, Saved, WordHead, config
from tpu_train.names import Encoder, Layer, Weight
from tpu_train.recipe import Recipe

_MAPPING = "encoder/embedding_hidden_mapping_in"


def network(recipe: Recipe) -> Network:
    """ALBERT with the MLM and SOP heads; layers of a group have the same names."""
    model, vocabulary = recipe.model, recipe.vocabulary.size
    embeddings, mapping = "bert/embeddings", f"bert/{_MAPPING}"
    weights = names.embeddings(embeddings, "albert.embeddings", model, vocabulary)
    weights += names.dense(mapping, f"albert.{_MAPPING.replace('/', '.')}", model.embedding, model.hidden)
    for group in range(model.groups):
        weights += names.layer(_google(group), _hugging_face(group), model)
    weights += names.dense("bert/pooler/dense", "albert.pooler", model.hidden, model.hidden)
    head = "cls/predictions/transform"
    weights += names.dense(f"{head}/dense", "predictions.dense", model.hidden, model.embedding)
    weights += names.norm(f"{head}/LayerNorm", "predictions.LayerNorm", model.embedding)
    order, sop = "cls/seq_relationship", "sop_classifier.classifier"
    weights += [
        Weight("cls/predictions/output_bias", "predictions.bias", (vocabulary,), "zeros"),
        Weight(f"{order}/output_weights", f"{sop}.weight", (2, model.hidden), "normal"),
        Weight(f"{order}/output_bias", f"{sop}.bias", (2,), "zeros"),
    ]
    layers = tuple(_google(number * model.groups // model.layers) for number in range(model.layers))
    about = config(recipe, model, "AlbertForPreTraining") | {
        "embedding_size": model.embedding,
        "num_hidden_groups": model.groups,
        "inner_group_num": 1,
        "classifier_dropout_prob": 0.1,
        "bos_token_id": 2,
        "eos_token_id": 3,
    }
    return Network(
        tuple(weights),
        Encoder(model, embeddings, mapping, layers),
        WordHead(f"{head}/dense", f"{head}/LayerNorm", "cls/predictions/output_bias"),
        None,
        (Saved("", tuple(weights), about),),
    )


def _google(group: int) -> Layer:
    prefix = f"bert/encoder/transformer/group_{group}/inner_group_0"
    return Layer(
        f"{prefix}/attention_1/self/query",
        f"{prefix}/attention_1/self/key",
        f"{prefix}/attention_1/self/value",
        f"{prefix}/attention_1/output/dense",
        f"{prefix}/LayerNorm",
        f"{prefix}/ffn_1/intermediate/dense",
        f"{prefix}/ffn_1/intermediate/output/dense",
        f"{prefix}/LayerNorm_1",
    )


def _hugging_face(group: int) -> Layer:
    prefix = f"albert.encoder.albert_layer_groups.{group}.albert_layers.0"
    return Layer(
        f"{prefix}.attention.query",
        f"{prefix}.attention.key",
        f"{prefix}.attention.value",
        f"{prefix}.attention.dense",
        f"{prefix}.attention.LayerNorm",
        f"{prefix}.ffn",
        f"{prefix}.ffn_output",
        f"{prefix}.full_layer_layer_norm",
    )
