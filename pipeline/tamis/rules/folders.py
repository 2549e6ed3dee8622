"""Where the rules lie: the folder that ships with tamis, and the user's own files."""

from __future__ import annotations

from pathlib import Path


def rules_folder() -> Path:
    """The folder with our rules: inside the wheel, or the repository's in an editable install."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_data" / "rules"
    return shipped if shipped.is_dir() else package.parents[1] / "rules"


def list_packs() -> tuple[str, ...]:
    """Names of the packs that come with tamis, sorted."""
    return tuple(sorted(path.stem for path in (rules_folder() / "packs").glob("*.yaml")))


def list_hierarchies() -> tuple[str, ...]:
    """Names of the hierarchies that come with tamis, sorted."""
    return tuple(sorted(path.stem for path in (rules_folder() / "hierarchies").glob("*.csv")))


def is_path(name: str) -> bool:
    """Whether a name is meant as a path, not as one of ours."""
    return "/" in name or "\\" in name or name.endswith((".yaml", ".yml", ".csv", ".json"))


def located(name: str, base: Path | None) -> Path:
    """The path, relative to `base` (the folder of the policy or plan); what is not there may be relative to the working folder."""
    path = Path(name).expanduser()
    beside = path if path.is_absolute() or base is None else base / path
    return path if not beside.exists() and path.exists() else beside
