"""SDV behind one typed function: fit a GaussianCopulaSynthesizer and read what it learned. Nothing of SDV leaves this file.

SDV is kept from writing log files, from printing, and from the process's random state; it opens no connection here.
"""

from __future__ import annotations

import logging
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.core.errors import PlanError, clean_name
from tamis.fit.hygiene import Floats

_SDV_LOGGERS = ("SingleTableSynthesizer", "MultiTableSynthesizer", "sdv", "rdt", "copulas")


@dataclass(frozen=True, slots=True)
class Dimension:
    """One column for SDV: numbers without gaps with the family of their univariate, or categories in their order."""

    values: NDArray[Any]
    family: str = "norm"
    order: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """What SDV learned, in the order of the dimensions."""

    correlation: Floats
    families: tuple[str, ...]
    """name of the copulas univariate that was fitted"""
    cdfs: tuple[Callable[[Floats], Floats], ...]
    ppfs: tuple[Callable[[Floats], Floats], ...]
    engine: str


def fit_copula(dimensions: Sequence[Dimension], *, seed: int, table: str) -> Learned:
    """Fit SDV's Gaussian copula; the same dimensions and seed give the same result.

    Raises PlanError when SDV cannot fit.
    """
    try:
        with quiet_sdv(), seeded(seed):
            synthesizer = fit_synthesizer(dimensions)
    except Exception as error:  # noqa: BLE001  # the text of third-party errors may hold cell values
        raise PlanError(
            "proxy_fit_failed",
            f"SDV could not fit the proxy model of table '{clean_name(table)}' ({type(error).__name__}).",
            hint="Choose another action for one of its synthesized columns.",
        ) from None
    import sdv

    model = synthesizer._model  # noqa: SLF001  # SDV 2.0 has no public access to the correlation
    names = {f"c{i}": i for i in range(len(dimensions))}
    place = [list(model.columns).index(name) for name in names]
    univariates = [model.univariates[i] for i in place]
    return Learned(
        correlation=np.asarray(model.correlation, dtype=np.float64)[np.ix_(place, place)],
        families=tuple(type(univariate).__name__ for univariate in univariates),
        cdfs=tuple(univariate.cdf for univariate in univariates),
        ppfs=tuple(univariate.ppf for univariate in univariates),
        engine=f"sdv.GaussianCopulaSynthesizer {sdv.__version__}",
    )


def fit_synthesizer(dimensions: Sequence[Dimension]) -> Any:
    """The fitted synthesizer itself, over the columns c0, c1, ...; explicit metadata, ordered uniform encoding of categories."""
    import pandas as pd
    from rdt.transformers import FloatFormatter, OrderedUniformEncoder
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    names = [f"c{i}" for i in range(len(dimensions))]
    sdtypes = {
        name: {"sdtype": "numerical" if dimension.order is None else "categorical"}
        for name, dimension in zip(names, dimensions, strict=True)
    }
    metadata = Metadata.load_from_dict({"METADATA_SPEC_VERSION": "V1", "tables": {"t": {"columns": sdtypes}}, "relationships": []})
    # Ordered uniform encoding makes categories uniform on 0..1: no family needs to be searched for them.
    families = {
        name: "uniform" if dimension.order is not None else dimension.family for name, dimension in zip(names, dimensions, strict=True)
    }
    synthesizer = GaussianCopulaSynthesizer(metadata, enforce_rounding=False, numerical_distributions=families)
    data = {"t": pd.DataFrame({name: dimension.values for name, dimension in zip(names, dimensions, strict=True)})}
    synthesizer.auto_assign_transformers(data)
    synthesizer.update_transformers(
        {
            name: FloatFormatter(missing_value_generation=None)
            if dimension.order is None
            else OrderedUniformEncoder(order=list(dimension.order))
            for name, dimension in zip(names, dimensions, strict=True)
        }
    )
    synthesizer.fit(data)
    return synthesizer


@contextmanager
def quiet_sdv() -> Iterator[None]:
    """Import SDV without its log files, and run it without warnings, progress lines and log records."""
    loggers = [logging.getLogger(name) for name in _SDV_LOGGERS]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if "sdv" not in sys.modules:
            _import_without_log_files()
        before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in loggers]
        for logger in loggers:
            logger.handlers, logger.propagate = [logging.NullHandler()], False
        try:
            yield
        finally:
            for logger, handlers, propagate, level in before:
                logger.handlers, logger.propagate = handlers, propagate
                logger.setLevel(level)


def _import_without_log_files() -> None:
    """SDV opens log files in the user's data folder when it is imported; without that folder it logs nowhere."""
    import platformdirs

    def nowhere(*_: object, **__: object) -> str:
        raise OSError

    original = platformdirs.user_data_dir
    platformdirs.user_data_dir = nowhere
    try:
        import sdv.single_table  # noqa: F401
    finally:
        platformdirs.user_data_dir = original


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Fix the global generators of random, numpy and torch, and put them back afterwards."""
    import torch

    plain, numbers, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)  # the generator that SDV uses
    torch.manual_seed(seed % 2**63)
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(numbers)
        torch.set_rng_state(tensors)


def positive_definite(matrix: Floats, floor: float = 1e-3) -> Floats:
    """A correlation matrix of 6 digits near `matrix` whose eigenvalues are at least about `floor`.

    Negative eigenvalues are lifted and the diagonal restored (Rebonato and Jaeckel 2000); what rounding spoils is repaired by
    shrinking towards independence.
    """
    symmetric = (matrix + matrix.T) / 2
    np.fill_diagonal(symmetric, 1.0)
    values, vectors = np.linalg.eigh(symmetric)
    if len(values) and values[0] < floor:
        lifted = (vectors * np.maximum(values, 2 * floor)) @ vectors.T
        scale = 1 / np.sqrt(np.diag(lifted))
        symmetric = lifted * scale[:, None] * scale[None, :]
    for shrink in (0.0, 0.001, 0.01, 0.1, 0.5, 1.0):
        out = np.round(np.tril(symmetric, -1) * (1 - shrink), 6)
        out = out + out.T + np.eye(len(symmetric))
        if len(out) == 0 or np.linalg.eigvalsh(out)[0] >= floor / 2:
            break
    return out + 0.0
