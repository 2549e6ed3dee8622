"""Generates the benchmark table: N rows x 10 columns of invented people as one Parquet file, in bounded batches.

The same `--rows` and `--seed` give the same rows. Nobody in it exists: names are syllables put together.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

BATCH = 500_000
PLANS = ("free", "basic", "plus", "family", "business")
PLAN_SHARES = (0.45, 0.3, 0.15, 0.08, 0.02)
SEXES = ("F", "M", "X")
SEX_SHARES = (0.495, 0.495, 0.01)
SYLLABLES = ("ba", "ko", "li", "mar", "ne", "ro", "sa", "ti", "vel", "zu", "an", "der", "il", "os", "un", "pé", "gra", "hel", "jo", "wi")
BIRTH_FIRST = dt.date(1930, 1, 1)
BIRTH_DAYS = 29_000
SIGNUP_FIRST = np.datetime64("2015-01-01T00:00:00", "us")
SIGNUP_SECONDS = 10 * 365 * 86_400
POSTCODES = 60_000


def words(rng: np.random.Generator, count: int, parts: int) -> np.ndarray:
    """`count` distinct-ish capitalized words of `parts` syllables."""
    picks = np.array(SYLLABLES, dtype=object)[rng.integers(0, len(SYLLABLES), (count, parts))]
    return np.array(["".join(row).capitalize() for row in picks], dtype=object)


def batches(rows: int, seed: int) -> Iterator[pl.DataFrame]:
    """The table in batches of at most `BATCH` rows; batch i depends on (seed, i) only."""
    setup = np.random.default_rng([seed, 0])
    first, last = pl.Series(words(setup, 3_000, 3)), pl.Series(words(setup, 20_000, 4))
    postcode_people = setup.pareto(1.2, POSTCODES) + 0.05
    postcode_shares = np.cumsum(postcode_people / postcode_people.sum())
    scrambled = np.arange(POSTCODES) * 7_919 % 99_991  # below a prime: all different, one in ten with a leading zero
    for index, start in enumerate(range(0, rows, BATCH)):
        rng = np.random.default_rng([seed, 1, index])
        n = min(BATCH, rows - start)
        ids = np.arange(start, start + n, dtype=np.int64)
        age = rng.beta(2.2, 1.8, n)
        income = np.exp(rng.normal(10.2, 0.55, n) + 0.4 * age)
        frame = pl.DataFrame(
            {
                "person_id": ids * 2_654_435_761 % 10_000_000_019,  # a bijection below the prime: ids are unique and in no order
                "given": first.gather(rng.integers(0, len(first), n)),
                "family": last.gather((rng.beta(1.0, 2.5, n) * len(last)).astype(np.int64)),
                "birth_date": np.datetime64(BIRTH_FIRST, "D") + (age * BIRTH_DAYS).astype("timedelta64[D]"),
                "postcode": scrambled[np.searchsorted(postcode_shares, rng.random(n)).clip(0, POSTCODES - 1)],
                "sex": pl.Series(SEXES).gather(rng.choice(len(SEXES), n, p=SEX_SHARES)),
                "income": np.where(rng.random(n) < 0.02, np.nan, np.round(income, 2)),
                "plan": pl.Series(PLANS).gather(rng.choice(len(PLANS), n, p=PLAN_SHARES)),
                "visits": rng.negative_binomial(2, 0.08, n),
                "signup": SIGNUP_FIRST + rng.integers(0, SIGNUP_SECONDS, n).astype("timedelta64[s]"),
            }
        )
        yield frame.select(
            "person_id",
            pl.concat_str("given", pl.lit(" "), "family").alias("full_name"),
            pl.concat_str(
                pl.col("given").str.to_lowercase().str.replace_all("é", "e", literal=True),
                pl.lit("."),
                pl.col("person_id").cast(pl.String),
                pl.lit("@example.org"),
            ).alias("email"),
            "birth_date",
            pl.col("postcode").cast(pl.String).str.zfill(5).alias("postcode"),
            "sex",
            pl.col("income").fill_nan(None),
            "plan",
            pl.col("visits").cast(pl.Int64),
            pl.col("signup").cast(pl.Datetime("us")),
        )


def generate(rows: int, out: Path, *, seed: int = 20_261_124) -> None:
    """Write the table to `out`; memory is that of one batch."""
    writer: pq.ParquetWriter | None = None
    try:
        for frame in batches(rows, seed):
            table = frame.to_arrow()
            if writer is None:
                writer = pq.ParquetWriter(out, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=BATCH)
    finally:
        if writer is not None:
            writer.close()


def main(argv: list[str] | None = None) -> int:
    """Command line of this script."""
    parser = argparse.ArgumentParser(description="Generate the benchmark table.")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=20_261_124)
    options = parser.parse_args(argv)
    if options.rows < 1:
        parser.error("--rows must be at least 1")
    generate(options.rows, options.out, seed=options.seed)
    print(f"{options.rows:,} rows, {options.out.stat().st_size / 1e6:.0f} MB: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
