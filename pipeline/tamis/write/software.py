"""Versions and licences of what made a release, from the installed distributions' own metadata."""

from __future__ import annotations

import platform
import re
from importlib import metadata

_INSIDE_SDV = ("copulas", "rdt", "sdmetrics")
"""come with SDV and do part of the work; three of the family are under its licence"""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _direct() -> list[str]:
    """Distribution names: tamis, its direct dependencies (extras left out), and SDV's family."""
    try:
        stated = metadata.requires("tamis") or []
    except metadata.PackageNotFoundError:
        stated = []
    names = [match.group() for line in stated if "extra ==" not in line and (match := _NAME.match(line))]
    return sorted({name.lower().replace("_", "-") for name in ("tamis", *names, *_INSIDE_SDV)})


def library_versions() -> dict[str, str]:
    """Distribution name to installed version, and the version of Python."""
    versions = {"python": platform.python_version()}
    for name in _direct():
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return dict(sorted(versions.items()))


def licences() -> dict[str, str]:
    """Distribution name to its licence as the distribution states it: SPDX expression, else the short licence field, else classifiers."""
    found = {}
    for name in _direct():
        try:
            found[name] = _licence(metadata.metadata(name))
        except metadata.PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def _licence(about: metadata.PackageMetadata) -> str:
    if "License-Expression" in about:
        return about["License-Expression"]
    stated = about["License"].strip() if "License" in about else ""
    if stated and "\n" not in stated and len(stated) <= 60:
        return stated
    classifiers = [line.rsplit("::", 1)[-1].strip() for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    classifiers = [line for line in classifiers if line != "OSI Approved"]
    if classifiers:
        return ", ".join(sorted(classifiers))
    return stated.splitlines()[0][:60] if stated else "not stated"
