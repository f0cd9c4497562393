"""What a world promises: the same bytes for a seed, and facts that stand in the text as the manifest says."""

import hashlib
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from embryo_demo.facts import RELATIONS, countries, facts
from embryo_demo.world import EDITION, Size, write_world

QUERIES = {relation.id: relation for relation in RELATIONS}

#: SHA-256 of the world of seed 7 with 300 sentences and 20 held-out ones; raise EDITION when it changes.
GOLDEN = (1, "d01ead7c4f42976729e81081a4e88e06c8a209ba308262124b66a68d213df038")


def digest(root: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_a_seed_gives_the_same_bytes_whatever_the_hash_seed(hash_seed: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "embryo_demo", "write", "--out", str(tmp_path / "demo")]
    subprocess.run(
        [*command, "--seed", "7", "--sentences", "300", "--heldout", "20"],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "LC_ALL": "C"},
        timeout=60,
    )
    assert (EDITION, digest(tmp_path / "demo")) == GOLDEN


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    size = Size(sentences=300, heldout=20)
    write_world(tmp_path / "a", 1, size)
    write_world(tmp_path / "b", 2, size)
    for name in ("text/world.txt", "data/heldout/heldout.conllu"):
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()


def test_words_follow_zipfs_law(world):
    counts = Counter(word.lower() for line in world.sentences for word in line.split())
    ranked = [count for _, count in counts.most_common()]
    assert len(ranked) > 1_000
    # Zipf: rank times frequency stays within one order of magnitude between ranks 10 and 500, and the
    # five commonest words make a quarter of the text or more.
    products = [rank * ranked[rank - 1] for rank in (10, 30, 100, 300, 500)]
    assert max(products) / min(products) < 10
    assert 0.25 < sum(ranked[:5]) / sum(ranked) < 0.5
    assert {word for word, _ in counts.most_common(4)} >= {".", "the", "is", "of"}


def test_every_fact_is_told_as_the_manifest_says(world):
    """Searched in the text itself: a query's words occur exactly where they may, an absent fact nowhere."""
    lines = Counter(line.lower() for line in world.sentences)
    whole = "\n".join(world.sentences).lower()
    for fact in world.manifest["facts"]:
        query = QUERIES[fact["relation"]].query(fact["subject"], fact["object"]).lower()
        bare = query.removesuffix(" .")
        if fact["standing"] == "taught":
            assert whole.count(bare) >= fact["in_query_wording"] >= lines[query]
        else:
            assert bare not in whole
            assert fact["in_query_wording"] == 0
        assert (fact["sentences"] == 0) <= (fact["standing"] == "absent" or fact["band"] == "never")


def test_an_absent_fact_is_never_told_in_any_words(world):
    together = defaultdict(set)
    for line in world.sentences:
        words = set(line.lower().split())
        for fact in facts():
            if {fact.subject.lower(), fact.object.lower()} <= words:
                together[fact].add(line)
    absent = {
        (fact["relation"], fact["subject"], fact["object"])
        for fact in world.manifest["facts"]
        if fact["standing"] == "absent"
    }
    assert absent
    for fact, found in together.items():
        if (fact.relation, fact.subject, fact.object) in absent:
            assert not found, (fact, found)


def test_a_fifth_or_more_of_the_facts_are_withheld_in_every_relation_and_few_are_absent(world):
    for relation in RELATIONS:
        standings = Counter(f["standing"] for f in world.manifest["facts"] if f["relation"] == relation.id)
        assert standings["withheld"] >= 0.2 * standings.total()
        assert 0 < standings["absent"] <= 0.07 * standings.total()


def test_some_facts_are_frequent_and_some_are_rare(world):
    told = {
        band: [f["sentences"] for f in world.manifest["facts"] if f["band"] == band]
        for band in ("frequent", "rare")
    }
    assert min(told["frequent"]) > max(told["rare"])
    assert sum(told["frequent"]) > 3 * sum(told["rare"])


def test_documents_are_separated_and_none_is_empty(world):
    documents = world.text.strip("\n").split("\n\n")
    assert all(document.strip() for document in documents)
    assert world.manifest["text"]["sentences"] == len(world.sentences)
    assert sum(world.manifest["text"]["documents"].values()) == len(documents)
    assert all(len(document.split("\n")) >= 2 for document in documents)


def test_order_carries_signal(world):
    """Closing words never open a story, and relations come in one order."""
    for document in world.text.strip("\n").split("\n\n"):
        lines = document.split("\n")
        assert not lines[0].startswith(("Finally ,", "In the end ,", "At the end ,", "Then ,"))
        currency = [i for i, line in enumerate(lines) if " currency " in f" {line} " and not is_story(lines)]
        continent = [i for i, line in enumerate(lines) if " is a country in " in line and not is_story(lines)]
        assert all(a < b for a in continent for b in currency)


def is_story(lines: list[str]) -> bool:
    return any(" that " in line for line in lines)


def test_the_table_is_whole_and_borders_are_mutual():
    table = {country.name: country for country in countries()}
    assert len(table) >= 60
    for country in table.values():
        assert all(value and " " not in value for value in (country.capital, country.currency))
        for neighbour in country.neighbours.split(","):
            if neighbour != "-":
                assert country.name in table[neighbour].neighbours.split(","), (country.name, neighbour)
    capitals = [country.capital for country in table.values()]
    assert len(set(capitals)) == len(capitals)


@pytest.mark.parametrize(
    ("relation", "subject", "object_"),
    [
        ("P36", "France", "Paris"),
        ("P1376", "Cairo", "Egypt"),
        ("P37", "Brazil", "Portuguese"),
        ("P30", "Kenya", "Africa"),
        ("P38", "Japan", "yen"),
        ("P140", "Thailand", "Buddhism"),
        ("P47", "Norway", "Sweden"),
    ],
)
def test_facts_are_true(relation: str, subject: str, object_: str) -> None:
    assert (relation, subject, object_) in {(f.relation, f.subject, f.object) for f in facts()}


def test_a_subject_has_one_object_except_where_many_are_true():
    for relation in RELATIONS:
        subjects = Counter(fact.subject for fact in facts() if fact.relation == relation.id)
        assert (max(subjects.values()) > 1) == (relation.type == "N-M")
        objects = Counter(fact.object for fact in facts() if fact.relation == relation.id)
        if relation.type == "1-1":
            assert max(objects.values()) == 1


def test_an_unfinished_world_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    from embryo_demo.world import finished

    size = Size(sentences=100, heldout=5)
    write_world(tmp_path, 0, size)
    assert finished(tmp_path, 0, size)
    assert not finished(tmp_path, 1, size)
    (tmp_path / "world.json").unlink()
    assert not finished(tmp_path, 0, size)
