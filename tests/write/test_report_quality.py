"""The report's chapter on utility and memorization."""

from __future__ import annotations

import re

import pytest
from write_job import RUN, make_job

from tamis.core.record import Measure
from tamis.write.quality import quality_views
from tamis.write.report import render_report

NAME = "<b>^in.come$"


def made(measures):
    """A plan with a proxied column of a hostile name, and a verdict with these figures and no others of their kind."""
    job = make_job({"income": NAME})
    plan = job.plan.model_copy(update={"target": "customers.plan_type"})
    return plan, job, job.verdict.model_copy(update={"measures": tuple(measures)})


def figures(excess=0.0):
    """What verify takes of such a table."""
    at = f"@customers.{NAME}"
    return [
        Measure(name="memorization.own" + at, value=0.2, low=0.15, high=0.25, of=100),
        Measure(name="memorization.own_chance" + at, value=0.19, of=100),
        Measure(name="memorization.own_excess" + at, value=excess, of=100),
        Measure(name="utility.column_shapes" + at, value=0.97, of=100),
        Measure(name="memorization.closer@customers", value=0.5, low=0.45, high=0.55, of=400),
        Measure(name="utility.pair_trends@customers", value=0.93, of=3),
        Measure(name="utility.downstream@customers", value=1.25, low=-0.5, high=2.0, of=300),
        Measure(name="utility.downstream_original@customers", value=0.8, low=0.7, high=0.9, of=300, internal=True, note="ridge 0.800"),
        Measure(name="utility.downstream_release@customers", value=0.79, low=0.7, high=0.9, of=300, note="ridge 0.790"),
    ]


def page(plan, job, verdict):
    """The internal report."""
    return render_report(plan, job.profile, job.findings, verdict, None, RUN)


def test_the_chapter_says_what_was_measured():
    """Own against chance per column, rows together, the model with its interval; names are escaped."""
    chapter = re.search(r'<section aria-labelledby="quality">.*?</section>', page(*made(figures())), re.DOTALL).group()
    assert NAME not in chapter
    for text in ("1.25", "0.97", "0.93", "ridge 0.790", "plan_type"):
        assert text in chapter
    assert 'class="warns"' not in chapter


def test_proxies_that_remember_are_marked():
    """What exceeds chance by more than the default gate allows stands out; columns without figures have no row."""
    plan, _, verdict = made(figures(0.2))
    (view,) = quality_views(plan, verdict)
    assert [(one["column"], one["remembers"]) for one in view["proxies"]] == [(NAME, True)]


@pytest.mark.parametrize("measures", [[], figures()[:1]])
def test_nothing_measured_no_chapter(measures):
    """A table without these figures, or with half of them, has no rows of numbers that nobody took."""
    plan, job, verdict = made(measures)
    assert quality_views(plan, verdict) == []
    assert 'id="quality"' not in page(plan, job, verdict)
