"""The bounds that keep profiling small. One frozen value, passed down; tests shrink it to reach every branch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on memory and work. The defaults keep a table of 10 M rows x 10 columns under 2 GB."""

    grouped_values: int = 1_000_000
    """columns with (estimated) at most so many distinct values are counted exactly, value by value"""
    grouped_bytes: int = 256_000_000
    """... as long as those values are no bigger than this together"""
    keys_per_pass: int = 1 << 25
    """other columns are counted as 64-bit keys, sorted, so many per pass (8 bytes each)"""
    passes: int = 8
    """columns that would need more passes are estimated (HyperLogLog), unless they may be a candidate key"""
    near_unique: float = 0.8
    """estimates from this share of the rows on may be a candidate key (polars' sketch was seen 10 % off)"""
    compared_rows: int = 1_000_000
    """text counted by hashes is exact when at most so many rows share their hash with another: those are compared as text"""
    cached_cells: int = 5_000_000
    """tables up to this size are read once and kept"""
    cached_bytes: int = 256_000_000
    """... as long as they are no bigger than this"""
    shape_rows: int = 500_000
    """shapes of uncounted text columns with more rows are estimated from a keyless stable sample"""
    shape_sample: int = 250_000
    """rows of that sample, roughly"""
    shapes: int = 8
    """shape classes reported"""
    determinant_values: int = 50_000
    """columns with more distinct values are not tried as determinants"""
    determinants: int = 200
    """columns tried as determinants, those with the fewest distinct values first"""
    dependency_sample: int = 4_000
    """rows on which hopeless dependencies are refuted before the exact check"""
    reference_values: int = 1_000_000
    """foreign keys: columns with more distinct values are compared on a stable sample of values of about this size"""
    reference_pairs: int = 500
    """foreign keys: column pairs compared, the most plausible first"""
