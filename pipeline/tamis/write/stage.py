"""All or nothing: a release is staged in OUT, sealed, renamed to its id, and becomes current by one replaced symlink.

What lies in OUT:

    OUT/<release_id>/           published releases (folders 0755, files 0644), complete whenever they can be seen
    OUT/current                 symlink to the release id in force
    OUT/.lock                   flock(2) of the writing process; the kernel frees it when that process dies
    OUT/.staging-<id>-<pid>/    being written, 0700
    OUT/.next-<id>, .old-<id>   only while a release is replaced by other content under the same id

Killed at any moment, `current` names a complete release (old or new). Hidden names of exactly these forms that a killed run left
behind are removed at the next start; nothing else in OUT is ever touched.
"""

from __future__ import annotations

import errno
import fcntl
import filecmp
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tamis.core.errors import DataError, TransientError, UsageError, clean_name
from tamis.write.disk import seal_tree, sentences, sync_path, walk_tree, write_text_atomic

_ID = r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"
_RELEASE_ID = re.compile(_ID)
_LEFTOVER = re.compile(rf"\.(?:staging-{_ID}-\d+|next-{_ID}|old-{_ID}|current-\d+)")
_CURRENT = "current"
_MANIFEST = "manifest.json"
_TOMBSTONE = "REVOKED.json"


class ReleaseStore:
    """The folder that releases are published to. As a context it holds the folder's lock; reading needs no lock.

    Entering raises UsageError (`out_is_a_file`, `foreign_current`, `cannot_write`), TransientError (`locked`, `disk_full`).
    """

    __slots__ = ("_lock", "_staged", "out")

    def __init__(self, out: Path) -> None:
        self.out = out
        self._lock: int | None = None
        self._staged: list[Path] = []

    def __repr__(self) -> str:
        return f"ReleaseStore({str(self.out)!r}, {'locked' if self._lock is not None else 'not locked'})"

    # ------------------------------------------------------------------------------------------------------------------ the lock

    def __enter__(self) -> Self:
        with sentences(self.out):
            self._make_out()
            self._check_current()
            self._lock = self._take_lock()
        try:
            with sentences(self.out):
                self._recover()
        except BaseException:
            self._release_lock()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            for staged in self._staged:
                shutil.rmtree(staged, ignore_errors=True)  # what cannot be removed now goes at the next start
        finally:
            self._staged.clear()
            self._release_lock()

    def _make_out(self) -> None:
        if os.path.lexists(self.out) and not self.out.is_dir():
            raise UsageError("out_is_a_file", f"{self._shown} is a file; releases need a folder.", hint="Choose another folder with -o.")
        if not self.out.exists():
            self.out.mkdir(parents=True, exist_ok=True)
            self.out.chmod(0o755)

    def _check_current(self) -> None:
        """Replacing `current` must never destroy something that is not ours."""
        link = self.out / _CURRENT
        if os.path.lexists(link) and not (link.is_symlink() and self._ours(str(link.readlink()))):
            raise UsageError(
                "foreign_current",
                f"{self._shown} holds something called 'current' that tamis did not make.",
                hint="Choose an empty folder with -o, or move it away.",
            )

    @staticmethod
    def _ours(target: str) -> bool:
        return bool(_RELEASE_ID.fullmatch(target) or _LEFTOVER.fullmatch(target))

    def _take_lock(self) -> int:
        handle = os.open(self.out / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                raise TransientError(
                    "locked", f"Another tamis run is writing to {self._shown}.", hint="Wait until it has ended, then run again."
                ) from None
            raise
        return handle

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)  # closing frees the lock; the file stays, so that no two processes lock different files
            self._lock = None

    def _recover(self) -> None:
        """Finish or undo what a killed run left: `current` first, then the leftovers."""
        link = self.out / _CURRENT
        if link.is_symlink() and (target := str(link.readlink())).startswith(".next-"):
            release_id = target.removeprefix(".next-")
            self._swap_in(self.out / target, release_id)
            self._point_to(release_id)
        for path in list(self.out.iterdir()):
            if _LEFTOVER.fullmatch(path.name):
                _remove_tree(path)

    # --------------------------------------------------------------------------------------------------------------- publishing

    def staging(self, release_id: str) -> Path:
        """A fresh folder (0700) inside OUT to write one release into; removed on leaving the context unless published."""
        self._check_id(release_id)
        staged = self.out / f".staging-{release_id}-{os.getpid()}"
        with self._writing(staged):
            _remove_tree(staged, missing_ok=True)
            staged.mkdir(mode=0o700)
        self._staged.append(staged)
        return staged

    def publish(self, staging: Path, release_id: str) -> Path:
        """Make a staged release visible and current; returns `OUT/<release_id>`.

        When that release is already there with the same bytes, the staged copy is discarded; with other bytes it is replaced.
        Raises UsageError when something foreign has that name, TransientError `disk_full`.
        """
        self._check_id(release_id)
        final = self.out / release_id
        with self._writing(final):
            if not (staging / _MANIFEST).is_file():
                raise UsageError("incomplete_release", "The staged release has no manifest; it is not published.")
            self._check_final(final)
            if not final.exists():
                seal_tree(staging, folders=0o755, files=0o644)
                os.utime(staging)
                staging.rename(final)
            elif _same_tree(staging, final):
                _remove_tree(staging)
                seal_tree(final, folders=0o755, files=0o644)
                os.utime(final)  # the order of publishing is the order of these times
            else:
                self._replace(staging, release_id)
            sync_path(self.out)
            self._point_to(release_id)
        return final

    def _check_final(self, final: Path) -> None:
        if os.path.lexists(final) and (final.is_symlink() or not (final / _MANIFEST).is_file()):
            raise UsageError(
                "foreign_release",
                f"{clean_name(str(final), 200)} exists and is not a release.",
                hint="Move it away or choose another folder with -o.",
            )
        if (final / _TOMBSTONE).is_file():
            raise DataError(
                "revoked", f"The release {final.name} was revoked: it is not published again.", hint="Change the policy, then plan again."
            )

    def _replace(self, staging: Path, release_id: str) -> None:
        """Other content under the same id: a folder cannot be replaced in one step, a symlink can.

        A hard-linked copy of the new release becomes current first; then the folders are exchanged; then `current` moves back.
        """
        seal_tree(staging, folders=0o755, files=0o644)
        os.utime(staging)
        beside = self.out / f".next-{release_id}"
        _remove_tree(beside, missing_ok=True)
        shutil.copytree(staging, beside, copy_function=_link_or_copy)
        seal_tree(beside, folders=0o755, files=0o644)
        self._point_to(beside.name)
        self._swap_in(staging, release_id)
        self._point_to(release_id)
        _remove_tree(beside)
        _remove_tree(self.out / f".old-{release_id}", missing_ok=True)

    def _swap_in(self, new: Path, release_id: str) -> None:
        """Put `new` (a complete folder; copied when `current` names it) in the place of OUT/<release_id>."""
        final, old = self.out / release_id, self.out / f".old-{release_id}"
        if new.name.startswith(".next-"):  # recovering: the copy that is current must stay until `current` has moved
            fresh = self.out / f".staging-{release_id}-{os.getpid()}"
            _remove_tree(fresh, missing_ok=True)
            shutil.copytree(new, fresh, copy_function=_link_or_copy)
            seal_tree(fresh, folders=0o755, files=0o644)
            os.utime(fresh)
            new = fresh
        if final.exists():
            _remove_tree(old, missing_ok=True)
            final.rename(old)
        new.rename(final)
        sync_path(self.out)

    def _point_to(self, target: str) -> None:
        """The one step that changes what readers see."""
        fresh = self.out / f".current-{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(self.out / _CURRENT)
        sync_path(self.out)

    def quarantine(self, staging: Path, target: Path) -> Path:
        """Move a release that may not leave to `target` (folders 0700, files 0600), on whatever file system; returns `target`.

        `target` must not exist; it appears as a whole.
        """
        with self._writing(target):
            if os.path.lexists(target):
                raise UsageError("cannot_write", f"{clean_name(str(target), 200)} exists and is not overwritten.")
            seal_tree(staging, folders=0o700, files=0o600)
            try:
                staging.rename(target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                beside = target.with_name(f".{target.name}-{os.getpid()}")
                _remove_tree(beside, missing_ok=True)
                try:
                    shutil.copytree(staging, beside)
                    seal_tree(beside, folders=0o700, files=0o600)
                    beside.rename(target)
                except BaseException:
                    _remove_tree(beside, missing_ok=True)
                    raise
                _remove_tree(staging)
            sync_path(target.parent)
        return target

    @contextmanager
    def _writing(self, where: Path) -> Iterator[None]:
        if self._lock is None:
            raise RuntimeError("a ReleaseStore writes only inside its `with` block")
        with sentences(where):
            yield

    @staticmethod
    def _check_id(release_id: str) -> None:
        if not _RELEASE_ID.fullmatch(release_id) or release_id == _CURRENT:
            raise UsageError("bad_release_id", f"'{clean_name(release_id)}' is not a release id (letters, digits, '_', '-').")

    # ------------------------------------------------------------------------------------------------------------------ reading

    def current(self) -> str | None:
        """The release id in force, None when nothing is published."""
        link = self.out / _CURRENT
        if not link.is_symlink():
            return None
        return str(link.readlink()).removeprefix(".next-")

    def releases(self) -> tuple[str, ...]:
        """Ids of complete releases in OUT, the latest published first."""
        if not self.out.is_dir():
            return ()
        with sentences(self.out):
            found = [
                (entry.stat().st_mtime_ns, entry.name)
                for entry in os.scandir(self.out)
                if _RELEASE_ID.fullmatch(entry.name) and entry.name != _CURRENT and entry.is_dir(follow_symlinks=False)
                if (self.out / entry.name / _MANIFEST).is_file()
            ]
        return tuple(name for _, name in sorted(found, reverse=True))

    def rollback(self, to: str | None) -> str:
        """Make an earlier release current again: `to` (an id or the beginning of one), or the one published before the current one.

        Returns its id. Raises UsageError when there is no such release, or more than one begins like that.
        """
        known = self.releases()
        if to is None:
            now = self.current()
            after = known[known.index(now) + 1 :] if now in known else known
            earlier = tuple(name for name in after if not self.revoked(name))
            if not earlier:
                raise UsageError("nothing_to_roll_back", f"{self._shown} holds no earlier release.")
            to = earlier[0]
        begin = [name for name in known if name == to] or [name for name in known if to and name.startswith(to)]
        if len(begin) > 1:
            raise UsageError(
                "ambiguous_release", f"{len(begin)} releases begin with '{clean_name(to)}'.", hint=f"They are: {', '.join(begin[:8])}."
            )
        if not begin:
            raise UsageError(
                "no_such_release",
                f"{self._shown} holds no release '{clean_name(to)}'.",
                hint=f"There are: {', '.join(known[:8])}." if known else "It holds no release at all.",
            )
        if self.revoked(begin[0]):
            raise DataError("revoked", f"The release {begin[0]} was revoked: it cannot be current again.")
        with self._writing(self.out / _CURRENT):
            self._point_to(begin[0])
        return begin[0]

    def revoked(self, release_id: str) -> bool:
        """Whether a release carries a tombstone."""
        return (self.out / release_id / _TOMBSTONE).is_file()

    def revoke(self, release_id: str, tombstone: str, *, delete: bool) -> bool:
        """Put a tombstone (JSON text) into a release, take `current` away from it, and delete its data where asked; its manifest stays.

        Returns whether it was current. Raises UsageError when there is no such release.
        """
        self._check_id(release_id)
        final = self.out / release_id
        if release_id not in self.releases():
            raise UsageError("no_such_release", f"{self._shown} holds no release '{clean_name(release_id)}'.")
        was_current = self.current() == release_id
        write_text_atomic(final / _TOMBSTONE, tombstone, 0o644)
        with self._writing(final):
            if was_current:
                (self.out / _CURRENT).unlink()
                sync_path(self.out)
            if delete:
                for path in list(final.iterdir()):
                    if path.name not in {_MANIFEST, _TOMBSTONE}:
                        _remove_tree(path)
                sync_path(final)
        return was_current

    @property
    def _shown(self) -> str:
        return clean_name(str(self.out), 200)


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _remove_tree(path: Path, *, missing_ok: bool = False) -> None:
    """Remove one thing of ours; a link is removed, never followed."""
    if missing_ok and not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        shutil.rmtree(path)


def _same_tree(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files with the same bytes."""
    trees = [{path.relative_to(root): path for path in walk_tree(root) if not path.is_dir() or path.is_symlink()} for root in (one, other)]
    if trees[0].keys() != trees[1].keys():
        return False
    return all(
        not path.is_symlink() and not trees[1][name].is_symlink() and filecmp.cmp(path, trees[1][name], shallow=False)
        for name, path in trees[0].items()
    )
