"""Which calendar a ticker trades on, told from its symbol or from what Yahoo says of it.

A calendar is named by its exchange's code (ISO 10383, as XLON), or is `24/7` (crypto) or `24/5`.
"""

import re
from collections.abc import Mapping

XNYS = "XNYS"
EVERY_DAY = "24/7"
WEEKDAYS = "24/5"
OPEN_AT_WEEKENDS = frozenset({EVERY_DAY, "XTAE", "XSAU"})
"""Calendars with sessions on Saturdays or Sundays as a rule, Tel Aviv's until 2025."""

BY_SUFFIX: Mapping[str, str] = {
    suffix: calendar
    for calendar, suffixes in {
        "XLON": "L IL",
        "XDUB": "IR",
        "XPAR": "PA NX",
        "XAMS": "AS",
        "XBRU": "BR",
        "XLIS": "LS",
        "XETR": "DE",
        "XFRA": "F BE BM DU HA HM MU SG",
        "XSWX": "SW",
        "XWBO": "VI",
        "XMIL": "MI TI",
        "XMAD": "MC",
        "ASEX": "AT",
        "XOSL": "OL",
        "XSTO": "ST",
        "XHEL": "HE",
        "XCSE": "CO",
        "XICE": "IC",
        "XTAL": "TL",
        "XRIS": "RG",
        "XLIT": "VS",
        "XPRA": "PR",
        "XWAR": "WA",
        "XBUD": "BD",
        "XBSE": "RO",
        "XIST": "IS",
        "XMOS": "ME",
        "XTAE": "TA",
        "XSAU": "SR",
        "XJSE": "JO",
        "XTKS": "T",
        "XHKG": "HK",
        "XSHG": "SS SZ",
        "XTAI": "TW TWO",
        "XKRX": "KS KQ",
        "XSES": "SI",
        "XBKK": "BK",
        "XKLS": "KL",
        "XIDX": "JK",
        "XPHS": "PS",
        "XBOM": "NS BO",
        "XKAR": "KA",
        "XASX": "AX XA",
        "XNZE": "NZ",
        "XTSE": "TO V CN NE",
        "BVMF": "SA",
        "XMEX": "MX",
        "XSGO": "SN",
        "XBUE": "BA",
        "XLIM": "LM",
        "XBOG": "CL",
    }.items()
    for suffix in suffixes.split()
}
"""The calendar of each ending that Yahoo writes after a dot."""

BY_INDEX: Mapping[str, str] = {
    "^FTSE": "XLON",
    "^FTMC": "XLON",
    "^GDAXI": "XETR",
    "^MDAXI": "XETR",
    "^STOXX50E": "XETR",
    "^STOXX": "XETR",
    "^FCHI": "XPAR",
    "^AEX": "XAMS",
    "^BFX": "XBRU",
    "^IBEX": "XMAD",
    "^SSMI": "XSWX",
    "^ATX": "XWBO",
    "^OMX": "XSTO",
    "^OMXC25": "XCSE",
    "^OMXH25": "XHEL",
    "^N225": "XTKS",
    "^HSI": "XHKG",
    "^KS11": "XKRX",
    "^TWII": "XTAI",
    "^STI": "XSES",
    "^NSEI": "XBOM",
    "^BSESN": "XBOM",
    "^JKSE": "XIDX",
    "^KLSE": "XKLS",
    "^AXJO": "XASX",
    "^AORD": "XASX",
    "^NZ50": "XNZE",
    "^GSPTSE": "XTSE",
    "^BVSP": "BVMF",
    "^MXX": "XMEX",
    "^MERV": "XBUE",
}
"""The calendar of indices that are not New York's."""

BY_ZONE: Mapping[str, str] = {
    "America/New_York": XNYS,
    "America/Toronto": "XTSE",
    "America/Sao_Paulo": "BVMF",
    "America/Mexico_City": "XMEX",
    "America/Santiago": "XSGO",
    "Europe/London": "XLON",
    "Europe/Dublin": "XDUB",
    "Europe/Paris": "XPAR",
    "Europe/Berlin": "XETR",
    "Europe/Amsterdam": "XAMS",
    "Europe/Brussels": "XBRU",
    "Europe/Zurich": "XSWX",
    "Europe/Madrid": "XMAD",
    "Europe/Rome": "XMIL",
    "Europe/Stockholm": "XSTO",
    "Europe/Oslo": "XOSL",
    "Europe/Copenhagen": "XCSE",
    "Europe/Helsinki": "XHEL",
    "Europe/Istanbul": "XIST",
    "Asia/Tokyo": "XTKS",
    "Asia/Hong_Kong": "XHKG",
    "Asia/Shanghai": "XSHG",
    "Asia/Taipei": "XTAI",
    "Asia/Seoul": "XKRX",
    "Asia/Singapore": "XSES",
    "Asia/Kolkata": "XBOM",
    "Asia/Jerusalem": "XTAE",
    "Australia/Sydney": "XASX",
    "Pacific/Auckland": "XNZE",
}
"""The main exchange of a zone, for a ticker whose ending is not known."""

BY_KIND: Mapping[str, str] = {"CRYPTOCURRENCY": EVERY_DAY, "CURRENCY": WEEKDAYS, "FUTURE": "CMES"}
"""By Yahoo's instrument type."""

_CRYPTO = re.compile(r"[A-Z0-9]{2,}-(?:USD|USDT|USDC|EUR|GBP|JPY|BTC|ETH|CAD|AUD|INR|KRW)")


def calendar_of_symbol(ticker: str) -> str | None:
    """The calendar that a symbol as Yahoo writes it tells of; None where it tells nothing (AAPL).

    Examples: SHEL.L is XLON, BTC-USD is 24/7, EURUSD=X is 24/5, ^FTSE is XLON.
    """
    if ticker in BY_INDEX:
        return BY_INDEX[ticker]
    if ticker.endswith("=X"):
        return WEEKDAYS
    if ticker.endswith("=F"):
        return "CMES"
    if _CRYPTO.fullmatch(ticker):
        return EVERY_DAY
    _, dot, suffix = ticker.rpartition(".")
    return BY_SUFFIX.get(suffix) if dot else None


def calendar_of_answer(ticker: str, kind: str, zone: str) -> str:
    """The calendar of a ticker of which Yahoo says that it is of this kind and quoted in this zone.

    An empty zone is one of which Yahoo did not say anything.
    """
    unknown = WEEKDAYS if zone else XNYS
    return BY_KIND.get(kind) or calendar_of_symbol(ticker) or BY_ZONE.get(zone, unknown)
