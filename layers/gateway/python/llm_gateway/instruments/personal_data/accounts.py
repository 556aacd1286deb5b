"""Payment cards and bank accounts."""

import re
from collections.abc import Iterator
from typing import Final

from llm_gateway.domain.pii import Found
from llm_gateway.instruments.personal_data.rules import END, LETTER, Rule, by, digits

_GAP: Final = r"[ .\-\t]{1,3}"
# In one piece; in fours; as American Express and Diners write it; Maestro's; and digit by digit.
_CARD: Final = (
    rf"(?:\d{{12,18}}|\d{{3}}(?:{_GAP}\d{{4}}){{3}}|\d{{3}}{_GAP}\d{{6}}{_GAP}\d{{4,5}}"
    rf"|\d{{3}}(?:{_GAP}\d{{4}}){{2}}{_GAP}\d{{1,3}}|(?:[ .\-]\d){{12,18}}(?![ .\-]\d))"
)
# Three digits behind sixteen belong to the card, or are the code on its back: it is looked for without them first.
_LONG_CARD: Final = rf"\d{{3}}(?:{_GAP}\d{{4}}){{3}}{_GAP}\d{{3}}"
# Who gives out cards with which first digits, and how long they are.
_ISSUED: Final = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|3(?:0[0-5]|[68]\d|9\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
    r"|(?:5[0678]|6[37])\d{10,17}|220[0-4]\d{12,15}"
)
_LONGEST_IBAN: Final = 33
_IBAN: Final = re.compile(rf"[A-Za-z](?<![{LETTER}].)[A-Za-z]\d\d(?:[ .\-]?[0-9A-Za-z]){{11,{_LONGEST_IBAN - 4}}}")
_IBAN_END: Final = re.compile(END)
# By the registry that SWIFT publishes.
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES FK MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


_luhn, _iban = by("luhn"), by("iban")


def _is_card(number: str) -> bool:
    return _ISSUED.fullmatch(number) is not None and len(set(number)) > 1 and _luhn(number)


CARDS: Final = tuple(Rule(kind="payment_card", pattern=digits(shape), proof=_is_card) for shape in (_CARD, _LONG_CARD))


def ibans(text: str, start: int, until: int, end: int) -> Iterator[Found]:
    """What begins from `start` up to `until`. The country says how long it is: what follows may look as if it went on."""
    while (found := _IBAN.search(text, start, end)) and found.start() < until:
        behind = _end_of_iban(found)
        if behind is None:
            start = found.start() + 1
        else:
            yield Found("iban", found.start(), behind)
            start = behind


def _end_of_iban(found: re.Match[str]) -> int | None:
    length = _IBAN_LENGTHS.get(found[0][:2].upper(), 0)
    places = [place for place in range(found.start(), found.end()) if found.string[place].isalnum()][:length]
    if not places or len(places) < length or not _IBAN_END.match(found.string, places[-1] + 1):
        return None
    number = "".join(found.string[place] for place in places).upper()
    return places[-1] + 1 if _iban(number) else None
