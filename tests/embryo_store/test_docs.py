"""Every query that the documentation shows answers, on a store with every kind of record."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [page for page in (ROOT / "docs" / "sql.md", ROOT / "README.md") if page.exists()]
QUERIES = [
    pytest.param(query, id=f"{page.stem}-{place}")
    for page in PAGES
    for place, query in enumerate(re.findall(r"```sql\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_documented_query_answers(rich_rows: Callable[[str], list[tuple[object, ...]]], query: str) -> None:
    assert rich_rows(query)


def test_every_table_and_view_is_documented(rows: Callable[[str], list[tuple[object, ...]]]) -> None:
    page = (ROOT / "docs" / "sql.md").read_text("utf-8")
    headings = " ".join(re.findall(r"^### (.*)$", page, re.MULTILINE))
    names = {str(name) for (name,) in rows("SELECT table_name FROM information_schema.tables")}
    assert names
    assert not {name for name in names if f"`{name}`" not in headings and f"`{name}(" not in headings}


def test_every_column_is_explained_where_its_table_or_view_is(
    rows: Callable[[str], list[tuple[object, ...]]],
) -> None:
    page = (ROOT / "docs" / "sql.md").read_text("utf-8")
    identity = set(re.findall(r"`\((run, step.*?)\)`", page, re.DOTALL)[0].replace("\n", " ").split(", "))
    # What is explained once for all stands before the first heading.
    common = set(re.findall(r"`(\w+)`", page.split("## Tables")[0])) | identity
    sections = {
        name: text
        for heading, text in re.findall(r"^### (.*?)\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"`(\w+)", heading)
        for text in (heading + text,)
    }
    columns = rows("SELECT table_name, column_name FROM information_schema.columns ORDER BY ALL")
    unexplained = [
        f"{table}.{column}"
        for table, column in columns
        if column not in common
        and not re.search(rf"`{column}`|[(,] ?{column}[,)]|`{column},", sections[str(table)])
    ]
    assert columns
    assert not unexplained
