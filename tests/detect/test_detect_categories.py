"""HIPAA's eighteen identifiers, the special categories of GDPR Art. 9 and Art. 10: each is known by its name."""

from __future__ import annotations

import pytest

from tamis.core.types import Role
from tamis.detect.names import read_name
from tamis.detect.tokens import Lexicon, tokens_of
from tamis.rules import load_rules

RULES = load_rules([])
LEXICON = Lexicon.of(RULES)


def roles(name: str) -> set[Role]:
    """Roles of what a name speaks of with enough weight."""
    reading = read_name(tokens_of(name, LEXICON), LEXICON)
    found = {RULES.entities[claim.entity].role for claim in reading.claims if claim.weight >= 0.5}
    return found | ({Role.DIRECT} if reading.person_key else set())


@pytest.mark.parametrize(
    ("letter", "names"),
    [
        ("A", ["patient_name", "mother_maiden_name", "Nachname"]),
        ("B", ["street_address", "zip", "city", "county"]),
        ("C", ["birth_date", "admission_date", "date_of_death", "age"]),
        ("D", ["phone", "home_phone"]),
        ("E", ["fax", "fax_number"]),
        ("F", ["email"]),
        ("G", ["ssn", "social_security_number"]),
        ("H", ["mrn", "medical_record_number"]),
        ("I", ["health_plan_number", "medicare_number", "insurance_member_id"]),
        ("J", ["account_number", "iban"]),
        ("K", ["drivers_license", "license_number"]),
        ("L", ["vin", "license_plate"]),
        ("M", ["device_serial", "imei"]),
        ("N", ["profile_url", "website"]),
        ("O", ["ip_address"]),
        ("P", ["fingerprint", "voiceprint"]),
        ("Q", ["photo", "profile_picture"]),
        ("R", ["passport_number", "patient_id", "cookie_id"]),
    ],
)
def test_the_identifiers_of_hipaa(letter, names):
    """45 CFR 164.514(b)(2)(i)(A) to (R): every one is direct, quasi or secret, none is nothing."""
    assert letter
    assert {name for name in names if not roles(name) & {Role.DIRECT, Role.QUASI, Role.SENSITIVE}} == set()


@pytest.mark.parametrize(
    "name",
    [
        "ethnicity", "political_party_affiliation", "religion", "Konfession", "trade_union_member", "syndicat", "genotype", "blood_group",
        "fingerprint", "diagnosis", "maladie", "sexual_orientation", "criminal_record", "casier_judiciaire", "salary", "credit_score",
    ],
)  # fmt: skip
def test_special_categories_crime_and_money(name):
    """GDPR Art. 9 and 10, and what else a person keeps private."""
    assert roles(name) - {Role.NONE, Role.UNKNOWN}


@pytest.mark.parametrize(
    "name", ["public", "duplicate", "license_type", "software_license", "email_verified", "phone_model", "page_count", "image_width"]
)
def test_words_that_only_sound_personal(name):
    """'lic' in 'public' and a licence of software are no licence of a driver; what is counted or verified is no address."""
    assert not roles(name) & {Role.DIRECT}
