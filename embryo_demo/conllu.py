"""Writes CoNLL-U: words, lemmas, universal and Penn tags, dependencies. Knows nothing of other formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from embryo_demo.annotation import Sentence


def lines(name: str, sentences: Sequence[Sentence]) -> Iterator[str]:
    """The lines of one document."""
    yield f"# newdoc id = {name}"
    for number, sentence in enumerate(sentences, 1):
        yield f"# sent_id = {name}-{number}"
        yield f"# text = {sentence.text}"
        for index, token in enumerate(sentence.tokens, 1):
            columns = (token.form, token.lemma, token.upos, token.tag, "_", str(token.head), token.deprel)
            yield "\t".join((str(index), *columns, "_", "_"))
        yield ""
