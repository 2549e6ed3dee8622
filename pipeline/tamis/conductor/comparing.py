"""Two sides of a comparison, from whatever a person names: a plan file, a release folder, OUT, or a release id in the journal."""

from __future__ import annotations

from pathlib import Path

from tamis.catalog import Catalog
from tamis.compare import Change, View, compare, view_of_plan, view_of_release
from tamis.core.errors import UsageError, clean_name
from tamis.core.plan import Plan
from tamis.documents import load_document
from tamis.write.manifest import load_manifest


def diff(a: str | Path, b: str | Path, *, state: str | Path | None = None) -> tuple[View, View, tuple[Change, ...]]:
    """What differs in `b` against `a`. Raises UsageError when one of them is neither a plan nor a release."""
    folder = Path(state) if state is not None else Path(".tamis")
    one, other = _view(a, folder), _view(b, folder)
    return one, other, compare(one, other)


def _view(given: str | Path, state: Path) -> View:
    path = Path(given)
    if path.is_dir():
        for place in (path / "manifest.json", path / "current" / "manifest.json"):
            if place.is_file():
                return view_of_release(load_manifest(place))
        if (path / "plan.json").is_file():
            return view_of_plan(load_document(path / "plan.json", Plan))
        raise UsageError(
            "no_release", f"There is no release in {clean_name(str(path), 200)}.", hint="Name OUT, a release folder or a plan."
        )
    if path.is_file():
        if path.name == "manifest.json":
            return view_of_release(load_manifest(path))
        return view_of_plan(load_document(path, Plan))
    if state.exists():
        record = Catalog(state).find(str(given))
        return view_of_release(load_manifest(Path(record.out) / record.release_id / "manifest.json"))
    raise UsageError("no_such_side", f"{clean_name(str(given), 200)} is neither a plan nor a release.", hint="Name a plan file or OUT.")
