"""DuckDB 1.5, which people have, reads the store as 2.0 does: Python package and command alike."""

import json
import re
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

OLDER = "1.5.6"
ROOT = Path(__file__).parents[2]

ASK = """
import duckdb, json, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
answers = [sorted(map(repr, connection.execute(query).fetchall())) for query in json.load(sys.stdin)]
json.dump([duckdb.__version__, answers], sys.stdout)
"""


def rounded(row: str) -> str:
    """A row as text, without the last digits: sums are added up in another order."""
    return re.sub(r"\d+\.\d+(e-?\d+)?", lambda number: f"{float(number[0]):.9g}", row)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs with that version, installed from the package index."""
    home = tmp_path_factory.mktemp("older")
    venv.create(home, with_pip=True)
    wanted = [f"duckdb=={OLDER}", f"duckdb-cli=={OLDER}"]
    installed = subprocess.run([home / "bin" / "pip", "install", "--quiet", *wanted], check=False)
    if installed.returncode:
        pytest.skip(f"the package index gives no {' '.join(wanted)}")
    return home / "bin"


@pytest.mark.slow
def test_every_table_view_and_documented_query_answers_the_same(
    older: Path, rich_world: Path, rich_rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    names = [str(name) for (name,) in rich_rows("SELECT table_name FROM information_schema.tables")]
    queries = [f"FROM {name}" for name in names]
    for page in (ROOT / "docs" / "sql.md", ROOT / "README.md"):
        queries += re.findall(r"```sql\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    told = subprocess.run(
        [older / "python", "-c", ASK, str(rich_world)],
        input=json.dumps(queries), capture_output=True, text=True, check=True,
    )  # fmt: skip
    version, answers = json.loads(told.stdout)
    assert version == OLDER
    for query, answer in zip(queries, answers, strict=True):
        assert sorted(map(rounded, answer)) == sorted(rounded(repr(row)) for row in rich_rows(query)), query


@pytest.mark.slow
def test_the_command_reads_it(older: Path, rich_world: Path) -> None:
    query = "SELECT run || ' ' || step FROM suspect_checkpoints"
    told = subprocess.run(
        [older / "duckdb", "-readonly", "-noheader", "-list", str(rich_world), query],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout == "long 500\n"
