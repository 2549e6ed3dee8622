"""Every weight and threshold of the detector, in one place.

A weight is what one piece of evidence would earn alone, between 0 and 1. Pieces for the same entity that come from different
sources are combined as independent (`1 - prod(1 - w)`, a noisy-or); pieces from one source do not add up: the strongest counts.
The weights were set by hand from what the evidence can mean; only the map from them to a confidence is fitted (end of this file).
"""

from __future__ import annotations

# ---------------------------------------------------------------------------------------------------------------- column names
# A rule's own weight (rules/names.yaml) is multiplied by how the phrase stands in the name.
WHOLE_NAME = 1.0
"""the phrase is the whole name, or only neutral words stand beside it"""
AT_THE_END = 0.9
"""other words before it: `billing_email`"""
ADJECTIVE_AFTER = 0.85
"""other words follow a head that comes first in its language: `nome civil`"""
BY_SYNONYM = 0.95
"""read through the synonyms: `DtNasc`, `data_urodzenia`"""
UNKNOWN_AFTER = 0.35
"""other words follow: `email_campaign` is no e-mail address; with fitting values it may still be"""
QUALIFIED_IN_PERSON_TABLE = 2.2
"""times this much where the table is about persons: `discapacidad_reconocida`, `salary_band`"""
OTHER_HEAD = 0.1
"""the name ends in a word like count, flag, verified"""
PERSON_KEY = 0.9
"""a person word and an id word: `customer_id`, `PatientKey`"""
BARE_PERSON_WORD = 0.5
"""only a person word: `PATIENT`, `user`: key or name, the values decide"""
KEY_IN_PERSON_TABLE = 0.8
"""an id-like, (nearly) unique column of a table of persons"""
FOREIGN_KEY = 0.95
"""its values are those of a person's key in another table"""

# --------------------------------------------------------------------------------------------------------------------- values
SAMPLE = 1000
"""distinct values looked at by regular expressions, dictionaries and checksums"""
PRESIDIO_SAMPLE = 120
"""distinct values given to Presidio, only where a cheaper test says that it may find something"""
FEW = 5
"""below this many distinct values a hit rate says little: it can support a name, not stand alone"""
MOST = 0.6
"""hit rate from which a pattern speaks for the column"""
NEARLY_ALL = 0.9
"""hit rate that a checksum needs: one in ten or eleven random numbers passes one check digit"""
STRONG_PATTERN = 0.9
"""e-mail, IBAN, MAC, user agent: the form alone is telling"""
CHECKED_NUMBER = 0.9
"""card numbers and national ids whose check digits fit"""
FORMED_NUMBER = 0.75
"""SSN and phone numbers in their written form, IP addresses, coordinates"""
PHONES_CHECKED = 40
"""values whose phone-like form Presidio must confirm before it counts without a fitting name"""
FULL_NAMES = 0.85
"""given name and family name in one cell"""
TAGGED_PERSONS = 0.7
"""cells that a NER model takes for names: such models see persons in products and ships too"""
GIVEN_NAMES = 0.55
FAMILY_NAMES = 0.5
PLACES = 0.55
"""countries, states, cities by their names or codes"""
CODED_PLACES = 0.5
POSTCODES = 0.4
"""a written form of postal codes: other codes look like it"""
CLINICAL_CODES = 0.6
GENOTYPES = 0.5
PHOTO_LINKS = 0.7
BIRTH_YEARS = 0.52
"""dates that spread over a human life and end before the last years"""
BIRTH_SPAN = 25
BIRTH_LATEST = 2020
BIRTH_MEDIAN = (1930, 2008)
PLACEHOLDER = 1.5
"""times this much where the header says nothing (`col3`): nothing speaks against what the values say"""
COMPANIES = 0.15
"""share of cells with the legal form of a firm from which names are those of firms"""
NAMED_PERSON = 0.6
"""a column called by a word for a person (`defendant`) whose cells look like names"""

# ---------------------------------------------------------------------------------------------------- names against values
MISFIT_BELOW = 0.2
"""fewer values than this fit what the name says: the name is taken back"""
MISFIT = 0.2
WEAK_NAME = 0.2
FORM_AND_WEAK_NAME = 0.65
"""`tel_resp` with phone numbers in it: other words follow in the name, but the form fits"""
HALF_FIT_BELOW = 0.5
HALF_FIT = 0.7
FITS = 0.3
"""most values fit what the name says"""

# -------------------------------------------------------------------------------------------------------------------- verdict
ACCEPT = 0.5
"""an entity needs this much to be the verdict"""
CONTEXT_HEALTH = 0.55
"""an unexplained code, text or measure in a table about the health of persons"""
CONTEXT_DATE = 0.5
"""an unexplained date in a table about the health of persons"""
CONTEXT_PERSON_DATE = 0.5
"""an unexplained day in a table whose rows are persons"""
UNKNOWN_UNIQUENESS = 0.5
UNKNOWN_DISTINCT = 20
"""text with at least so many distinct values and this uniqueness that nothing explains: a person must look"""
KEY_UNIQUENESS = 0.9
PROSE_WORDS = 5.0
"""mean words per cell from which text is prose"""
PROSE_DISTINCT = 10
STRAY_MIN = 1
WEAK_MARKS = 3
"""kinds of contact data, names or birth dates that values alone suggest, from which a table without a telling name is about persons"""
MARKS_AGAINST_THING = 3
"""the same where the table's name says otherwise"""
HEALTH_COLUMNS = 3
"""named health columns that make a table one about health"""

# --------------------------------------------------------------------------------------------------------------- calibration
# Fitted by bench/detection/fit_weights.py (see there on what); everything above was set by hand.
CALIBRATION: dict[str, float] = {
    "bias": 1.191,
    "corroborated": 0.731,
    "evidence": 1.367,
    "only_context": -2.43,
    "personal": 1.281,
    "quasi": -0.033,
    "rival": -1.659,
    "sensitive": -0.175,
}
"""of an accepted entity; names are those of calibrate.verdict_features"""
CALIBRATION_NONE: dict[str, float] = {"bias": 4.522, "evidence": -0.506, "personal": -2.738, "things": 0.622, "unintelligible": -0.615}
"""of `none`"""
UNKNOWN_CONFIDENCE = 0.3
"""of `unknown`: no verdict; with two fifths of the vocabulary taken out nearly half of these columns were personal"""
