"""The annotated files, read by a strict reader of their own: what every consumer of the formats relies on."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

PENN = """$ '' , -LRB- -RRB- . : ADD AFX CC CD DT EX FW HYPH IN JJ JJR JJS LS MD NFP NN NNP NNPS NNS PDT POS
PRP PRP$ RB RBR RBS RP SYM TO UH VB VBD VBG VBN VBP VBZ WDT WP WP$ WRB ``"""
CONSTITUENTS = """ADJP ADVP CONJP EMBED FRAG INTJ LST META NAC NML NP NX PP PRN PRT QP RRC S SBAR SBARQ SINV
SQ TOP UCP VP WHADJP WHADVP WHNP WHPP X"""
ROLES = re.compile(r"(R-)?(ARG[0-5]|ARGM-(ADV|CAU|LOC|MNR|MOD|NEG|TMP))")
UPOS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"


def blocks(path: Path) -> list[list[str]]:
    return [block.split("\n") for block in path.read_text("utf-8").strip("\n").split("\n\n")]


@pytest.fixture(scope="module")
def conllu(world) -> list[list[list[str]]]:
    found = blocks(world.root / "data" / "heldout" / "heldout.conllu")
    return [[line.split("\t") for line in block if not line.startswith("#")] for block in found]


@pytest.fixture(scope="module")
def conll2012(world) -> list[list[list[list[str]]]]:
    """Documents of sentences of lines of columns: the held-out sentences, on which probes are judged."""
    return documents(world.root / "data" / "annotated" / "test" / "world.gold_conll")


def documents(path: Path) -> list[list[list[list[str]]]]:
    text = path.read_text("utf-8")
    found = re.findall(r"#begin document \((\S+)\); part 000\n(.*?)#end document\n", text, re.DOTALL)
    assert len(found) == text.count("#begin document") == len({name for name, _ in found})
    return [
        [[line.split() for line in block.split("\n")] for block in body.strip("\n").split("\n\n")]
        for _, body in found
    ]


def spans(column: list[str]) -> list[tuple[str, int, int]]:
    """Bracketed labels of a column as (label, start, end), ends exclusive; fails where they do not nest."""
    found, stack = [], []
    for at, cell in enumerate(column):
        for part in re.findall(r"\(([^()*]+)|(\))|\*", cell):
            if part[0]:
                stack.append((part[0], at))
            elif part[1]:
                label, start = stack.pop()
                found.append((label, start, at + 1))
    assert not stack
    return found


def test_both_files_hold_the_same_words_and_tags(conllu, conll2012):
    sentences = [sentence for document in conll2012 for sentence in document]
    assert [[(c[1], c[4]) for c in s] for s in conllu] == [[(c[3], c[4]) for c in s] for s in sentences]
    assert len(sentences) == 300


def test_tags_are_penns_and_every_class_of_words_is_there(conllu):
    tags = Counter(columns[4] for sentence in conllu for columns in sentence)
    assert set(tags) <= set(PENN.split())
    assert {"CC", "DT", "EX", "IN", "MD", "NN", "NNS", "NNP", "PRP", "PRP$", "RB", "RP", "TO"} <= set(tags)
    assert {"VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "JJ", "WP", "WRB", "WDT", "CD", "POS"} <= set(tags)


def test_dependencies_are_trees(conllu):
    for sentence in conllu:
        heads = [int(columns[6]) for columns in sentence]
        assert [columns[0] for columns in sentence] == [str(i + 1) for i in range(len(sentence))]
        assert heads.count(0) == 1
        assert all(
            (head == 0) == (columns[7] == "root") for head, columns in zip(heads, sentence, strict=True)
        )
        assert all(columns[3] in UPOS.split() for columns in sentence)
        for start in range(1, len(heads) + 1):
            seen, at = set(), start
            while at:
                assert at not in seen
                seen.add(at)
                at = heads[at - 1]


def test_dependencies_follow_the_guidelines(conllu):
    """Relations between content words: function words govern nothing but what belongs to them."""
    for sentence in conllu:
        for columns in sentence:
            head = sentence[int(columns[6]) - 1] if columns[6] != "0" else None
            if columns[3] == "PUNCT":
                assert columns[7] == "punct"
            if head is not None:
                assert head[7] not in {"case", "det", "aux", "aux:pass", "cop", "mark", "cc", "punct"}, (
                    sentence
                )
            if columns[7] == "nsubj":
                assert columns[3] in {"NOUN", "PROPN", "PRON", "NUM"}, columns
            if columns[7].startswith("aux"):
                assert columns[3] == "AUX"


def test_parses_are_balanced_trees_over_the_right_labels(conll2012):
    labels = Counter()
    for document in conll2012:
        for sentence in document:
            found = spans([columns[5] for columns in sentence])
            labels.update(label for label, _, _ in found)
            assert found[-1] == ("TOP", 0, len(sentence))
            assert [columns[2] for columns in sentence] == [str(i) for i in range(len(sentence))]
            assert [label for label, _, _ in found].count("TOP") == 1
    assert set(labels) <= set(CONSTITUENTS.split())
    assert {"S", "NP", "VP", "PP", "SBAR", "ADJP", "ADVP", "WHNP", "PRT"} <= set(labels)


def test_every_predicate_has_a_column_with_its_verb_and_disjoint_arguments(conll2012):
    roles = Counter()
    for document in conll2012:
        for sentence in document:
            predicates = [i for i, columns in enumerate(sentence) if columns[6] != "-"]
            assert all((columns[6] == "-") == (columns[7] == "-") for columns in sentence)
            assert {len(columns) for columns in sentence} == {12 + len(predicates)}
            assert all(sentence[i][4].startswith("VB") for i in predicates)
            for number, predicate in enumerate(predicates):
                found = spans([columns[11 + number] for columns in sentence])
                assert ("V", predicate, predicate + 1) in found
                arguments = [span for span in found if span[0] != "V"]
                assert all(ROLES.fullmatch(label) for label, _, _ in arguments)
                covered = [i for _, start, end in found for i in range(start, end)]
                assert len(covered) == len(set(covered))
                numbered = [label for label, _, _ in arguments if not label.startswith("ARGM")]
                assert len(numbered) == len(set(numbered))
                roles.update(label for label, _, _ in arguments)
    assert {"ARG0", "ARG1", "ARG2", "R-ARG0", "ARGM-TMP", "ARGM-NEG", "ARGM-MOD", "ARGM-LOC"} <= set(roles)


def test_arguments_are_constituents(conll2012):
    for document in conll2012:
        for sentence in document:
            nodes = {(start, end) for _, start, end in spans([columns[5] for columns in sentence])}
            nodes |= {(i, i + 1) for i in range(len(sentence))}
            for column in range(11, len(sentence[0]) - 1):
                for _, start, end in spans([columns[column] for columns in sentence]):
                    assert (start, end) in nodes


def mentions(column: list[str]) -> list[tuple[str, int, int]]:

    found, open_ = [], {}
    for at, cell in enumerate(column):
        for mark in cell.split("|") if cell != "-" else []:
            number = mark.strip("()")
            if mark.startswith("("):
                open_.setdefault(number, []).append(at)
            if mark.endswith(")"):
                found.append((number, open_[number].pop(), at + 1))
    assert not any(open_.values())
    return found


def test_coreference_is_balanced_agrees_and_never_single(conll2012):
    agreeing = {
        "he": "m", "him": "m", "his": "m", "himself": "m",
        "she": "f", "her": "f", "herself": "f",
        "it": "n", "its": "n", "itself": "n",
    }  # fmt: skip
    inside = 0
    for document in conll2012:
        sizes, genders = Counter(), {}
        for sentence in document:
            found = mentions([columns[-1] for columns in sentence])
            sizes.update(number for number, _, _ in found)
            inside += any(count > 1 for count in Counter(number for number, _, _ in found).values())
            for number, start, end in found:
                form = sentence[start][3].lower()
                if end - start == 1 and form in agreeing:
                    genders.setdefault(number, set()).add(agreeing[form])
        assert all(size > 1 for size in sizes.values())
        assert all(len(found) == 1 for found in genders.values())
    assert inside >= 10


def test_verbs_agree_and_articles_fit(conll2012):
    vowel = re.compile(r"(?!eu|one|uk|useful|uni|uz|ur)[aeiou]|honest|hour", re.IGNORECASE)
    seen = Counter()
    for document in conll2012:
        for sentence in document:
            for (_, _, _, form, *_), following in pairwise(sentence):
                if form.lower() in ("a", "an"):
                    seen[form.lower()] += 1
                    assert (form.lower() == "an") == bool(vowel.match(following[3])), (form, following[3])
                if form in ("They", "I", "We", "You"):
                    assert following[4] != "VBZ"
                if form in ("He", "She", "It"):
                    assert following[4] != "VBP"
    assert seen["a"] > 10
    assert seen["an"] > 1


def test_held_out_sentences_stand_nowhere_in_the_text(world):
    trained = set(world.text.split("\n"))
    lines = (world.root / "data" / "heldout" / "heldout.conllu").read_text("utf-8").split("\n")
    held = [line.removeprefix("# text = ") for line in lines if line.startswith("# text = ")]
    assert len(held) == len(set(held)) == 300
    assert not trained & set(held)


def test_probes_are_fitted_on_sentences_that_stand_in_no_other_split_and_nowhere_in_the_text(world):
    splits = {
        split: [
            " ".join(columns[3] for columns in sentence)
            for document in documents(world.root / "data" / "annotated" / split / "world.gold_conll")
            for sentence in document
        ]
        for split in ("train", "development", "test")
    }
    assert {split: len(sentences) for split, sentences in splits.items()} == {
        "train": 600, "development": 150, "test": 300
    }  # fmt: skip
    every = [sentence for sentences in splits.values() for sentence in sentences]
    assert len(set(every)) == len(every)
    assert not set(world.text.split("\n")) & set(every)
