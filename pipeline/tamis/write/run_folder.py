"""The internal folder of one run, for the people who release: plan, profile, report with before-figures, quarantine. Never in OUT."""

from __future__ import annotations

import re
from pathlib import Path

from tamis.core.errors import UsageError, clean_name
from tamis.write.disk import sentences, write_text_atomic

__all__ = ["RunFolder", "write_text_atomic"]

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_IGNORE = "*\n"


class RunFolder:
    """`STATE/runs/<run_id>/`: folders 0700, files 0600, every file written as a whole or not at all.

    Raises UsageError when the id is not a plain name or the folder cannot be made, TransientError when the disk is full.
    """

    __slots__ = ("path",)

    def __init__(self, state: Path, run_id: str) -> None:
        if not _RUN_ID.fullmatch(run_id):
            raise UsageError("bad_run_id", f"'{clean_name(run_id)}' is not a run id (letters, digits, '.', '_', '-').")
        self.path = state / "runs" / run_id
        with sentences(self.path):
            if not state.exists():
                state.mkdir(mode=0o700, parents=True)
                write_text_atomic(state / ".gitignore", _IGNORE)  # run folders hold before-figures: keep them out of repositories
            for folder in (state / "runs", self.path):
                folder.mkdir(mode=0o700, exist_ok=True)
            self.path.chmod(0o700)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def write_text(self, name: str, text: str) -> Path:
        """Write one text file (0600) atomically; `name` is a plain file name. Returns its path."""
        if not _RUN_ID.fullmatch(name):
            raise UsageError("bad_file_name", f"'{clean_name(name)}' is not a plain file name.")
        write_text_atomic(self.path / name, text, 0o600)
        return self.path / name
