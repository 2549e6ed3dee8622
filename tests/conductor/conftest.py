"""One released job that tests look at without changing it."""

from __future__ import annotations

import pytest
from tests.conductor.small import Job


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job after `run_job`."""
    job = Job(tmp_path_factory.mktemp("job"))
    job.run()
    return job
