"""Encodings of text files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tamis.core.errors import DataError
from tests.read.conftest import CANARY

TEXT = "name,n\nZoë Müller,1\nJosé Nuñez,2\nFrançois Lefèvre,3\n"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"])
def test_western_text(codec: str, load: Callable[..., object]) -> None:
    """Marked, unmarked and legacy encodings of one text give the same rows, and the mark is no part of the first name."""
    table, rows = load("t.csv", TEXT.encode(codec))
    assert rows["name"].to_list() == ["Zoë Müller", "José Nuñez", "François Lefèvre"]
    assert table.source.encoding is not None


@pytest.mark.parametrize(
    ("codec", "name"),
    [("cp932", "名前です東京都大阪府カタカナ"), ("cp1251", "Привет как дела сегодня утром"), ("gb18030", "这是一个中文的测试文件上海北京")],
)
def test_other_scripts_are_guessed_and_noted(codec: str, name: str, load: Callable[..., object]) -> None:
    """A legacy encoding of another script is recognized, and the guess is noted."""
    table, rows = load("t.csv", f"名,n\n{name},1\n".encode(codec) if codec != "cp1251" else f"имя,n\n{name},1\n".encode(codec))
    assert rows.item(0, 1) == 1
    assert rows.item(0, 0) == name
    assert any("guessed" in note for note in table.source.notes)


def test_stated_encoding_wins(load: Callable[..., object]) -> None:
    """A stated encoding is not second-guessed; an unknown one is refused."""
    assert load("t.csv", TEXT.encode("cp1252"), encoding="cp1251")[1].item(0, 0) == "Zoл Mьller"
    with pytest.raises(DataError, match="encoding is not known"):
        load("t.csv", TEXT, encoding="klingon")
    with pytest.raises(DataError, match="encoding is not known"):
        load("t.csv", TEXT, encoding="hex")


def test_damaged_text_is_refused_with_its_line(load: Callable[..., object]) -> None:
    """UTF-8 with a damaged byte is not passed off as another encoding: the line is named, the text is not."""
    with pytest.raises(DataError, match=r"Line 4 .* not utf-8") as caught:
        load("t.csv", f"a,b\nживо,1\nŽluť,2\n{CANARY}".encode() + b"\xff,3\n")
    assert caught.value.code == "undecodable"
    assert CANARY not in str(caught.value)
    with pytest.raises(DataError, match=r"Line 2 .* not ascii"):
        load("t.csv", TEXT, encoding="ascii")


def test_binary_content_is_refused(load: Callable[..., object]) -> None:
    """Zero bytes that are no UTF-16 are no text."""
    with pytest.raises(DataError, match="not a text file"):
        load("t.csv", b"a,b\n\x00\x00\x00\x01\x02,1\n")
