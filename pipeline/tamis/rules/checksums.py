"""Check digits by name: those of python-stdnum, and a few that it does not have."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from tamis.core.errors import PolicyError, clean_name, did_you_mean

_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_VALUES = (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10))
_VIN_LETTERS: Mapping[str, int] = MappingProxyType(dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", _VIN_VALUES, strict=True)))
_MRZ_WEIGHTS = (7, 3, 1)


def is_vin(text: str) -> bool:
    """Whether 17 characters are a vehicle identification number with a right check digit in position 9 (49 CFR 565.15(c))."""
    code = text.strip().upper()
    if not re.fullmatch(r"[A-HJ-NPR-Z0-9]{17}", code):
        return False
    total = sum(weight * (int(c) if c.isdigit() else _VIN_LETTERS[c]) for weight, c in zip(_VIN_WEIGHTS, code, strict=True))
    return code[8] == "0123456789X"[total % 11]


def is_machine_readable(text: str) -> bool:
    """Whether the last digit is the check digit of what stands before it (ICAO Doc 9303-3, 4.9: weights 7, 3, 1, modulo 10)."""
    code = text.strip().upper()
    if not re.fullmatch(r"[A-Z0-9<]{6,}[0-9]", code):
        return False
    values = (0 if c == "<" else int(c, 36) for c in code[:-1])
    return sum(value * _MRZ_WEIGHTS[i % 3] for i, value in enumerate(values)) % 10 == int(code[-1])


def is_dea(text: str) -> bool:
    """Whether two letters and seven digits are a DEA registration number: d1+d3+d5+2(d2+d4+d6) ends in d7 (21 CFR 1301; DEA's rule)."""
    code = text.strip().upper()
    if not re.fullmatch(r"[A-HJ-NPR-UX][A-Z9][0-9]{7}", code):
        return False
    d = [int(c) for c in code[2:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def is_npi(text: str) -> bool:
    """Whether ten digits are a national provider identifier: Luhn's check over 80840 and the digits (45 CFR 162.406, ISO/IEC 7812)."""
    if not re.fullmatch(r"[12][0-9]{9}", text.strip()):
        return False
    digits = [int(c) for c in reversed("80840" + text.strip())]
    return sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(digits)) % 10 == 0


class _Safe:
    """A check of python-stdnum that never raises: some of them trip over numbers that their own tables do not foresee."""

    def __init__(self, check: Callable[[str], object]) -> None:
        self._check = check

    def __call__(self, text: str) -> bool:
        try:
            return bool(self._check(text))
        except Exception:  # noqa: BLE001  # whatever it was, the number is none that the check knows; its text would quote the value
            return False


_OURS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {"tamis.vin": is_vin, "tamis.mrz": is_machine_readable, "tamis.dea": is_dea, "tamis.npi": is_npi}
)


@cache
def checksum_named(name: str) -> Callable[[str], bool]:
    """The check of that name, text -> whether it passes; it never raises. PolicyError when there is none of the name."""
    if name in _OURS:
        return _OURS[name]
    if name.startswith("stdnum."):
        try:
            check = importlib.import_module(name).is_valid
        except (ImportError, AttributeError):
            check = None
        if check is not None:
            return _Safe(check)
    hint = did_you_mean(name, _OURS) if name.startswith("tamis.") else "A module of python-stdnum with check digits, e.g. stdnum.de.idnr."
    raise PolicyError("unknown_checksum", f"There are no check digits called '{clean_name(name)}'.", hint=hint)
