"""What names of columns and tables say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.detect.names import common_prefix, domain_prefix, name_pairs, read_name, subject_of
from tamis.detect.tokens import Lexicon, tokens_of
from tamis.rules import load_rules

RULES = load_rules([])
LEXICON = Lexicon.of(RULES)


def best(name: str) -> str | None:
    """The entity a name claims with enough weight."""
    claims = read_name(tokens_of(name, LEXICON), LEXICON).claims
    return claims[0].entity if claims and claims[0].weight >= 0.5 else None


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("emailAddr", ("email", "addr")),
        ("HTTPServerID", ("http", "server", "id")),
        ("cust_key", ("cust", "key")),
        ("custkey", ("cust", "key")),
        ("Straße.Nr", ("strasse", "nr")),
        ("address2", ("address", "2")),
        ("icd10", ("icd10",)),
        ("", ()),
        ("___", ()),
    ],
)
def test_names_are_divided_into_known_words(name, tokens):
    """camelCase, snake_case, run-together words and digits are divided; accents go; known words with digits stay whole."""
    assert tokens_of(name, LEXICON) == tokens


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("dob", "DATE_OF_BIRTH"), ("fname", "FIRST_NAME"), ("lname", "LAST_NAME"), ("ssn", "US_SSN"), ("tel", "PHONE_NUMBER"),
        ("addr", "STREET_ADDRESS"), ("zip", "POSTCODE"), ("plz", "POSTCODE"), ("Geburtsdatum", "DATE_OF_BIRTH"),
        ("code_postal", "POSTCODE"), ("correo_electronico", "EMAIL_ADDRESS"), ("Correio Eletrônico", "EMAIL_ADDRESS"),
        ("codice_fiscale", "NATIONAL_ID"), ("woonplaats", "CITY"), ("fecha_nacimiento", "DATE_OF_BIRTH"), ("salaire", "SALARY"),
        ("billingEmail", "EMAIL_ADDRESS"), ("mothers_maiden_name", "SECRET"), ("place_of_birth", "CITY"),
        ("language", "NATIONALITY"), ("genres", "PRODUCT"),
    ],
)  # fmt: skip
def test_abbreviations_and_six_languages_are_understood(name, entity):
    """Common abbreviations and words of seven languages name the entity."""
    assert best(name) == entity


@pytest.mark.parametrize("name", ["email_sent_count", "public", "duplicate", "page", "image", "passage", "valid", "email_verified"])
def test_words_inside_words_are_no_evidence(name):
    """'lic' in 'public', 'age' in 'page': only whole words count, and a head like count or verified changes the meaning."""
    assert best(name) is None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("customer_id", "CUSTOMER_ID"),
        ("PatientKey", "PERSON_ID"),
        ("custkey", "CUSTOMER_ID"),
        ("id_cliente", "CUSTOMER_ID"),
        ("product_id", None),
        ("id", None),
    ],
)
def test_a_person_word_and_a_key_word_make_a_person_key(name, key):
    """Keys of persons are told from keys of things, whichever word comes first."""
    assert read_name(tokens_of(name, LEXICON), LEXICON).person_key == key


@pytest.mark.parametrize(("name", "subject"), [("customers", "person"), ("product_items", "thing"), ("orders", "event"), ("xyzzy", None)])
def test_tables_are_about_persons_things_or_events(name, subject):
    """The last telling word of a table's name decides."""
    assert subject_of(tokens_of(name, LEXICON), LEXICON) == subject


def test_prefixes_shared_by_a_table_say_nothing():
    """`c_name`, `c_phone`: the prefix is recognized; CDISC domains and first/last pairs too."""
    assert common_prefix([("c", "name"), ("c", "phone"), ("c", "city"), ("c", "zip"), ("c", "x")]) == "c"
    assert common_prefix([("first", "name"), ("last", "name"), ("zip",)]) is None
    assert domain_prefix([("usubjid",), ("aeterm",), ("aestdtc",), ("age",)]) == "ae"
    assert domain_prefix([("aeterm",), ("aestdtc",)]) is None
    assert name_pairs([("emp", "first"), ("emp", "last"), ("date", "last")]) == {("emp",)}


@given(st.text(max_size=300))
def test_any_name_can_be_read(name):
    """No name, however odd, breaks the reader, and weights stay between 0 and 1."""
    reading = read_name(tokens_of(name, LEXICON), LEXICON)
    assert all(0 < claim.weight <= 1 for claim in reading.claims)
