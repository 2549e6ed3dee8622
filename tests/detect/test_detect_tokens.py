"""Names in many languages, abbreviated, compounded, misspelt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.detect.names import read_name
from tamis.detect.tokens import Lexicon, canonical_tokens, fold, tokens_of
from tamis.rules import load_rules

LEXICON = Lexicon.of(load_rules([]))


def best(name: str) -> str | None:
    """The entity a name speaks of."""
    claims = read_name(tokens_of(name, LEXICON), LEXICON).claims
    return claims[0].entity if claims and claims[0].weight >= 0.5 else None


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("dt_naissance", "DATE_OF_BIRTH"), ("DataUrodz", "DATE_OF_BIRTH"), ("fec_nac", "DATE_OF_BIRTH"), ("dogum_tarihi", "DATE_OF_BIRTH"),
        ("生年月日", "DATE_OF_BIRTH"),
        ("дата_рождения", "DATE_OF_BIRTH"), ("تاريخ_الميلاد", "DATE_OF_BIRTH"), ("date_de_la_naissance", "DATE_OF_BIRTH"),
        ("sukunimi", "LAST_NAME"),
        ("prijmeni", "LAST_NAME"), ("efternavn", "LAST_NAME"), ("soyadi", "LAST_NAME"), ("nazwisko", "LAST_NAME"),
        ("xingming", "PERSON"), ("氏名", "PERSON"), ("ονοματεπώνυμο", "PERSON"), ("성명", "PERSON"), ("ФИО", "PERSON"),
        ("kod_pocztowy", "POSTCODE"), ("postinumero", "POSTCODE"), ("郵便番号", "POSTCODE"), ("plec", "GENDER"), ("cinsiyet", "GENDER"),
    ],
)  # fmt: skip
def test_words_of_many_languages_mean_the_same(name, entity):
    """A date of birth is one in any language, whichever word comes first, with or without particles."""
    assert best(name) == entity


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("BRTHDT", "DATE_OF_BIRTH"), ("LSTNAM", "LAST_NAME"), ("FSTNAM", "FIRST_NAME"), ("CITYNM", "CITY"), ("SALRY", "SALARY"),
        ("EMPNUM", "PERSON_ID"), ("TELNR", "PHONE_NUMBER"), ("telphone", "PHONE_NUMBER"),
    ],
)  # fmt: skip
def test_legacy_names_and_misspellings_are_spelled_out(name, entity):
    """Names of eight letters, words without vowels, words with one letter wrong."""
    assert best(name) == entity


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("Kundenvorname", "FIRST_NAME"), ("Wohnadresse", "STREET_ADDRESS"),
        ("woonadres", "STREET_ADDRESS"), ("hemadress", "STREET_ADDRESS"),
        ("Privattelefon", "PHONE_NUMBER"), ("自宅電話", "PHONE_NUMBER"), ("顧客氏名", "PERSON"),
    ],
)  # fmt: skip
def test_compounds_are_read_by_their_head(name, entity):
    """In languages that write compounds in one word the last part says what it is."""
    assert best(name) == entity


@pytest.mark.parametrize(
    "name",
    ["mandate", "candidate", "donation", "microphone", "publicity", "ship_mode", "passage", "total", "format", "status", "mar",
         "sal", "rate",
     "headphone", "destination", "interstate", "machine_state", "velocity", "capacity", "charge", "stage", "position"],
)  # fmt: skip
def test_ordinary_words_are_not_taken_apart(name):
    """No birth in 'mandate', no phone in 'microphone', no country in 'donation'; words with many meanings need a table of persons."""
    claims = read_name(tokens_of(name, LEXICON), LEXICON).claims
    assert not [claim for claim in claims if claim.weight >= 0.5 and not claim.about_table]


def test_letters_with_strokes_and_ligatures_are_spelled_out():
    """What Unicode does not decompose is folded by hand."""
    assert fold("Łódź Ørsted Straße œuvre ısı") == "lodz orsted strasse oeuvre isi"


def test_meaning_leaves_particles_out():
    """`data di nascita` and `date_of_birth` have the same canonical tokens."""
    assert canonical_tokens(tokens_of("data di nascita", LEXICON), LEXICON) == ("date", "birth")
    assert canonical_tokens(tokens_of("date_of_birth", LEXICON), LEXICON) == ("date", "birth")


@pytest.mark.parametrize("name", ["col3", "V7", "feld_2", "Spalte12", "unnamed", "unnamed_0", "12", "f1", "Columna5"])
def test_headers_that_say_nothing_are_known_as_such(name):
    """Placeholders that tools write where a file has no header."""
    assert read_name(tokens_of(name, LEXICON), LEXICON).placeholder


@given(st.text(max_size=60))
def test_division_keeps_every_letter_or_spells_it_out(name):
    """Tokens are words without blanks; reading any name never fails, and equal names read the same."""
    tokens = tokens_of(name, LEXICON)
    assert all(token and not any(c.isspace() for c in token) for token in tokens)
    assert tokens == tokens_of(name, LEXICON)
