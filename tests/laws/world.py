"""A small world for the laws: two tables, every action, a canary in every column, and the real command line."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

KEY = "tamis-key-v1:" + bytes(range(32)).hex()

CANARY_TEXT = "Zyxw-Canary-{column}-Qvkj"
CANARIES: dict[str, object] = {
    "person_id": 918273645546372,
    "full_name": CANARY_TEXT.format(column="name"),
    "email": "zyxwcanary@qvkj-mail.test",
    "phone": "+4917699887766",
    "birth_date": dt.date(1907, 3, 11),
    "postcode": "Q9V7K",
    "job": CANARY_TEXT.format(column="job"),
    "income": 918273.645,
    "diagnosis": CANARY_TEXT.format(column="diagnosis"),
    "comment": CANARY_TEXT.format(column="comment") + " call +4917699887755",
    "first_visit": dt.date(1911, 7, 13),
    "staff_note": CANARY_TEXT.format(column="note"),
}

POLICY = """
version: 1
purpose: Laws
target: people.active
key: env:TAMIS_KEY
privacy: {{k: 5, max_suppressed: 0.2, unit: people.person_id}}
references: {{visits.person_id: people.person_id}}
tables:
  people:
    key: person_id
    columns:
      person_id: {{pseudonymize: {{domain: person}}}}
      full_name: {{fake: {{kind: person_name}}}}
      email: {{fake: {{kind: email}}}}
      phone: drop
      birth_date: {{generalize: {{to: auto}}, role: quasi}}
      postcode: {{generalize: {{to: auto}}, role: quasi}}
      job: {{suppress_rare: {{}}, role: none}}
      sex: {{keep: the purpose needs it, role: quasi}}
      income: {income}
      diagnosis: {diagnosis}
      comment: {comment}
      first_visit: {{shift_dates: {{subject: person_id, domain: person}}, role: none}}
      active: {{keep: the target, role: none}}
  visits:
    columns:
      visit_id: {{pseudonymize: {{domain: visit}}}}
      person_id: {{pseudonymize: {{domain: person}}}}
      amount: {{top_bottom_code: {{}}, role: none}}
      staff_note: drop
"""

FULL = POLICY.format(income="synthesize", diagnosis="synthesize", comment="{redact: {}, role: none}")
LIGHT = POLICY.format(income="drop", diagnosis="drop", comment="drop")
"""the same without SDV and Presidio's engine: fast enough to be killed thirty times"""


def people(rows: int = 800, seed: int = 7, *, canaries: bool = True) -> pl.DataFrame:
    """Persons with related columns; the last row carries a canary in every column."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, rows)
    first = np.array(["Ann", "Bob", "Carla", "Dmitri", "Elif", "Femi"])[rng.integers(0, 6, rows)]
    last = np.array(["Abel", "Bruun", "Castro", "Diallo", "Eriksen"])[rng.integers(0, 5, rows)]
    number = [f"{i:04d}" for i in range(rows)]
    frame = pl.DataFrame(
        {
            "person_id": np.arange(100_000, 100_000 + rows),
            "full_name": [f"{f} {n} {i}" for f, n, i in zip(first, last, number, strict=True)],
            "email": [f"{f.lower()}.{i}@mail.test" for f, i in zip(first, number, strict=True)],
            "phone": [f"+4930{i}55{i}" for i in number],
            "birth_date": [dt.date(2024 - int(a), 1 + int(a) % 12, 1 + int(a) % 28) for a in age],
            "postcode": [f"{v:05d}" for v in rng.integers(1000, 1040, rows)],
            "job": np.array(["nurse", "driver", "cook"])[rng.integers(0, 3, rows)],
            "sex": np.array(["f", "m"])[rng.integers(0, 2, rows)],
            "income": (age * 900.0 + rng.normal(0, 4000, rows)).round(2),
            "diagnosis": np.array(["asthma", "none", "diabetes", "back pain"])[rng.integers(0, 4, rows)],
            "comment": [f"spoke on the phone about visit {i}" for i in number],
            "first_visit": [dt.date(2020, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 900, rows)],
            "active": rng.random(rows) < 0.5,
        }
    )
    if not canaries:
        return frame
    planted = {name: CANARIES.get(name, frame[name][-1]) for name in frame.columns}
    return pl.concat([frame[:-1], pl.DataFrame([planted], schema=frame.schema)])


def visits(persons: pl.DataFrame, rows: int = 1500, seed: int = 8) -> pl.DataFrame:
    """Visits of the persons; `staff_note` carries its canary once."""
    rng = np.random.default_rng(seed)
    note = ["ok"] * (rows - 1) + [str(CANARIES["staff_note"])]
    return pl.DataFrame(
        {
            "visit_id": [f"V{i:06d}" for i in range(rows)],
            "person_id": persons["person_id"].gather(rng.integers(0, persons.height, rows)),
            "amount": rng.gamma(2, 30, rows).round(2),
            "staff_note": note,
        }
    )


class World:
    """A folder with the two tables and a policy, and the command line to run in it."""

    def __init__(self, folder: Path, policy: str = FULL) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.out = folder / "out"
        self.state = folder / "state"
        for path in (self.data, folder / "home", folder / "tmp"):
            path.mkdir(parents=True, exist_ok=True)
        self.people = people()
        self.visits = visits(self.people)
        self.people.write_csv(self.data / "people.csv")
        self.visits.write_parquet(self.data / "visits.parquet")
        (folder / "policy.yaml").write_text(policy, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """A home and a temporary folder of its own, so that everything written can be searched."""
        home = str(self.folder / "home")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TAMIS", "XDG", "PYTEST"))}
        return clean | {
            "TAMIS_KEY": KEY,
            "HOME": home,
            "TMPDIR": str(self.folder / "tmp"),
            "XDG_DATA_HOME": home + "/share",
            "XDG_CACHE_HOME": home + "/cache",
        }

    def command(self, *arguments: str) -> list[str]:
        """The command line of a verb."""
        return [sys.executable, "-m", "tamis", *arguments]

    def tamis(self, *arguments: str, check: int | None = 0, prelude: str = "") -> subprocess.CompletedProcess[str]:
        """Run a verb; `prelude` is Python that runs first in the same process."""
        command = self.command(*arguments)
        if prelude:
            command = [
                sys.executable,
                "-c",
                f"{prelude}\nimport sys\nsys.argv = {['tamis', *arguments]!r}\nfrom tamis.cli import main\nmain()",
            ]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=280)
        if check is not None:
            assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *more: str, check: int | None = 0, prelude: str = "") -> subprocess.CompletedProcess[str]:
        """`tamis run` of the whole job."""
        arguments = ("run", "data/people.csv", "data/visits.parquet", "-p", "policy.yaml", "-o", "out", "--state", "state", *more)
        return self.tamis(*arguments, check=check, prelude=prelude)

    @property
    def current(self) -> Path:
        """The current release folder."""
        return (self.out / "current").resolve()

    @property
    def manifest(self) -> dict:
        """The current manifest."""
        return json.loads((self.current / "manifest.json").read_text(encoding="utf-8"))

    def released(self, table: str) -> pl.DataFrame:
        """The rows of a released table."""
        return pl.read_parquet(sorted((self.current / table).glob("part-*.parquet")))
