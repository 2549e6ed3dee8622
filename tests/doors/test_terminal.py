"""Laws of a real terminal: live progress, hostile names, colors."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest


def _in_terminal(arguments: list[str], folder: Path, **environment: str) -> tuple[int, str]:
    """Run `tamis` with a pseudo-terminal for both outputs; exit code and everything shown."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tamis", *arguments]
    inherited = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    process = subprocess.Popen(
        command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env={**inherited, "TERM": "xterm", **environment}
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed: Linux says EIO
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(), shown.decode("utf-8", errors="replace")


@pytest.mark.slow
def test_live_progress_nests_and_names_are_harmless(tmp_path: Path) -> None:
    """On a terminal the stages show live, and a table name with escape sequences arrives as visible text."""
    (tmp_path / "a\x1b[31mb.csv").write_text("sex,n\nf,1\nm,2\n", encoding="utf-8")
    code, shown = _in_terminal(["profile", "a\x1b[31mb.csv"], tmp_path)
    assert code == 0
    assert "profile" in shown
    assert "\\u001b[31m" in shown
    assert "a\x1b[31mb" not in shown


@pytest.mark.slow
def test_no_color_is_respected(tmp_path: Path) -> None:
    """A direct identifier is red on a terminal, and not when NO_COLOR is set."""
    (tmp_path / "t.csv").write_text("email\na@b.test\nc@d.test\n", encoding="utf-8")
    red = "\x1b[1;31m"
    _, colored = _in_terminal(["profile", "t.csv"], tmp_path)
    _, plain = _in_terminal(["profile", "t.csv"], tmp_path, NO_COLOR="1")
    assert red in colored
    assert red not in plain
    assert "direct" in plain
