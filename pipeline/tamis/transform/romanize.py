"""Names in Latin letters, letter by letter: for e-mail addresses and user names that match a name.

Cyrillic after ICAO Doc 9303 part 3 (as in passports), Greek after ELOT 743 without its digraphs, Korean by the Revised Romanization of
2000 without changes between syllables. Words of a list are romanized once, never cells.
"""

from __future__ import annotations

import unicodedata

_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "i", "к": "k", "л": "l", "м": "m",
    "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh",
    "щ": "shch", "ъ": "ie", "ы": "y", "ь": "", "э": "e", "ю": "iu", "я": "ia", "і": "i", "ї": "i", "є": "ie", "ґ": "g", "ђ": "dj",
    "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "џ": "dz", "ѓ": "g", "ќ": "k", "ѕ": "dz", "ё": "e", "ў": "u",
}  # fmt: skip
_GREEK = {
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k", "λ": "l", "μ": "m", "ν": "n",
    "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t", "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
}  # fmt: skip
_LATIN = {
    "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ə": "a", "ŋ": "ng", "ħ": "h",
}  # fmt: skip
_LETTERS = _CYRILLIC | _GREEK | _LATIN
_INITIALS = ("g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h")
_VOWELS = (
    "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi", "yu", "eu", "ui", "i",
)  # fmt: skip
_FINALS = (
    "", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l",
    "m", "p", "p", "t", "t", "ng", "t", "t", "k", "t", "p", "t",
)  # fmt: skip
_FIRST, _LAST = 0xAC00, 0xD7A3
"""the Korean syllables of Unicode, in the order of their parts (The Unicode Standard, 3.12)"""


def roman(name: str) -> str:
    """Lower-case ASCII letters of a name; empty when any letter of it has none."""
    out = []
    for letter in unicodedata.normalize("NFC", name).lower():
        if _FIRST <= ord(letter) <= _LAST:
            place = ord(letter) - _FIRST
            out.append(_INITIALS[place // 588] + _VOWELS[place % 588 // 28] + _FINALS[place % 28])
        elif letter in _LETTERS:
            out.append(_LETTERS[letter])
        elif letter.isalpha():
            base = "".join(part for part in unicodedata.normalize("NFD", letter) if not unicodedata.combining(part))
            plain = "".join(_LETTERS.get(part, part) for part in base)
            if not plain.isascii():
                return ""
            out.append(plain)
        elif unicodedata.category(letter) in ("Mn", "Mc") and not letter.isascii() and not out:
            return ""
    made = "".join(out)
    return made if made.isascii() and made.isalpha() else ""
