"""Laws of errors: sentences that survive every way they travel."""

import pickle

import polars as pl
import pytest

from tamis.core.errors import DataError, GateFailed, TransientError, clean_name, did_you_mean, listed


def test_an_error_is_what_where_and_what_to_do() -> None:
    """The text carries kind, code, sentence and hint; the exit code and whether to retry are the error's own knowledge."""
    error = DataError("ragged_row", "Line 3 has 2 fields.", hint="Quote them.", line=3)
    assert str(error) == "DataError[ragged_row] Line 3 has 2 fields. Quote them."
    assert (error.exit_code, error.transient, error.attrs) == (4, False, {"line": 3})
    assert (GateFailed.exit_code, TransientError.exit_code, TransientError.transient) == (3, 5, True)


def test_errors_survive_process_pools() -> None:
    """Pickled and back, nothing of an error is lost."""
    error = pickle.loads(pickle.dumps(DataError("c", "m", hint="h", column="x")))
    assert (type(error), error.code, error.message, error.hint, error.attrs) == (DataError, "c", "m", "h", {"column": "x"})


def test_errors_survive_polars() -> None:
    """Raised inside a batch function, an error arrives with its kind, code and sentence."""

    def fail(_: pl.Series) -> pl.Series:
        raise DataError("c", "The sentence.", hint="Do this.")

    with pytest.raises(DataError) as caught:
        pl.LazyFrame({"a": [1]}).select(pl.col("a").map_batches(fail, return_dtype=pl.Int64)).collect()
    assert caught.value.code == "c"
    assert "The sentence." in caught.value.message


def test_names_are_safe_for_a_terminal() -> None:
    """Control and direction-changing characters are shown as escapes; long names are cut; long lists are counted."""
    assert clean_name("a\x1b[31m\u202eb") == "a\\u001b[31m\\u202eb"
    assert len(clean_name("x" * 10_000)) == 80
    assert listed([f"c{i}" for i in range(10)], limit=2) == "'c0', 'c1' and 8 more"


def test_the_likely_meant_word_is_named() -> None:
    """A close word is offered first, all known ones follow."""
    assert did_you_mean("hsah", ["hash", "drop"]) == "Did you mean 'hash'? Known: drop, hash."
    assert did_you_mean("zzz", ["hash"]) == "Known: hash."
