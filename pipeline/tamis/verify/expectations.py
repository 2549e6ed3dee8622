"""Great Expectations, behind this one door.

Nothing of it escapes: an ephemeral context per suite, analytics off before the import, no progress bars, no Data Docs, no log lines,
`BOOLEAN_ONLY` results; of a result only success and the expectation's type and columns are read; of an exception nothing.

How an expectation runs: on Arrow-backed frames of only the columns it names. One that judges the values of a column one by one is
given each distinct value once (and for nulls whether there are any): the verdict is the same. Where the distinct values are many,
all rows come part by part; of values that polars has found to match a plain pattern (anchored, of literals, classes and counts, in
which all engines agree) a thousand. What needs the whole column at once (means, quantiles, `mostly`) gets that column; row counts
and uniqueness are measured by polars and judged on the metrics. Types are judged on a small frame with numpy types, where Great
Expectations knows them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import polars as pl

from tamis.core.errors import PolicyError, clean_name
from tamis.core.policy import Gate
from tamis.core.record import Measure, SuiteResult
from tamis.recode import exact_column
from tamis.verify.frames import picked

BATCH_ROWS = 500_000
_TYPE_ROWS = 1_000
_ROW_BY_ROW = frozenset(
    {
        "expect_column_values_to_not_be_null", "expect_column_values_to_be_null", "expect_column_values_to_be_in_set",
        "expect_column_values_to_not_be_in_set", "expect_column_values_to_match_regex", "expect_column_values_to_not_match_regex",
        "expect_column_values_to_match_regex_list", "expect_column_values_to_not_match_regex_list",
        "expect_column_value_lengths_to_be_between", "expect_column_value_lengths_to_equal", "expect_column_values_to_be_between",
        "expect_column_values_to_match_strftime_format", "expect_column_values_to_be_json_parseable",
        "expect_column_values_to_match_json_schema", "expect_column_values_to_be_dateutil_parseable",
        "expect_column_pair_values_a_to_be_greater_than_b", "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_to_be_in_set",
        "expect_select_column_values_to_be_unique_within_record", "expect_multicolumn_sum_to_equal",
    }
)  # fmt: skip
_SCHEMA_ONLY = frozenset(
    {
        "expect_table_columns_to_match_ordered_list", "expect_table_columns_to_match_set", "expect_table_column_count_to_equal",
        "expect_table_column_count_to_be_between", "expect_column_to_exist",
    }
)  # fmt: skip
_TYPED = frozenset({"expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list"})
_OURS = frozenset({"batch_id", "result_format", "catch_exceptions"})
"""arguments of a suite that tamis decides"""
_NAMING = ("column", "column_A", "column_B", "column_list", "column_set")

Expectation = Mapping[str, Any]
Runner = Callable[[Expectation, Any], bool]
Kind = Literal["contract", "utility", "user"]


def run_suite(suite: Mapping[str, Any], frame: pl.LazyFrame, *, table: str, kind: Kind) -> SuiteResult:
    """Run a suite (Great Expectations JSON) on a table's frame. An expectation that cannot be run has failed."""
    expectations = _expectations_of(suite)
    with _great_expectations() as judge:
        failed = [_label(expectation) for expectation in expectations if not _holds(expectation, frame, judge)]
    return _result(suite, table, kind, len(expectations), failed)


def run_metrics_suite(suite: Mapping[str, Any], measures: Sequence[Measure], *, table: str, kind: Kind) -> SuiteResult:
    """Run a suite on the metrics table: columns measure, value, low, high, of; one row per measure.

    `meta.measure` of an expectation narrows it to the row of that measure (no row: failed).
    """
    rows = [(m.name, float(m.value), m.low, m.high, m.of) for m in measures]
    schema = {"measure": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "of": pl.Int64}
    metrics = pl.DataFrame(rows, schema=schema, orient="row")
    expectations, failed = _expectations_of(suite), []
    with _great_expectations() as judge:
        for expectation in expectations:
            only = (expectation.get("meta") or {}).get("measure")
            frame = metrics.filter(pl.col("measure") == only) if only is not None else metrics
            if (only is not None and not frame.height) or not _holds(expectation, frame.lazy(), judge):
                failed.append(f"{expectation.get('type')}({clean_name(str(only))})" if only is not None else _label(expectation))
    return _result(suite, table, kind, len(expectations), failed)


def utility_suite(gates: Sequence[Gate], measures: Sequence[Measure]) -> dict[str, Any]:
    """The utility suite: every utility score is a share, and every gate on a utility measure is an expectation."""
    expectations = []
    for measure in measures:
        if not measure.name.startswith("utility."):
            continue
        family = measure.name.partition("@")[0]
        gate = next((g for g in gates if g.measure == measure.name), None) or next((g for g in gates if g.measure == family), None)
        low = gate.min if gate is not None and gate.min is not None else 0.0
        high = gate.max if gate is not None and gate.max is not None else 1.0
        # A general gate on a measure that has a total judges the total, not every column.
        if gate is not None and gate.measure == family and "@" in measure.name and any(m.name == family for m in measures):
            low, high = 0.0, 1.0
        kwargs = {"column": "value", "min_value": low, "max_value": high}
        expectations.append({"type": "expect_column_values_to_be_between", "kwargs": kwargs, "meta": {"measure": measure.name}})
    return {"name": "utility", "expectations": expectations, "meta": {"drafted_by": "tamis"}}


def parse_suite(text: str, table: str) -> dict[str, Any]:
    """A user's suite from its JSON. Raises PolicyError when it is not one."""
    try:
        suite = json.loads(text)
    except ValueError:
        suite = None
    if not isinstance(suite, dict) or not isinstance(suite.get("expectations"), list):
        raise PolicyError(
            "bad_suite",
            f"The expectation suite of '{clean_name(table)}' is not Great Expectations suite JSON.",
            hint="It needs a list 'expectations' of {type, kwargs}.",
        )
    return suite


# ------------------------------------------------------------------------------------------------------------------------ running


def _expectations_of(suite: Mapping[str, Any]) -> list[Expectation]:
    """The expectations; suites of Great Expectations before 1.0 say `expectation_type`."""
    found: list[Expectation] = []
    for entry in suite.get("expectations", ()):
        whole = entry if isinstance(entry, dict) else {}
        kwargs = {key: value for key, value in (whole.get("kwargs") or {}).items() if key not in _OURS}
        kind = str(whole.get("type") or whole.get("expectation_type") or "")
        found.append({"type": kind, "kwargs": kwargs, "meta": whole.get("meta") or {}})
    return found


def _holds(expectation: Expectation, frame: pl.LazyFrame, judge: Runner) -> bool:
    """Whether one expectation holds on a table."""
    kind, kwargs = expectation["type"], expectation["kwargs"]
    schema = frame.collect_schema()
    named = _named(kwargs)
    conditional = kwargs.get("row_condition") is not None
    if kind in _SCHEMA_ONLY:
        return judge(expectation, pl.DataFrame(schema=schema).to_pandas(use_pyarrow_extension_array=True))
    if any(name not in schema for name in named):
        return False
    if not conditional and kind.startswith("expect_table_row_count"):
        return judge(_on_metric(_row_bounds(kind, kwargs)), _metric(_height(frame)))
    partly = kwargs.get("mostly") not in (None, 1, 1.0)
    if not conditional and not partly and kind in ("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"):
        return judge(_on_metric({"min_value": 0, "max_value": 0}), _metric(duplicates(frame, named)))
    # Without named columns (or with a condition on others) the whole row is needed.
    columns = list(schema) if conditional or not named else list(dict.fromkeys(named))
    chosen = frame.select(exact_column(name) for name in columns)
    if kind in _TYPED:
        return _typed(expectation, frame, columns, judge)
    if kind in _ROW_BY_ROW and not partly:
        if not conditional and columns == [kwargs.get("column")]:
            chosen = _worth_judging(chosen, kind, kwargs)
        return all(_either(expectation, part, judge) for part in _parts(chosen))
    return _either(expectation, chosen.collect(engine="streaming"), judge)


def _either(expectation: Expectation, part: pl.DataFrame, judge: Runner) -> bool:
    """On Arrow-backed columns; where Great Expectations cannot, on numpy ones (its comparisons of pairs trip over Arrow's nulls)."""
    return judge(expectation, part.to_pandas(use_pyarrow_extension_array=True)) or (
        _needs_numpy(expectation["type"]) and judge(expectation, part.to_pandas())
    )


def _needs_numpy(kind: str) -> bool:
    return "pair" in kind or "multicolumn" in kind or "strftime" in kind or "dateutil" in kind


def _typed(expectation: Expectation, frame: pl.LazyFrame, columns: Sequence[str], judge: Runner) -> bool:
    heads = [frame.select(exact_column(name)).drop_nulls().head(_TYPE_ROWS).collect(engine="streaming") for name in columns]
    if any(head.width and not head.height for head in heads):
        return True  # a column of nulls has no value of a wrong type
    return all(judge(expectation, head.to_pandas()) for head in heads)


def _worth_judging(frame: pl.LazyFrame, kind: str, kwargs: Mapping[str, Any]) -> pl.LazyFrame:
    """Rows of a frame of one column that decide an expectation about its single values as all rows would."""
    value = pl.nth(0)
    if kind in ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null"):
        return pl.concat([frame.filter(value.is_null()).head(1), frame.filter(value.is_not_null()).head(1)])
    pattern = kwargs.get("regex")
    text = frame.collect_schema().dtypes()[0] == pl.String
    if kind == "expect_column_values_to_match_regex" and text and isinstance(pattern, str) and _PLAIN_PATTERN.fullmatch(pattern):
        fits = value.str.contains(pattern)
        return pl.concat([frame.filter(fits).head(_TYPE_ROWS), frame.filter(~fits)])
    try:
        few = frame.select(value.approx_n_unique()).collect(engine="streaming").item() <= BATCH_ROWS
    except pl.exceptions.PolarsError:
        return frame  # of a type whose values cannot be counted
    return frame.unique().collect(engine="streaming").lazy() if few else frame


_PLAIN_PATTERN = re.compile(r"\^(?!.*\(\?)(?:[A-Za-z0-9]|-|\[[A-Za-z0-9-]+\]|\{[0-9]+(?:,[0-9]*)?\}|[+?|()])*\$")


def _parts(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Parts of bounded size; one empty part of an empty frame."""
    rows = _height(frame)
    for start in range(0, max(rows, 1), BATCH_ROWS):
        yield frame.slice(start, BATCH_ROWS).collect(engine="streaming")


def _named(kwargs: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    for key in _NAMING:
        value = kwargs.get(key)
        names += [value] if isinstance(value, str) else [str(name) for name in value or ()]
    return names


def _row_bounds(kind: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "expect_table_row_count_to_equal":
        return {"min_value": kwargs.get("value"), "max_value": kwargs.get("value")}
    return {key: kwargs[key] for key in ("min_value", "max_value", "strict_min", "strict_max") if key in kwargs}


def _on_metric(bounds: Mapping[str, Any]) -> Expectation:
    return {"type": "expect_column_values_to_be_between", "kwargs": {"column": "value", **bounds}, "meta": {}}


def _metric(value: float) -> Any:
    return pl.DataFrame({"value": [value]}).to_pandas(use_pyarrow_extension_array=True)


def _height(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect(engine="streaming").item()) if frame.collect_schema().len() else 0


def duplicates(frame: pl.LazyFrame, names: Sequence[str]) -> int:
    """Rows whose values in `names` another row has too (rows of nulls only do not count).

    Rows are compared by 64-bit hashes first: what differs there differs. Exact, since the others are then compared by value.
    """
    values = picked(frame, names)
    present = values.filter(pl.any_horizontal(pl.all().is_not_null()))
    odd = (pl.Float32, pl.Float64, pl.Binary, pl.Duration)  # two zeros, or no text
    if not any(dtype.is_nested() or dtype in odd for dtype in present.collect_schema().dtypes()):
        hashed = pl.lit(0, dtype=pl.UInt64)
        for index in range(len(names)):
            one = pl.col(f"c{index}").cast(pl.String).nchash.xxhash64().fill_null(0)  # type: ignore[attr-defined]
            hashed = _rotated(hashed) ^ one
        keys = present.select(hashed.alias("h")).collect(engine="streaming").to_series().sort()
        repeated = keys.filter(keys == keys.shift(1)).unique()
        if not len(repeated):
            return 0
        if len(repeated) <= BATCH_ROWS:
            present = present.filter(hashed.is_in(repeated.implode()))
    groups = present.group_by(pl.all()).agg(n=pl.len()).select(pl.col("n").filter(pl.col("n") > 1).sum())
    return int(groups.collect(engine="streaming").item() or 0)


def _rotated(words: pl.Expr) -> pl.Expr:
    """Words rotated by 13 bits, so that the order of columns counts."""
    return words // 2**51 + (words % 2**51) * 2**13


def _label(expectation: Expectation) -> str:
    names = ", ".join(clean_name(name) for name in _named(expectation["kwargs"]))
    return f"{clean_name(expectation['type'])}({names})"


def _result(suite: Mapping[str, Any], table: str, kind: Kind, count: int, failed: Sequence[str]) -> SuiteResult:
    name = clean_name(str(suite.get("name") or suite.get("expectation_suite_name") or kind))
    return SuiteResult(name=name, table=table, kind=kind, passed=not failed, expectations=count, failed=tuple(failed))


# --------------------------------------------------------------------------------------------------------------- the door itself


@contextmanager
def _great_expectations() -> Iterator[Runner]:
    """A judge of (expectation, pandas frame) over one ephemeral context; warnings and log lines of the library stay inside."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import; tamis never wants it otherwise
    logger = logging.getLogger("great_expectations")
    state = logger.handlers, logger.propagate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            logger.handlers, logger.propagate = [logging.NullHandler()], False  # what its modules log ends here
            yield _new_judge()
        finally:
            logger.handlers, logger.propagate = state


def _new_judge() -> Runner:
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),  # True makes a folder in /tmp
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    whole = context.data_sources.add_pandas("tamis").add_dataframe_asset("frame").add_batch_definition_whole_dataframe("all")

    def judge(expectation: Expectation, frame: Any) -> bool:
        try:
            entry = {"type": expectation["type"], "kwargs": dict(expectation["kwargs"])}
            suite = gx.ExpectationSuite(name="one", expectations=[entry])
            results = whole.get_batch({"dataframe": frame}).validate(suite, result_format="BOOLEAN_ONLY").results
        except Exception:  # noqa: BLE001  # its text may hold cell values: what cannot be run has failed, and nothing else is said
            return False
        return bool(results) and all(bool(result.success) for result in results)

    return judge
