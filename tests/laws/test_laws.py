"""The laws of tamis, each shown on the real command line with real files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.laws.world import CANARIES, FULL, LIGHT, World

pytestmark = pytest.mark.slow

BLOCK_SOCKETS = """
import socket, sys
def refuse(*args, **kwargs):
    sys.stderr.write("SOCKET OPENED\\n"); raise OSError("blocked")
socket.socket.connect = refuse; socket.socket.connect_ex = refuse; socket.socket.sendto = refuse
socket.getaddrinfo = refuse; socket.gethostbyname = refuse; socket.create_connection = refuse
"""


def needles() -> dict[str, str]:
    """The text forms in which a canary could show."""
    out = {name: str(value) for name, value in CANARIES.items()}
    out["email local part"] = "zyxwcanary"
    out["phone digits"] = "4917699887766"
    out["comment phone"] = "4917699887755"
    out["comment word"] = "Canary-comment"
    out["income whole"] = "918273"
    return out


def everything_written(world: World) -> dict[Path, str]:
    """Text of every file that a run left anywhere but in data/: Parquet decoded, footers included."""
    texts: dict[Path, str] = {}
    for path in sorted(world.folder.rglob("*")):
        if not path.is_file() or path.is_symlink() or world.data in path.parents:
            continue
        raw = path.read_bytes()
        text = raw.decode("utf-8", errors="replace") + raw.decode("utf-16-le", errors="ignore")
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            footer = pq.ParquetFile(path).metadata
            statistics = [
                str(footer.row_group(g).column(c).statistics) for g in range(footer.num_row_groups) for c in range(footer.num_columns)
            ]
            text += json.dumps(table.to_pydict(), default=str) + str(footer.metadata) + str(table.schema.metadata) + "".join(statistics)
        texts[path] = text
    return texts


def test_law_2_nothing_raw_in_any_artefact(released: tuple[World, str]) -> None:
    """A unique value of a column that is not kept occurs in nothing that was written or printed."""
    world, printed = released
    texts = everything_written(world) | {Path("stdout+stderr"): printed}
    assert len(texts) > 8
    leaks = [(name, str(path)) for name, needle in needles().items() for path, text in texts.items() if needle in text]
    assert leaks == []


def test_law_2_holds_for_every_verb_and_for_a_failed_gate(tmp_path: Path) -> None:
    """No canary in what `init`, `profile`, `plan` write and print, nor in quarantine and output of a run whose gate fails."""
    world = World(tmp_path, FULL + "gates: [{measure: risk.k, min: 400}]\n")
    data = ("data/people.csv", "data/visits.parquet")
    done = [
        world.tamis("init", *data, "-o", "drafted.yaml", "-v"),
        world.tamis("profile", *data, "-v"),
        world.tamis("profile", *data, "--json"),
        world.tamis("plan", *data, "-p", "policy.yaml", "-o", "plan.json", "--explain", "-v"),
        world.tamis("plan", *data, "-p", "policy.yaml", "--json"),
        world.run("--verbose", check=3),
    ]
    texts = everything_written(world) | {Path(f"output {i}"): one.stdout + one.stderr for i, one in enumerate(done)}
    assert any("quarantine" in path.parts for path in texts)
    leaks = [(name, str(path)) for name, needle in needles().items() for path, text in texts.items() if needle in text]
    assert leaks == []


def test_the_search_for_canaries_would_find_one(released: tuple[World, str]) -> None:
    """The canary test can fail: a value of the kept column is found in the Parquet files."""
    world, _ = released
    texts = everything_written(world)
    assert any(path.suffix == ".parquet" and '"sex": ["' in text for path, text in texts.items())
    assert world.people.filter(pl.col("person_id") == CANARIES["person_id"]).height == 1


def test_law_1_a_new_column_stops_the_run(tmp_path: Path) -> None:
    """A column that nobody decided about never passes: exit 2, nothing written, the column is named."""
    world = World(tmp_path, LIGHT)
    world.people.with_columns(loyalty_code=pl.lit("L-1")).write_csv(world.data / "people.csv")
    done = world.run(check=2)
    assert "loyalty_code" in done.stderr
    assert not world.out.exists() or not any(world.out.iterdir())


def test_law_1_or_drops_it_when_the_policy_says_so(tmp_path: Path) -> None:
    """With unknown_columns: drop the new column is left out and the run goes on."""
    world = World(tmp_path, LIGHT + "unknown_columns: drop\n")
    world.people.with_columns(loyalty_code=pl.lit("L-1") + pl.int_range(pl.len()).cast(pl.String)).write_csv(world.data / "people.csv")
    world.run()
    assert "loyalty_code" not in world.released("people").columns
    column = next(c for c in world.manifest["tables"][0]["columns"] if c["name"] == "loyalty_code")
    assert column["action"] == "drop"


def test_law_1_a_proposal_is_no_decision(tmp_path: Path) -> None:
    """A policy as `init` drafts it is refused until its proposals are accepted."""
    world = World(tmp_path)
    world.tamis("init", "data/people.csv", "-o", "drafted.yaml")
    done = world.tamis("run", "data/people.csv", "-p", "drafted.yaml", "-o", "out", "--state", "state", check=2)
    assert "await a person's decision" in done.stderr


def test_law_3_no_network(tmp_path: Path) -> None:
    """A whole run, with Presidio, SDV and Great Expectations, opens no socket."""
    world = World(tmp_path)
    done = world.run("--verbose", prelude=BLOCK_SOCKETS)
    assert "SOCKET OPENED" not in done.stderr
    assert world.current.is_dir()


def test_law_4_a_failed_gate_publishes_nothing(tmp_path: Path) -> None:
    """Exit 3, no release, a quarantine folder with the report, and the sentence names gate and figure."""
    world = World(tmp_path, LIGHT + "gates: [{measure: risk.k, min: 400}]\n")
    done = world.run(check=3)
    assert "risk.k" in done.stdout + done.stderr
    assert not (world.out / "current").exists()
    run = next((world.state / "runs").iterdir())
    assert (run / "report.html").is_file()
    assert any((run / "quarantine").rglob("*.parquet"))
    assert run.stat().st_mode & 0o077 == 0


def test_law_5_same_bytes_again_and_in_another_order(tmp_path: Path) -> None:
    """Re-running, shuffling rows and cutting the input otherwise give the same release, byte for byte."""
    world = World(tmp_path)
    world.run()
    first = {path.relative_to(world.current): path.read_bytes() for path in world.current.rglob("*") if path.is_file()}
    release = world.current.name
    world.run()
    assert world.current.name == release
    order = np.random.default_rng(3).permutation(world.people.height)
    world.people[order].write_csv(world.data / "people.csv")
    world.visits[::-1].write_parquet(world.data / "visits.parquet", row_group_size=97)
    shutil.rmtree(world.out)
    world.run()
    assert world.current.name == release
    again = {path.relative_to(world.current): path.read_bytes() for path in world.current.rglob("*") if path.is_file()}
    assert again.keys() == first.keys()
    assert [str(path) for path in first if again[path] != first[path]] == []


def test_law_6_joins_survive_inside_and_not_across_releases(released: tuple[World, str], tmp_path: Path) -> None:
    """Children still meet their parents, originals are gone, and another release has other pseudonyms."""
    world, _ = released
    people, visits = world.released("people"), world.released("visits")
    assert visits.join(people, on="person_id", how="anti").height == 0
    suppressed = world.people.height - people.height
    expected = world.visits.height - visits.height
    assert (suppressed == 0) == (expected == 0)
    assert set(people["person_id"]) & set(world.people["person_id"].cast(pl.String)) == set()
    other = World(tmp_path, LIGHT)
    other.run()
    assert set(other.released("people")["person_id"]) & set(people["person_id"]) == set()


def test_law_6_every_artefact_says_pseudonymized(released: tuple[World, str]) -> None:
    """Manifest, datasheet and report say that the release remains personal data; none calls it anonymous."""
    world, _ = released
    report = next((world.state / "runs").iterdir()) / "report.html"
    for path in (world.current / "manifest.json", world.current / "datasheet.html", report):
        text = path.read_text(encoding="utf-8")
        assert "pseudonymized" in text, path
        assert "is anonymous" not in text, path


def test_law_7_figures_are_those_of_the_files(released: tuple[World, str]) -> None:
    """k and the row counts of the manifest equal those counted from the released rows here, by definition."""
    world, _ = released
    manifest = world.manifest
    table = next(t for t in manifest["tables"] if t["name"] == "people")
    rows = world.released("people")
    assert table["rows"] == rows.height == sum(file["rows"] for file in table["files"])
    claimed = {m["name"]: m["value"] for m in manifest["measures"]}["risk.k@people"]
    found = rows.group_by(table["quasi_identifiers"]).agg(pl.col("person_id").n_unique().alias("n"))["n"].min()
    assert claimed == found >= 5


def test_law_7_verify_sees_a_changed_byte(tmp_path: Path) -> None:
    """`tamis verify` passes on the release and fails, with exit 3, after one byte of one file changed."""
    world = World(tmp_path, LIGHT)
    world.run()
    world.tamis("verify", "out")
    path = next((world.current / "people").glob("*.parquet"))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(raw)
    world.tamis("verify", "out", check=3)


def test_the_recipient_cannot_count_the_suppressed(released: tuple[World, str]) -> None:
    """No published text holds the input's row count where rows were suppressed: less the released rows it is an exact small count."""
    world, _ = released
    assert world.released("people").height < world.people.height
    for path in (world.current / "manifest.json", world.current / "datasheet.html"):
        text = path.read_text(encoding="utf-8").replace("\u202f", "").replace("\u00a0", "")
        assert not re.search(rf"\b{world.people.height}\b", text), path


DIRTY = {
    "ragged": "a,b\n1,2\n3,4,SECRET\n",
    "duplicate names": "a,a\n1,2\n",
    "empty name": "a,,c\n1,2,3\n",
    "empty": "",
    "binary": "a,b\n\x00\x01SECRET\x00,2\n",
}


@pytest.mark.parametrize("case", DIRTY)
def test_law_8_dirty_input_is_a_sentence(case: str, tmp_path: Path) -> None:
    """Bad input: exit 4, one error, no traceback, no cell value, nothing written."""
    world = World(tmp_path, LIGHT)
    (world.data / "people.csv").write_text(DIRTY[case], encoding="utf-8")
    done = world.run(check=None)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert "SECRET" not in done.stdout + done.stderr
    assert "DataError" in done.stderr
    assert not (world.out / "current").exists()


def test_law_8_other_data_than_planned_is_refused(tmp_path: Path) -> None:
    """`apply` names exactly what differs and writes nothing."""
    world = World(tmp_path, LIGHT)
    world.tamis("plan", "data/people.csv", "data/visits.parquet", "-p", "policy.yaml", "-o", "plan.json")
    world.people.drop("job").with_columns(wage=pl.lit(1)).write_csv(world.data / "people.csv")
    done = world.tamis("apply", "plan.json", "data/people.csv", "data/visits.parquet", "-o", "out", check=2)
    assert "wage" in done.stderr
    assert "job" in done.stderr
    assert not world.out.exists()


def test_plan_then_apply_is_run(tmp_path: Path) -> None:
    """`plan` and `apply` of the same data give the release that `run` gives."""
    world = World(tmp_path, FULL)
    world.run()
    release = world.current.name
    world.tamis("plan", "data/people.csv", "data/visits.parquet", "-p", "policy.yaml", "-o", "plan.json")
    world.tamis("apply", "plan.json", "data/people.csv", "data/visits.parquet", "-o", "out2", "--state", "state2")
    assert (world.folder / "out2" / "current").resolve().name == release
