"""What several live releases tell together about the persons whom stable pseudonyms join (decision 3).

Definition. The record of a token: for each table of each live release in which the token's domain occurs, the *set* of the
quasi-identifiers of its rows, as released there; "not in this table" is one of the possible sets. `risk.k_releases@table` is the
smallest number of tokens of the domain, over all live releases, with equal records: k-anonymity over releases (composition: Ganta,
Kasiviswanathan and Smith 2008, KDD; for equal populations it is the joined k of Nergiz, Clifton and Nergiz 2009, TKDE 21(8):1104).

Absence counts as known, so that what two nights differ in is judged too: fewer than k newcomers, or leavers, with equal values fall
below k (differencing). The figure is internal: it depends on what else is published, and a release describes itself only. What this
does not protect from: releases elsewhere, or copies of withdrawn ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tamis.core.record import Measure
from tamis.verify.frames import compact, picked
from tamis.verify.shapes import Shape


@dataclass(frozen=True, slots=True)
class LiveRelease:
    """A release that recipients hold: its shapes and its tables (Parquet scans)."""

    release_id: str
    shapes: Mapping[str, Shape]
    frames: Mapping[str, pl.LazyFrame]


def stable_tables(shapes: Mapping[str, Shape]) -> tuple[str, ...]:
    """Tables of a release that other releases can be joined to."""
    return tuple(shape.name for shape in shapes.values() if shape.stable)


def releases_risk(after: Mapping[str, pl.LazyFrame], shapes: Mapping[str, Shape], live: Sequence[LiveRelease]) -> tuple[Measure, ...]:
    """`risk.k_releases@table` for every table with stable tokens; `live` are the other releases, this one is not among them."""
    here = LiveRelease("", shapes, after)
    sharing = {domain: _domain_risk(domain, [here, *live]) for domain in _domains(shapes.values())}
    measures = []
    for name in stable_tables(shapes):
        found = [sharing[domain] for _, domain in shapes[name].stable]
        k, persons = min(found)
        note = "" if persons else "no rows"
        measures.append(Measure(name=f"risk.k_releases@{name}", value=k, of=persons, internal=True, note=note))
    return tuple(measures)


def _domains(shapes: Iterable[Shape]) -> list[str]:
    return list(dict.fromkeys(domain for shape in shapes for _, domain in shape.stable))


def _domain_risk(domain: str, releases: Sequence[LiveRelease]) -> tuple[int, int]:
    """(smallest number of tokens with equal records, tokens). Records are folded table by table and compared exactly."""
    records: pl.DataFrame | None = None
    for release in releases:
        for shape in release.shapes.values():
            for column in (column for column, own in shape.stable if own == domain):
                part = _sets(release.frames[shape.name], shape, column)
                if records is None:
                    records = part
                    continue
                both = records.lazy().join(part.lazy(), on="key", how="full", coalesce=True, suffix="_new")
                pairs = both.collect(engine="streaming")
                numbers = pairs.lazy().select("rec", "rec_new").unique().collect().with_row_index("number")
                records = (
                    pairs.lazy()
                    .join(numbers.lazy(), on=["rec", "rec_new"], how="left", nulls_equal=True)
                    .select("key", rec=pl.col("number"))
                    .collect()
                )
    if records is None or not records.height:
        return 0, 0
    return int(records.group_by("rec").len()["len"].min()), records.height  # type: ignore[arg-type]  # a count


def _sets(frame: pl.LazyFrame, shape: Shape, column: str) -> pl.DataFrame:
    """(`key`, `rec`): per token the number of its set of quasi-identifier tuples; without quasi-identifiers all sets are equal."""
    keys = [f"c{i}" for i in range(len(shape.quasi))]
    safe = picked(frame, [*shape.quasi, column]).select(*keys, key=compact(pl.col(f"c{len(keys)}"))).drop_nulls("key")
    rows = safe.unique().collect(engine="streaming")
    if not keys:
        return rows.with_columns(rec=pl.lit(0, dtype=pl.UInt32))
    tuples = rows.select(keys).unique().with_row_index("tuple")
    numbered = rows.lazy().join(tuples.lazy(), on=keys, how="left", nulls_equal=True).select("key", "tuple").collect()
    if numbered["key"].n_unique() == numbered.height:
        return numbered.rename({"tuple": "rec"})
    texts = numbered.lazy().group_by("key").agg(pl.col("tuple").sort().cast(pl.String).str.join(",")).collect(engine="streaming")
    sets = texts.lazy().select("tuple").unique().collect().with_row_index("rec")
    return texts.lazy().join(sets.lazy(), on="tuple", how="left").select("key", "rec").collect()
