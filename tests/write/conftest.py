"""The plain job, for tests that only look at it."""

import pytest
from write_job import Job, make_job


@pytest.fixture
def job() -> Job:
    """The plain job."""
    return make_job()
