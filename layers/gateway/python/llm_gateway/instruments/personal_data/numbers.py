"""Numbers by which a state knows a person, by country."""

from typing import Final

from llm_gateway.instruments.personal_data.rules import Rule, by, digits, letters, words

_G: Final = r"[ .\-]?"
_TAX: Final = (r"tax[ _\-]?payer", r"tax[ _\-]{0,2}(?:id|no|num|ref)")
_ID: Final = ("identi[tf]", r"(?<![a-z])id[ _\-]?(?:no|nr|num|card)", "personal (?:no|num|code|id)", "national.?id")


_rrn, _ssn, _itin = by("kr.rrn"), by("us.ssn"), by("us.itin")


def _is_rrn(number: str) -> bool:
    """One that was given out since October 2020 has no checksum."""
    return _rrn(number) or ("20" <= number[:2] < "50" and number[6] in "34")


def _is_ssn(number: str) -> bool:
    return _ssn(number) or _itin(number)


def _is_nino(number: str) -> bool:
    return number[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


# One that is written in its own way is known by that; in one piece, a word near it has to say what it is.
RULES: Final = (
    Rule(kind="us_ssn", pattern=digits(r"\d\d-\d\d-\d{4}"), proof=_is_ssn),
    Rule(
        kind="us_ssn",
        pattern=digits(r"\d\d[ .]?\d\d[ .]?\d{4}"),
        proof=_is_ssn,
        words=words("social.?security", "tax[ _\\-]?payer", capitals="SSN|ITIN|ssn|itin"),
    ),
    Rule(
        kind="ca_sin",
        pattern=digits(rf"\d\d{_G}\d{{3}}{_G}\d{{3}}"),
        proof=by("ca.sin"),
        words=words("social insurance", "assurance sociale", capitals="SIN|NAS"),
    ),
    Rule(
        kind="gb_nhs",
        pattern=digits(rf"\d\d{_G}\d{{3}}{_G}\d{{4}}"),
        proof=by("gb.nhs"),
        words=words("nhs", "national health"),
    ),
    Rule(
        kind="gb_nino",
        pattern=letters("A-CEGHJ-PR-TW-Z", rf"[A-CEGHJ-NPR-TW-Z]{_G}\d\d{_G}\d\d{_G}\d\d{_G}[A-D]"),
        proof=_is_nino,
    ),
    Rule(
        kind="ie_pps",
        pattern=digits(r"\d{6}[A-W][ABHWTX]?"),
        proof=by("ie.pps"),
        words=words("personal public service", capitals="PPSN?|pps"),
    ),
    Rule(
        kind="de_tax_id",
        pattern=digits(r"\d[ /]?\d{3}[ /]?\d{3}[ /]?\d{3}"),
        proof=by("de.idnr"),
        words=words("steuer", r"id[\-. ]?nr", *_TAX, capitals="TIN"),
    ),
    Rule(
        kind="at_svnr",
        pattern=digits(r"\d{3}[ \-]?\d{6}"),
        proof=by("at.vnr"),
        words=words("sozialversicherung", "versicherungsn", "sv.?n", "social (?:security|insurance)", capitals="VSNR"),
    ),
    Rule(kind="ch_ahv", pattern=letters("7", r"56[. ]?\d{4}[. ]?\d{4}[. ]?\d\d"), proof=by("ch.ssn")),
    Rule(
        kind="fr_nir",
        pattern=letters("12", rf"{_G}\d\d{_G}\d\d{_G}(?:\d\d|2[ABab]){_G}\d{{3}}{_G}\d{{3}}{_G}\d\d"),
        proof=by("fr.nir"),
    ),
    Rule(kind="es_dni", pattern=digits(r"\d[.]?\d{3}[.]?\d{3}[ \-]?[A-HJ-NP-TV-Za-hj-np-tv-z]"), proof=by("es.dni")),
    Rule(kind="es_nie", pattern=letters("XYZxyz", rf"{_G}\d{{7}}{_G}[A-HJ-NP-TV-Za-hj-np-tv-z]"), proof=by("es.nie")),
    Rule(
        kind="pt_nif",
        pattern=digits(r"\d\d ?\d{3} ?\d{3}"),
        proof=by("pt.nif"),
        words=words("contribuinte", "identificação fiscal", "identificacao fiscal", *_TAX, capitals="NIF"),
    ),
    Rule(
        kind="it_codice_fiscale",
        pattern=letters(
            "A-Za-z",
            rf"[A-Za-z]{{2}}{_G}[A-Za-z]{{3}}{_G}[\dL-Vl-v]{{2}}[A-Ta-t]{_G}[\dL-Vl-v]{{2}}{_G}[A-Za-z][\dL-Vl-v]{{3}}{_G}[A-Za-z]",
        ),
        proof=by("it.codicefiscale"),
    ),
    Rule(
        kind="nl_bsn",
        pattern=digits(r"\d{2,3}[. \-]?\d{2,3}[. \-]?\d{3}"),
        proof=by("nl.bsn"),
        words=words("burger.?service", "sofi", "citizen service", capitals="BSN|bsn"),
    ),
    Rule(kind="be_national_number", pattern=digits(r"\d\.\d\d\.\d\d[\-.]\d{3}[\-.]\d\d"), proof=by("be.nn")),
    Rule(
        kind="be_national_number",
        pattern=digits(r"\d[ \-]?\d\d[ \-]?\d\d[ \-]?\d{3}[ \-]?\d\d"),
        proof=by("be.nn"),
        words=words("rijksregister", "registre national", "national (?:register|number)", "insz", "niss"),
    ),
    Rule(kind="pl_pesel", pattern=digits(r"\d{10}"), proof=by("pl.pesel"), words=words("pesel")),
    Rule(kind="cz_birth_number", pattern=digits(r"\d{5}/\d{3,4}"), proof=by("cz.rc")),
    Rule(
        kind="ro_cnp",
        pattern=digits(r"\d{12}"),
        proof=by("ro.cnp"),
        words=words("numeric personal", "personal numeric", *_ID, capitals="CNP|cnp"),
    ),
    Rule(kind="bg_egn", pattern=digits(r"\d{9}"), proof=by("bg.egn"), words=words("егн", *_ID, capitals="EGN")),
    Rule(kind="se_personnummer", pattern=digits(r"\d{5}(?:\d\d)?[\-+]\d{4}"), proof=by("se.personnummer")),
    Rule(
        kind="se_personnummer",
        pattern=digits(r"\d{9}(?:\d\d)?"),
        proof=by("se.personnummer"),
        words=words("person.?nummer", "personnr", "samordningsnummer", *_ID),
    ),
    Rule(
        kind="fi_hetu",
        pattern=digits(r"\d{5}[\-+ABCDEFYXWVU]\d{3}[0-9A-FHJ-NPR-Y]"),
        proof=by("fi.hetu"),
        compacted=False,
    ),
    Rule(kind="no_fodselsnummer", pattern=digits(r"\d{5}[ \-]?\d{5}"), proof=by("no.fodselsnummer")),
    Rule(
        kind="dk_cpr",
        pattern=digits(r"\d{5}[ \-]?\d{4}"),
        proof=by("dk.cpr"),
        words=words("person.?nummer", "civil registration", capitals="CPR|cpr"),
    ),
    Rule(kind="br_cpf", pattern=digits(r"\d\d\.\d{3}\.\d{3}-\d\d"), proof=by("br.cpf")),
    Rule(kind="br_cpf", pattern=digits(r"\d{2}[ .]?\d{3}[ .]?\d{3}[ \-]?\d\d"), proof=by("br.cpf"), words=words("cpf")),
    Rule(
        kind="mx_curp",
        pattern=letters("A-Za-z", r"[A-Za-z]{3}\d{6}[HMhm][A-Za-z]{5}[0-9A-Za-z]\d"),
        proof=by("mx.curp"),
    ),
    Rule(kind="cl_rut", pattern=digits(r"\d?\.\d{3}\.\d{3}-[\dkK]"), proof=by("cl.rut")),
    Rule(
        kind="cl_rut", pattern=digits(r"\d{6,7}-?[\dkK]"), proof=by("cl.rut"), words=words("rut(?![a-z])", "rol único")
    ),
    Rule(kind="ar_cuit", pattern=digits(r"\d-\d{8}-\d"), proof=by("ar.cuit")),
    Rule(
        kind="in_aadhaar",
        pattern=digits(rf"\d{{3}}{_G}\d{{4}}{_G}\d{{4}}"),
        proof=by("in_.aadhaar"),
        words=words("aadha?ar", "आधार", capitals="UID|UIDAI"),
    ),
    Rule(kind="in_pan", pattern=letters("A-Z", r"[A-Z]{2}[ABCFGHJLPT][A-Z]\d{4}[A-Z]"), proof=by("in_.pan")),
    Rule(kind="cn_resident_id", pattern=digits(r"\d{16}[\dXx]"), proof=by("cn.ric")),
    Rule(kind="kr_rrn", pattern=digits(r"\d{5}-[1-8]\d{6}"), proof=_is_rrn),
    Rule(
        kind="jp_my_number",
        pattern=digits(rf"\d{{3}}{_G}\d{{4}}{_G}\d{{4}}"),
        proof=by("jp.in_"),
        words=words("my.?number", "マイナンバー", "個人番号"),
    ),
    Rule(
        kind="za_id",
        pattern=digits(r"\d{5} ?\d{4} ?\d{3}"),
        proof=by("za.idnr"),
        words=words(*_ID, "identiteit", capitals="ID|RSA"),
    ),
    Rule(
        kind="au_tfn",
        pattern=digits(r"\d\d ?\d{3} ?\d{2,3}"),
        proof=by("au.tfn"),
        words=words("tax.?file", capitals="TFN|tfn"),
    ),
    Rule(
        kind="tr_tckn",
        pattern=digits(r"\d{10}"),
        proof=by("tr.tckimlik"),
        words=words("kimlik", "tckn", *_ID, capitals="TC|T\\.C\\."),
    ),
    Rule(
        kind="il_id",
        pattern=digits(r"\d{7}-?\d"),
        proof=by("il.idnr"),
        words=words("teudat", "zehut", "תעודת", "ת\\.ז", *_ID),
    ),
    Rule(kind="th_pin", pattern=digits(r"-\d{4}-\d{5}-\d\d-\d"), proof=by("th.pin")),
    Rule(
        kind="th_pin",
        pattern=digits(r"[ \-]?\d{4}[ \-]?\d{5}[ \-]?\d\d[ \-]?\d"),
        proof=by("th.pin"),
        words=words("ประชาชน", *_ID),
    ),
)
