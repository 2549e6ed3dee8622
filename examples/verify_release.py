#!/usr/bin/env python3
"""Re-check a release of tamis without tamis: pyarrow and cryptography are enough, and the original data is not needed.

    python verify_release.py RELEASE_FOLDER [--public-key KEY.pub]

Checked, from the release's files alone:
  files       size, SHA-256, rows and release id of every Parquet file; no file that the manifest does not name
  signature   of manifest.json (Ed25519), when a public key is given
  k           smallest class of equal quasi-identifiers (rows, or distinct values of the unit column), null being a value
  l, t        fewest distinct sensitive values in a class; largest total variation distance of a class from the table
  contract    the expectations of the manifest that files can answer
  gates       every gate's decision against the figure that the manifest states, recomputed where that is possible here

What it cannot check: figures that compare with the original data (leak scan, utility). They are listed as "not verifiable here".
Exit code 0: nothing contradicts the manifest. 3: something does. 2: wrong call.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def main() -> int:
    """Check one release folder; print a line per check."""
    parser = argparse.ArgumentParser(description="Re-check a release of tamis without tamis.")
    parser.add_argument("release", type=Path)
    parser.add_argument("--public-key", type=Path, help="PEM file of the Ed25519 key that must have signed the manifest")
    given = parser.parse_args()
    if not (given.release / "manifest.json").is_file():
        print(f"There is no manifest.json in {given.release}.", file=sys.stderr)
        return 2
    manifest = json.loads((given.release / "manifest.json").read_text(encoding="utf-8"))
    checks: list[tuple[str, bool | None, str]] = []
    if (given.release / "REVOKED.json").exists():
        checks.append(("revocation", False, "this release was revoked"))
    if given.public_key:
        checks.append(("signature", *signature_holds(given.release, given.public_key)))
    known = {"manifest.json", "manifest.signature.json", "datasheet.html", "REVOKED.json"}
    known |= {file["path"] for table in manifest["tables"] for file in table["files"]}
    strangers = sorted(p.relative_to(given.release).as_posix() for p in given.release.rglob("*") if p.is_file())
    strangers = [path for path in strangers if path not in known]
    checks.append(("no other files", not strangers, f"{len(strangers)} more than the manifest names"))
    found: dict[str, float] = {}
    for table in manifest["tables"]:
        checks += check_files(given.release, table, manifest["release_id"])
        if all(passed is not False for _, passed, _ in checks) and table["files"]:
            data = pa.concat_tables([pq.read_table(given.release / file["path"], partitioning=None) for file in table["files"]])
            found |= risk(table, data)
            checks += contract(manifest.get("contract", {}).get(table["name"]), data, table["name"])
    stated = {measure["name"]: measure for measure in manifest["measures"]}
    for name, value in found.items():
        if name in stated and stated[name]["verifiable"]:
            same = abs(stated[name]["value"] - value) <= 1e-6
            checks.append((name, same, f"stated {stated[name]['value']:g}, found {value:g}"))
    checks += gates(manifest, stated, found)
    for name, passed, said in checks:
        print(f"{'ok' if passed else 'FAILED' if passed is False else 'not verifiable here':<20}{printable(name)}: {printable(said)}")
    failed = sum(passed is False for _, passed, _ in checks)
    authentic = given.public_key is not None and not failed
    verdict = "authenticated" if authentic else "NOT what its manifest says" if failed else "consistent, not authenticated"
    print(f"{len(checks)} checks, {failed} failed; {verdict}")
    return 3 if failed else 0


def printable(text: str) -> str:
    """A name that cannot move a terminal's cursor or turn its text around."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)[:200]


def signature_holds(folder: Path, key_file: Path) -> tuple[bool, str]:
    """Whether manifest.json is signed by the given key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        stated = json.loads((folder / "manifest.signature.json").read_text(encoding="utf-8"))
        signature = base64.b64decode(stated["signature"], validate=True)
    except (OSError, ValueError, KeyError, TypeError):
        return False, "there is no readable signature"
    try:
        load_pem_public_key(key_file.read_bytes()).verify(signature, (folder / "manifest.json").read_bytes())
    except InvalidSignature:
        return False, "not signed by this key, or changed afterwards"
    return True, "the manifest is as it was signed"


def check_files(folder: Path, table: dict, release_id: str) -> list[tuple[str, bool | None, str]]:
    """Size, digest, rows and release id of each file of one table."""
    checks = []
    rows = 0
    for file in table["files"]:
        path = folder / file["path"]
        if not path.is_file() or path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
            checks.append((file["path"], False, "missing"))
            continue
        content = path.read_bytes()
        if len(content) != file["bytes"] or hashlib.sha256(content).hexdigest() != file["sha256"]:
            checks.append((file["path"], False, "its bytes are not those of the manifest"))
            continue
        metadata = pq.read_metadata(path)
        own = (metadata.metadata or {}).get(b"tamis.release_id", b"").decode("utf-8", "replace")
        rows += metadata.num_rows
        checks.append((file["path"], metadata.num_rows == file["rows"] and own == release_id, f"{metadata.num_rows} rows, SHA-256 fits"))
    checks.append((f"rows of {table['name']}", rows == table["rows"], f"stated {table['rows']}, found {rows}"))
    return checks


def coded(column: pa.ChunkedArray) -> pa.Array:
    """Values as codes; null is a value, NaN is null."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    return pc.fill_null(encoded.indices, -1)


def risk(table: dict, data: pa.Table) -> dict[str, float]:
    """k, l and t of one table, as the manifest's declarations define them."""
    quasi = [name for name in table["quasi_identifiers"] if name in data.column_names]
    if not quasi or not data.num_rows:
        return {}
    keys = [f"q{i}" for i in range(len(quasi))]
    columns = {key: coded(data[name]) for key, name in zip(keys, quasi, strict=True)}
    unit = table.get("unit")
    name = table["name"]
    found: dict[str, float] = {}
    if unit is None:
        sizes = pa.table(columns).group_by(keys).aggregate([([], "count_all")])
        found[f"risk.k@{name}"] = pc.min(sizes["count_all"]).as_py()
    elif unit in data.column_names:
        sizes = pa.table(columns | {"unit": coded(data[unit])}).group_by(keys).aggregate([("unit", "count_distinct")])
        found[f"risk.k@{name}"] = pc.min(sizes["unit_count_distinct"]).as_py()
    least, farthest = None, 0.0
    for sensitive in table["sensitive"]:
        both = pa.table(columns | {"s": coded(data[sensitive])})
        joint = both.group_by([*keys, "s"]).aggregate([([], "count_all")])
        classes = both.group_by(keys).aggregate([([], "count_all"), ("s", "count_distinct")])
        least = min(least or sys.maxsize, pc.min(classes["s_count_distinct"]).as_py())
        overall = {row["s"]: row["count_all"] / data.num_rows for row in both.group_by("s").aggregate([([], "count_all")]).to_pylist()}
        sums = classes.select([*keys, "count_all"]).rename_columns([*keys, "n"])
        parts = joint.join(sums, keys).to_pylist()
        over: dict[tuple, float] = {}
        for row in parts:  # one line per class and value, not per row
            key = tuple(row[k] for k in keys)
            over[key] = over.get(key, 0.0) + max(0.0, row["count_all"] / row["n"] - overall[row["s"]])
        farthest = max(farthest, *over.values())
    if least is not None:
        found[f"risk.l@{name}"] = least
        found[f"risk.t@{name}"] = farthest
    return found


def contract(suite: dict | None, data: pa.Table, table: str) -> list[tuple[str, bool | None, str]]:
    """The expectations that a file can answer; others are said to be left out."""
    checks = []
    for one in (suite or {}).get("expectations", []):
        kind, given = one["type"], one["kwargs"]
        name = f"{kind}({given.get('column', '')}) of {table}"
        passed = answer(kind, given, data)
        checks.append((name, passed, "holds" if passed else "does not hold" if passed is False else "left to tamis verify"))
    return checks


def is_text(kind: pa.DataType) -> bool:
    """Text, in whichever of Arrow's layouts."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def type_names(kind: pa.DataType) -> set[str]:
    """What expectations call a type."""
    if is_text(kind):
        return {"str", "string", "object"}
    return {str(kind), {"double": "float64", "float": "float32"}.get(str(kind), str(kind))}


def answer(kind: str, given: dict, data: pa.Table) -> bool | None:
    """Whether one expectation holds; None when it is not one of those below."""
    if kind == "expect_table_columns_to_match_ordered_list":
        return data.column_names == given["column_list"]
    if kind == "expect_table_row_count_to_equal":
        return data.num_rows == given["value"]
    if "column" not in given or given["column"] not in data.column_names or given.get("mostly", 1) != 1:
        return None
    column = data[given["column"]]
    present = column.drop_null()
    if kind == "expect_column_values_to_be_in_type_list":
        simple = is_text(column.type) or (pa.types.is_primitive(column.type) and not pa.types.is_temporal(column.type))
        return bool(type_names(column.type) & set(given["type_list"])) if simple else None
    if kind == "expect_column_values_to_not_be_null":
        return column.null_count == 0
    if kind == "expect_column_values_to_be_unique":
        return len(pc.unique(present)) == len(present)
    if kind == "expect_column_values_to_be_in_set" and is_text(column.type):
        return bool(pc.all(pc.is_in(present, pa.array(given["value_set"], column.type)), min_count=0).as_py())
    if kind == "expect_column_values_to_match_regex" and is_text(column.type):
        pattern = re.compile(given["regex"])
        return all(pattern.search(value) for value in pc.unique(present).to_pylist())
    if kind == "expect_column_values_to_be_between" and (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        low, high = given.get("min_value"), given.get("max_value")
        ends = pc.min_max(present).as_py()
        if ends["min"] is None:
            return True
        return (low is None or ends["min"] >= low) and (high is None or ends["max"] <= high)
    if kind == "expect_column_value_lengths_to_be_between" and is_text(column.type):
        ends = pc.min_max(pc.utf8_length(present)).as_py()
        low, high = given.get("min_value"), given.get("max_value")
        if ends["min"] is None:
            return True
        return (low is None or ends["min"] >= low) and (high is None or ends["max"] <= high)
    return None


def gates(manifest: dict, stated: dict, found: dict[str, float]) -> list[tuple[str, bool | None, str]]:
    """Each gate's decision against its figure: the recomputed one where there is one, else the stated one."""
    checks = []
    for result in manifest["gates"]:
        gate, name = result["gate"], result["measure"]
        value = found.get(name, stated.get(name, {}).get("value"))
        if value is None:
            checks.append((f"gate {gate['measure']}", None, "its figure is not published"))
            continue
        passed = (gate["min"] is None or value >= gate["min"] - 1e-9) and (gate["max"] is None or value <= gate["max"] + 1e-9)
        how = "recomputed" if name in found else "stated, not recomputed here"
        said = f"{value:g} ({how}): " + ("met" if passed else "not met")
        said += "" if passed == result["passed"] else ", which contradicts the stated decision"
        checks.append((f"gate {gate['measure']}", passed == result["passed"], said))
    return checks


if __name__ == "__main__":
    sys.exit(main())
