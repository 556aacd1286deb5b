"""Dates of birth: dates right behind, or right before, a word that says so."""

import re
from collections.abc import Iterator
from typing import Final

from llm_gateway.domain.pii import Found

_MONTHS: Final = (
    "jan(?:uar[yi]?|v(?:ier)?)?|january|januari|gennaio|enero|janeiro|stycz(?:nia|eń)|feb(?:ruar[yi]?)?|fév(?:rier)?|febbraio"
    "|febrero|fevereiro|luty|lutego|mar(?:ch|s|zo|ço|ca|zec)?|märz|maart|m[aä]r|apr(?:il[e]?)?|avr(?:il)?|abr(?:il)?|kwietnia"
    "|may|mai[o]?|mei|maggio|mayo|maj[a]?|june?|juni|juin|giugno|junio|junho|czerwca|july?|juli|juil(?:let)?|luglio|julio"
    "|julho|lipca|aug(?:ust(?:us|i)?)?|août|agosto|sierpnia|sep(?:t(?:ember|embre|iembre)?)?|settembre|setembro|września"
    "|o[ck]t(?:ober|obre|ubre)?|ottobre|outubro|października|nov(?:ember|embre|iembre)?|novembro|listopada|de[czs](?:ember)?"
    "|décembre|dicembre|diciembre|dezembro|grudnia"
)
_DAY: Final = r"(?:3[01]|[12]\d|0?[1-9])"
_MONTH: Final = r"(?:1[0-2]|0?[1-9])"
_YEAR: Final = r"(?:19|20)\d\d"
# Of a date like April 12, 1980 it is what follows the month.
_DATE: Final = re.compile(
    r"(?<![0-9])(?=[0-9])(?:"
    rf"{_YEAR}(?:[\-./ ]{_MONTH}[\-./ ]{_DAY}|(?:1[0-2]|0[1-9])(?:3[01]|[12]\d|0[1-9])"
    rf"| ?[年년] ?{_MONTH} ?[月월] ?{_DAY} ?[日일])"
    rf"|{_DAY}(?:[\-./] ?{_DAY}[\-./] ?(?:{_YEAR}|\d\d)"
    rf"|(?:st|nd|rd|th|er|º|°|\.)?[ \-](?:de )?(?:{_MONTHS})\.?,?[ \-](?:de |del )?{_YEAR}"
    rf"|(?P<after_month>(?:st|nd|rd|th)?,? {_YEAR})))(?![0-9])",
    re.IGNORECASE,
)
_MONTH_BEFORE: Final = re.compile(rf"(?<![A-Za-z])(?:{_MONTHS})\.? $", re.IGNORECASE)
_BIRTH: Final = (
    r"(?:date[ _\-]?of[ _\-]?birth|birth[ _\-]?da(?:te|y)|(?<![a-z])d\.?o\.?b(?![a-z])|(?<![a-z])born(?![a-z])"
    r"|geburts(?:datum|tag)"
    r"|(?<![a-z])geb(?:oren|\.)|date de naissance|(?<![a-z])née?(?![a-z])|fecha[ _]de[ _]nacimiento|nacid[oa]"
    r"|data[ _]di[ _]nascita"
    r"|(?<![a-z])nat[oa](?= il)|data[ _]de[ _]nascimento|nascid[oa]|geboorte(?:datum|dag)|data[ _]urodzenia|urodzon[ya]"
    r"|(?<![a-z])ur\."
    r"|födelsedatum|(?<![a-z])född(?![a-z])|fødselsdato|(?<![a-z])født(?![a-z])|syntymäaika|doğum tarihi|дата рождения"
    r"|生年月日|誕生日|出生日期|出生年月|生日|생년월일|जन्म)"
)
# Between the word and the date: a few signs or words, and no other number.
_BEFORE: Final = re.compile(rf"{_BIRTH}\.?[^0-9.;,?!]{{0,24}}$", re.IGNORECASE)
_BEHIND: Final = re.compile(rf"[ (,]{{0,3}}(?:{_BIRTH}(?! ?[:=])|生まれ)", re.IGNORECASE)
_LONGEST_WORD: Final = 48
_LONGEST_MONTH: Final = 14


def births(text: str, start: int, until: int, end: int) -> Iterator[Found]:
    """What begins from `start` up to `until`, with its word before it or behind it."""
    place = start
    while (found := _DATE.search(text, place, end)) and found.start() < until + _LONGEST_MONTH:
        place = found.start() + 1
        begin = found.start()
        if found["after_month"] is not None:
            month = _MONTH_BEFORE.search(text, max(start, begin - _LONGEST_MONTH), begin)
            if month is None:
                continue
            begin = month.start()
        near = _BEFORE.search(text, max(0, begin - _LONGEST_WORD), begin) or _BEHIND.match(text, found.end())
        if near and begin < until:
            yield Found("date_of_birth", begin, found.end())
            place = found.end()
