"""Laws of publishing: all or nothing, one writer at a time, nothing foreign touched."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tamis.core.errors import TransientError, UsageError
from tamis.write.disk import as_sentence, sentences
from tamis.write.run_folder import RunFolder, write_text_atomic
from tamis.write.stage import ReleaseStore


def fill(staging: Path, text: str = "one") -> None:
    """A tiny release."""
    (staging / "customers").mkdir()
    (staging / "customers" / "part-00000.parquet").write_text(text)
    (staging / "manifest.json").write_text("{}")


def publish(out: Path, release_id: str, text: str = "one") -> Path:
    """One whole publication."""
    with ReleaseStore(out) as store:
        staging = store.staging(release_id)
        fill(staging, text)
        return store.publish(staging, release_id)


def content(out: Path) -> str:
    """What a reader sees through `current`."""
    return (out / "current" / "customers" / "part-00000.parquet").read_text()


def hidden(out: Path) -> list[str]:
    """Hidden names in OUT besides the lock."""
    return sorted(path.name for path in out.iterdir() if path.name.startswith(".") and path.name != ".lock")


def test_a_published_release_is_current_readable_by_all_and_leaves_nothing_else(tmp_path: Path) -> None:
    """After publishing, OUT holds the release (0755/0644), the symlink and the lock, and no staging."""
    final = publish(tmp_path / "deep" / "out", "r1")
    out = final.parent
    assert content(out) == "one"
    assert str((out / "current").readlink()) == "r1"
    assert stat.S_IMODE(final.stat().st_mode) == 0o755
    assert stat.S_IMODE((final / "manifest.json").stat().st_mode) == 0o644
    assert stat.S_IMODE((final / "customers").stat().st_mode) == 0o755
    assert hidden(out) == []


def test_staging_is_private_until_it_is_published(tmp_path: Path) -> None:
    """The staging folder is 0700 and lies inside OUT, so that publishing is a rename."""
    with ReleaseStore(tmp_path / "out") as store:
        staging = store.staging("r1")
        assert stat.S_IMODE(staging.stat().st_mode) == 0o700
        assert staging.parent == tmp_path / "out"


def test_leaving_without_publishing_leaves_nothing(tmp_path: Path) -> None:
    """An error between staging and publishing removes the staging folder and changes nothing else."""
    out = tmp_path / "out"
    publish(out, "r1")
    with pytest.raises(UsageError), ReleaseStore(out) as store:
        store.publish(store.staging("r2"), "r2")
    assert hidden(out) == []
    assert ReleaseStore(out).releases() == ("r1",)


def test_publishing_the_same_bytes_again_keeps_the_folder(tmp_path: Path) -> None:
    """Run twice: the release that is already there stays (same inode) and is current."""
    out = tmp_path / "out"
    first = publish(out, "r1").stat().st_ino
    publish(out, "r2")
    assert publish(out, "r1").stat().st_ino == first
    assert ReleaseStore(out).current() == "r1"


@pytest.mark.parametrize("change", ["content", "extra", "missing", "link"])
def test_publishing_other_bytes_under_the_same_id_replaces_them(tmp_path: Path, change: str) -> None:
    """A release that differs from the staged one in any file is replaced as a whole."""
    out = tmp_path / "out"
    final = publish(out, "r1")
    part = final / "customers" / "part-00000.parquet"
    match change:
        case "content":
            part.write_text("two")
        case "extra":
            (final / "stray").write_text("x")
        case "missing":
            part.unlink()
        case _:
            part.unlink()
            part.symlink_to(tmp_path)
    publish(out, "r1")
    assert content(out) == "one"
    assert not (final / "stray").exists()
    assert not part.is_symlink()
    assert hidden(out) == []


def test_a_second_writer_is_refused_while_the_first_holds_the_lock(tmp_path: Path) -> None:
    """One writer per OUT: the second gets `locked`, which is transient (exit 5), and readers are not hindered."""
    out = tmp_path / "out"
    publish(out, "r1")
    with ReleaseStore(out):
        with pytest.raises(TransientError) as caught, ReleaseStore(out):
            pass
        assert (caught.value.code, caught.value.exit_code) == ("locked", 5)
        assert ReleaseStore(out).current() == "r1"
    publish(out, "r2")


def test_the_lock_of_a_killed_process_frees_itself_and_its_staging_is_removed(tmp_path: Path) -> None:
    """SIGKILL while staging: the next run starts at once and cleans up; the old release was current all the time."""
    out = tmp_path / "out"
    publish(out, "r1")
    code = "import sys, time; from pathlib import Path; from tamis.write.stage import ReleaseStore\n"
    code += f"with ReleaseStore(Path({str(out)!r})) as s:\n    s.staging('r2'); print('ready', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert hidden(out) == [f".staging-r2-{child.pid}"]
    assert content(out) == "one"
    with ReleaseStore(out):
        assert hidden(out) == []


@pytest.mark.slow
def test_killed_before_any_single_system_call_a_complete_release_is_current(tmp_path: Path) -> None:
    """Replacing a release under the same id, stopped before the n-th system call for every n: `current` is whole, old or new."""
    for step in range(200):
        out = tmp_path / f"out{step}"
        publish(out, "r1", "old")
        done = _publish_killed_at(out, step)
        assert content(out) in {"old", "new"}, step
        assert (out / "current" / "manifest.json").is_file(), step
        with ReleaseStore(out) as store:
            assert content(out) in {"old", "new"}, step
            assert store.current() == "r1"
            assert str((out / "current").readlink()) == "r1"
            assert hidden(out) == [], step
        assert ReleaseStore(out).releases() == ("r1",)
        if done:
            assert content(out) == "new"
            assert step > 20
            return
    pytest.fail("the publication never completed")


def _publish_killed_at(out: Path, step: int) -> bool:
    """Publish in a forked child that dies (no clean-up, like SIGKILL) before its n-th audited call; True when it got through."""
    child = os.fork()
    if child == 0:
        left = step
        watched = {"os.rename", "os.symlink", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.utime", "shutil.copytree"}
        with ReleaseStore(out) as store:
            staging = store.staging("r1")
            fill(staging, "new")

            def audit(event: str, _args: tuple[object, ...]) -> None:
                nonlocal left
                if event in watched:
                    left -= 1
                    if left < 0:
                        os._exit(9)

            sys.addaudithook(audit)
            store.publish(staging, "r1")
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_rollback_goes_back_in_the_order_of_publishing(tmp_path: Path) -> None:
    """`rollback(None)` names the release published before the current one; `rollback(id)` any; the chain ends in an error."""
    out = tmp_path / "out"
    for index, name in enumerate(("b", "c", "a")):
        os.utime(publish(out, name), ns=(0, 1_000 * (index + 1)))
    assert ReleaseStore(out).releases() == ("a", "c", "b")
    with ReleaseStore(out) as store:
        assert store.rollback(None) == "c"
        assert store.current() == "c"
        assert store.rollback(None) == "b"
        with pytest.raises(UsageError, match="no earlier release"):
            store.rollback(None)
        assert store.rollback("a") == "a"
        with pytest.raises(UsageError, match="There are: a, c, b"):
            store.rollback("nope")
    assert content(out) == "one"


def test_rollback_takes_the_beginning_of_an_id(tmp_path: Path) -> None:
    """A beginning that fits one release names it; one that fits several is refused with them; a whole id wins over a longer one."""
    out = tmp_path / "out"
    for name in ("ab", "abc", "abd", "x1"):
        publish(out, name)
    with ReleaseStore(out) as store:
        assert store.rollback("x") == store.current() == "x1"
        assert store.rollback("ab") == "ab"
        with pytest.raises(UsageError, match="3 releases begin with 'a'"):
            store.rollback("a")
        with pytest.raises(UsageError, match="holds no release ''"):
            store.rollback("")


def test_nothing_foreign_is_touched(tmp_path: Path) -> None:
    """Other people's files in OUT, hidden ones included, survive every start and publication."""
    out = tmp_path / "out"
    (out / ".staging-notes").mkdir(parents=True)
    (out / "README").write_text("mine")
    (out / ".next").write_text("mine")
    publish(out, "r1")
    publish(out, "r1", "two")
    assert (out / "README").read_text() == "mine"
    assert (out / ".next").read_text() == "mine"
    assert (out / ".staging-notes").is_dir()
    assert ReleaseStore(out).releases() == ("r1",)


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_a_foreign_current_is_refused(tmp_path: Path, what: str) -> None:
    """A `current` that tamis did not make is never replaced."""
    out = tmp_path / "out"
    out.mkdir()
    current = out / "current"
    {"file": lambda: current.write_text("x"), "folder": current.mkdir, "link": lambda: current.symlink_to("/etc")}[what]()
    with pytest.raises(UsageError) as caught:
        publish(out, "r1")
    assert caught.value.code == "foreign_current"
    assert os.path.lexists(current)


def test_a_foreign_thing_named_like_the_release_is_refused(tmp_path: Path) -> None:
    """A file or a folder without manifest under the release's name stays, and nothing is published."""
    out = tmp_path / "out"
    (out / "r1").mkdir(parents=True)
    (out / "r1" / "thesis.doc").write_text("x")
    with pytest.raises(UsageError) as caught:
        publish(out, "r1")
    assert caught.value.code == "foreign_release"
    assert (out / "r1" / "thesis.doc").exists()
    assert ReleaseStore(out).current() is None


def test_out_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """OUT must be a folder; the file stays as it is."""
    (tmp_path / "out").write_text("x")
    with pytest.raises(UsageError) as caught:
        publish(tmp_path / "out", "r1")
    assert caught.value.code == "out_is_a_file"


@pytest.mark.parametrize("name", ["../x", "a/b", "current", ".x", "", "x" * 200, "a\nb"])
def test_release_ids_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    """A release id is a plain word: no separators, no dots, no control characters."""
    with ReleaseStore(tmp_path / "out") as store, pytest.raises(UsageError):
        store.staging(name)


def test_a_release_without_manifest_is_not_published(tmp_path: Path) -> None:
    """The manifest is written last; without it the release is incomplete."""
    with ReleaseStore(tmp_path / "out") as store, pytest.raises(UsageError):
        store.publish(store.staging("r1"), "r1")


def test_quarantine_moves_everything_into_private_hands(tmp_path: Path) -> None:
    """A release that may not leave ends in the run folder (0700/0600) and nowhere in OUT; an existing target is not overwritten."""
    out, run = tmp_path / "out", tmp_path / "run"
    run.mkdir()
    with ReleaseStore(out) as store:
        staging = store.staging("r1")
        fill(staging)
        target = store.quarantine(staging, run / "quarantine")
        assert stat.S_IMODE(target.stat().st_mode) == 0o700
        assert stat.S_IMODE((target / "customers" / "part-00000.parquet").stat().st_mode) == 0o600
        fill(store.staging("r2"))
        with pytest.raises(UsageError):
            store.quarantine(out / f".staging-r2-{os.getpid()}", target)
    assert [path.name for path in out.iterdir()] == [".lock"]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_quarantine_works_across_file_systems(tmp_path: Path) -> None:
    """When the run folder lies on another file system, the release is copied whole and then removed from OUT."""
    out = Path(f"/dev/shm/tamis-test-{os.getpid()}-{time.monotonic_ns()}")
    try:
        with ReleaseStore(out) as store:
            staging = store.staging("r1")
            fill(staging)
            target = store.quarantine(staging, tmp_path / "quarantine")
        assert (target / "customers" / "part-00000.parquet").read_text() == "one"
        assert [path.name for path in out.iterdir()] == [".lock"]
        assert [path.name for path in tmp_path.iterdir()] == ["quarantine"]
    finally:
        subprocess.run(["rm", "-rf", str(out)], check=True)


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [(errno.ENOSPC, "disk_full", 5), (errno.EDQUOT, "disk_full", 5), (errno.EACCES, "cannot_write", 2), (errno.EROFS, "cannot_write", 2)],
)
def test_file_system_errors_are_sentences_with_a_status(number: int, code: str, status: int) -> None:
    """A full disk is transient, missing rights are the user's to mend; the path is shown safely."""
    with pytest.raises((TransientError, UsageError)) as caught, sentences(Path("/x/\u202eevil")):
        raise OSError(number, "secret detail")
    assert (caught.value.code, int(caught.value.exit_code)) == (code, status)
    assert "secret" not in str(caught.value)
    assert "\u202e" not in str(as_sentence(number, Path("/x/\u202eevil")))


def test_text_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Atomic writing replaces the file, sets its mode, and leaves the old one and no litter when it fails."""
    path = tmp_path / ("n" * 250)
    write_text_atomic(path, "old\n")
    write_text_atomic(path, "new ✓\n", 0o644)
    assert path.read_text(encoding="utf-8") == "new ✓\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(UnicodeEncodeError):
        write_text_atomic(path, "\ud800")
    assert path.read_text(encoding="utf-8") == "new ✓\n"
    assert list(tmp_path.iterdir()) == [path]


def test_run_folders_are_private(tmp_path: Path) -> None:
    """STATE and its runs are 0700, files 0600, whatever the umask; names cannot leave the folder."""
    folder = RunFolder(tmp_path / ".tamis", "20261124-1")
    path = folder.write_text("plan.json", "{}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".tamis").stat().st_mode) == 0o700
    assert (tmp_path / ".tamis" / ".gitignore").read_text() == "*\n"
    for name in ("../x", "a/b", "", "."):
        with pytest.raises(UsageError):
            folder.write_text(name, "x")
        with pytest.raises(UsageError):
            RunFolder(tmp_path, name)
