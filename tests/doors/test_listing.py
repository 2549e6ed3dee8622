"""Laws of `tamis profile`: for people, as Markdown, as JSON, and one column in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from tamis.cli import cli
from tamis.show import document_schemas

ROWS = 300


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of persons with keys, a dependency, a repeated column and sets that single people out."""
    path = tmp_path_factory.mktemp("data") / "people.csv"
    frame = pl.DataFrame(
        {
            "person_id": [f"canary-{i:05d}" for i in range(ROWS)],
            "email": [f"canary{i}@example.org" for i in range(ROWS)],
            "birth_year": [1940 + (i * 7) % 60 for i in range(ROWS)],
            "postcode": [f"{10000 + (i * 13) % 40}" for i in range(ROWS)],
            "city": [f"canary town {((i * 13) % 40) // 4}" for i in range(ROWS)],
            "CITY*|x": [f"CANARY TOWN {((i * 13) % 40) // 4}" for i in range(ROWS)],
            "colour": ["red" if i % 3 else "blue" for i in range(ROWS)],
        }
    )
    frame.write_csv(path)
    return path


def run(*arguments: Any) -> Result:
    """One call of the command line."""
    return CliRunner().invoke(cli, ["profile", *map(str, arguments)], catch_exceptions=False)


def test_people_see_columns_keys_dependencies_and_sets(data: Path) -> None:
    """Each part is there with its figures, and no value of a cell is."""
    shown = run(data).output
    for word in (
        "person_id",
        "direct",
        "keys",
        "redundant and associated columns",
        "columns that single out",
        "complete:",
        "up to case and format",
    ):
        assert word in shown
    assert "canary" not in shown.lower()


def test_json_follows_its_schema(data: Path) -> None:
    """Valid under schemas/listing.schema.json; every piece of evidence with a denominator has its interval; no values."""
    result = run(data, "--json")
    document = json.loads(result.output)
    schema = json.loads(document_schemas()["listing.schema.json"])
    assert list(Draft202012Validator(schema).iter_errors(document)) == []
    columns = document["tables"][0]["columns"]
    evidence = [piece for column in columns for piece in column["evidence"] if piece["hits"] is not None and piece["of"]]
    assert evidence
    assert all(
        low <= piece["hits"] / piece["of"] + 1e-6 and piece["hits"] / piece["of"] <= high + 1e-6
        for piece in evidence
        for low, high in [piece["interval"]]
    )
    assert document["tables"][0]["singling"]["exhaustive"]
    assert "canary" not in result.output.lower()


def test_markdown_escapes_hostile_names(data: Path) -> None:
    """A pipe or an asterisk in a column name does not break the table."""
    text = run(data, "--format", "md").output
    assert r"CITY\*\|x" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    widths = {line.replace(r"\|", "").count("|") for line in rows[: 1 + 7]}
    assert widths == {9}


def test_one_column_in_full(data: Path) -> None:
    """All evidence with denominators and intervals, and what the column has to do with others."""
    shown = run(data, "--column", "email").output
    assert "people.email" in shown
    assert "interval" in shown
    assert "birth_year" not in shown
    assert run(data, "--column", "people.postcode").output.count("fixes") >= 1
    only = json.loads(run(data, "--column", "email", "--json").output)
    assert [column["name"] for table in only["tables"] for column in table["columns"]] == ["email"]


def test_an_unknown_column_is_a_sentence(data: Path) -> None:
    """With the nearest name, and exit code 2."""
    result = run(data, "--column", "emial")
    assert result.exit_code == 2
    assert "email" in result.output


def test_wide_tables_show_what_needs_attention_first(data: Path, tmp_path: Path) -> None:
    """Beyond the limit the columns without a finding are left out and counted; --limit 0 shows all."""
    wide = pl.DataFrame(
        {**{f"plain_{j}": [(i * j) % 2 for i in range(20)] for j in range(30)}, "email": [f"a{i}@b.org" for i in range(20)]}
    )
    path = tmp_path / "wide.csv"
    wide.write_csv(path)
    shown = run(path, "--limit", "3").output
    assert "email" in shown
    assert "28 more columns are not shown" in shown
    assert "more columns are not shown" not in run(path, "--limit", "0").output


def test_a_budget_of_nothing_is_stated(data: Path) -> None:
    """A search without budget says that it was cut, or that it needed none."""
    assert "cut by the budget" in run(data, "--budget", "0").output
