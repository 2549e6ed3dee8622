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
    sketched_rows: int = 50_000
    """columns with more rows are looked at by their hashes first: nearly unique text is counted without collecting it"""
    cached_cells: int = 20_000_000
    """tables up to this size are read once and kept"""
    cached_bytes: int = 256_000_000
    """... as long as they are no bigger than this"""
    shape_rows: int = 200_000
    """shapes of text with more values (rows, where they were not collected) are estimated from a keyless stable sample"""
    shape_sample: int = 100_000
    """size of that sample, roughly"""
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
    quasi_columns: int = 24
    """columns whose combinations are searched for those that single people out: quasi-identifiers, then those with the most values"""
    quasi_size: int = 6
    """columns in one combination"""
    quasi_budget: int = 1_000_000_000
    """... rows counted, over all combinations"""
    code_bytes: int = 400_000_000
    """codes of whole columns that are kept between comparisons"""
    pair_sample: int = 20_000
    """rows on which keys and dependencies are refuted and associations are measured"""
    key_columns: int = 30
    """columns tried in composite keys, those with the most values"""
    dependency_pairs: int = 5_000
    """pairs of columns screened for dependencies"""
    verified_rows: int = 200_000_000
    """rows counted over all possible keys, and again over all possible dependencies"""
    association_columns: int = 120
    """columns whose associations are measured, those with the fewest values first"""
