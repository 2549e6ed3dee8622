"""Who is alone in the population the data were drawn from: estimates from the sizes of the sample's classes.

Definitions. A sample of n persons out of N, drawn at random; f_s classes of s persons, u classes in all. A population unique is a
person whose quasi-identifiers nobody else in the population has.

- Zayatz (1991, "Estimation of the percent of unique population elements on a microdata file using the sample", Bureau of the Census,
  SRD report RR-91/08): the sample's classes stand for the population's. uniques = f_1 P N / n, with P the probability that a class of
  which one person is in the sample has one person: P = f_1 h(1; N, 1, n) / sum_s f_s h(1; N, s, n), h hypergeometric.
- Pitman (Hoshino 2001, "Applying Pitman's sampling formula to microdata disclosure risk assessment", J. Official Statistics 17(4):499):
  class sizes follow the Ewens-Pitman model, its parameters fitted by maximum likelihood;
  uniques = Gamma(theta + 1) / Gamma(theta + alpha) N^alpha.
- Which of the two (Dankar, El Emam, Neisa, Roffey 2012, "Estimating the re-identification risk of clinical data sets", BMC Medical
  Informatics and Decision Making 12:66): Pitman where at most a tenth was sampled, else Zayatz. (There the
  rule also fits the slide negative binomial model and takes the smaller figure. That model is not fitted here: the figure is the larger,
  cautious one.)

Assumption: simple random sampling of persons. Data about everybody with some property are not a sample of all; then the data are the
population, which is what is assumed where nobody states its size. What this does not protect from: it is an average over the file;
it says nothing of one person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.core.types import PopulationUniques

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LARGE_FRACTION = 0.1
_GRADIENT = 1e-7
"""per person: the fit is at a stationary point"""
ASSUMED = (0.1, 0.01)
"""fractions shown to a reviewer where nobody states the population's size"""


@dataclass(frozen=True, slots=True)
class Pitman:
    """Fitted parameters: 0 <= alpha < 1, theta > -alpha."""

    theta: float
    alpha: float

    def uniques(self, population: int) -> float:
        """Expected uniques among `population` persons (Hoshino 2001)."""
        from scipy.special import gammaln

        log = gammaln(self.theta + 1) - gammaln(self.theta + self.alpha) + self.alpha * np.log(population)
        return float(np.exp(log))


def population_uniques(sizes: Ints, classes: Ints, stated: int | None) -> tuple[PopulationUniques, ...]:
    """Estimates from a table with `classes[i]` classes of `sizes[i]` persons: the one that counts first.

    `stated` is the size of the population; a size below the sample's is taken for the sample's. Without it the sample counts as
    everybody, the cautious answer, and estimates for assumed sampling fractions follow.
    """
    persons, alone = int((sizes * classes).sum()), int(classes[sizes == 1].sum())
    if stated is not None and stated > persons > 0:
        return (_estimate(sizes, classes, stated, "stated"),)
    whole = PopulationUniques(
        size=persons,
        basis="stated" if stated is not None else "sample",
        method="sample",
        uniques=float(alone),
        share=_six(alone / persons if persons else 0.0),
    )
    assumed = [round(persons / fraction) for fraction in ASSUMED] if stated is None and 0 < alone < persons else []
    return (whole, *(_estimate(sizes, classes, size, "assumed") for size in assumed))


def _estimate(sizes: Ints, classes: Ints, population: int, basis: str) -> PopulationUniques:
    persons = int((sizes * classes).sum())
    other = zayatz(sizes, classes, population)
    fitted = fit_pitman(sizes, classes)
    model = None if fitted is None else fitted.uniques(population)
    if model is not None and not 0 <= model <= population:
        model = None
    by_model = model is not None and persons / population <= _LARGE_FRACTION
    uniques = model if by_model and model is not None else other
    return PopulationUniques.model_validate(
        {
            "size": population,
            "basis": basis,
            "method": "pitman" if by_model else "zayatz",
            "uniques": _digits(uniques),
            "share": _six(uniques / population),
            "pitman": None if model is None else _digits(model),
            "zayatz": _digits(other),
        }
    )


def zayatz(sizes: Ints, classes: Ints, population: int) -> float:
    """Zayatz' estimate; `population` at least the persons of the sample.

    h(1; N, s, n) / h(1; N, 1, n) = s prod_{j=0}^{s-2} (N - n - j) / (N - 1 - j): no factorials of large numbers.
    """
    persons, alone = int((sizes * classes).sum()), int(classes[sizes == 1].sum())
    if not alone:
        return 0.0
    if alone == persons:
        return float(population)
    steps = np.arange(int(sizes.max()) - 1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.maximum(population - persons - steps, 0.0)
        logs = np.concatenate([[0.0], np.cumsum(np.log(left) - np.log(population - 1 - steps))])
    ratios = sizes * np.exp(np.nan_to_num(logs[sizes - 1], nan=-np.inf))
    return float(alone / (classes * ratios).sum() * alone * population / persons)


def fit_pitman(sizes: Ints, classes: Ints) -> Pitman | None:
    """Maximum likelihood of the Ewens-Pitman model; None where there is none inside the parameters' range.

    log L = sum_{i=1}^{u-1} log(theta + i alpha) - sum_{i=1}^{n-1} log(theta + i) + sum_s f_s sum_{j=1}^{s-1} log(j - alpha).
    """
    from scipy.optimize import root

    persons, groups = int((sizes * classes).sum()), int(classes.sum())
    alone = int(classes[sizes == 1].sum())
    if not 0 < alone < persons or groups < 2:
        return None
    slopes = _Slopes(sizes, classes, persons, groups)
    found: tuple[float, Pitman] | None = None
    for alpha, theta in ((0.5, groups / 10), (0.7, groups / 5), (0.3, groups / 50), (alone / groups / 1.5, 1.0), (0.1, 10.0)):
        start = np.array([np.log(alpha / (1 - alpha)), np.log(theta + alpha)])
        with np.errstate(all="ignore"):
            solved = root(slopes, start, method="hybr", options={"xtol": 1e-13})
            slope = slopes(solved.x)
        fitted = slopes.parameters(solved.x)
        if not np.all(np.isfinite(slope)) or np.abs(slope).max() > _GRADIENT or not 1e-6 < fitted.alpha < 1 - 1e-6:
            continue
        height = slopes.likelihood(fitted)
        if np.isfinite(height) and (found is None or height > found[0] + 1e-9 * abs(found[0])):
            found = height, fitted
    return None if found is None else found[1]


class _Slopes:
    """Derivatives of log L / n along logit(alpha) and log(theta + alpha)."""

    def __init__(self, sizes: Ints, classes: Ints, persons: int, groups: int) -> None:
        shared = sizes > 1
        self.sizes, self.classes = sizes[shared].astype(np.float64), classes[shared].astype(np.float64)
        self.persons, self.groups = persons, groups

    @staticmethod
    def parameters(point: Floats) -> Pitman:
        alpha = float(1 / (1 + np.exp(-np.clip(point[0], -40, 40))))
        return Pitman(float(np.exp(np.clip(point[1], -40, 40))) - alpha, alpha)

    def __call__(self, point: Floats) -> Floats:
        from scipy.special import digamma

        at = self.parameters(point)
        theta, alpha, scaled = at.theta, at.alpha, at.theta / at.alpha
        # sum_{i=1}^{u-1} 1 / (theta + i alpha), and the same with i in the numerator
        inverse = (digamma(scaled + self.groups) - digamma(scaled + 1)) / alpha
        weighted = ((self.groups - 1) - theta * inverse) / alpha
        by_theta = inverse - (digamma(theta + self.persons) - digamma(theta + 1))
        by_alpha = weighted - (self.classes * (digamma(self.sizes - alpha) - digamma(1 - alpha))).sum()
        # theta = exp(y) - alpha: a step of alpha moves theta the other way
        return np.array([(by_alpha - by_theta) * alpha * (1 - alpha), by_theta * (theta + alpha)]) / self.persons

    def likelihood(self, at: Pitman) -> float:
        from scipy.special import gammaln

        scaled = at.theta / at.alpha
        first = (self.groups - 1) * np.log(at.alpha) + gammaln(scaled + self.groups) - gammaln(scaled + 1)
        second = gammaln(at.theta + self.persons) - gammaln(at.theta + 1)
        third = (self.classes * (gammaln(self.sizes - at.alpha) - gammaln(1 - at.alpha))).sum()
        return float(first - second + third)


def _digits(value: float) -> float:
    """Seven significant digits: more is not in an estimate, and the last ones depend on the machine."""
    return float(f"{value:.7g}")


def _six(value: float) -> float:
    return round(min(1.0, max(0.0, float(value))), 6) + 0.0
