"""The formats that are told by their headings: one entry each, with an example that the tests read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Dialect:
    """What is particular to the files of one source; the usual headings need no entry.

    Attributes:
        name: the source.
        marks: headings in small letters without signs; a file that has all of them is of this source.
        lacks: a file that has one of these is not.
        roles: heading to what it holds, beside the usual spellings.
        scale: role to the factor that brings it to prices in currency and volumes in shares.
        absolute: roles whose sign does not count.
        adjusted: whether the close is adjusted for dividends already.
        note: what the reader of the file is told.
        file: the name of the example.
        example: its lines; each dialect's example holds AAPL on 2020-01-02 at 75.09 and 2020-01-03 at 74.36.
    """

    name: str
    marks: frozenset[str]
    example: tuple[str, ...]
    file: str = "AAPL.csv"
    lacks: frozenset[str] = frozenset()
    roles: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    absolute: tuple[str, ...] = ()
    adjusted: bool = False
    note: str = ""


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "yfinance, Ticker.history",
        marks=frozenset({"dividends", "stocksplits"}),
        lacks=frozenset({"adjclose"}),
        adjusted=True,
        note="close is adjusted for dividends in a file of Ticker.history; it stands for adj_close too",
        example=(
            "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits",
            "2020-01-02 00:00:00-05:00,74.06,75.15,73.80,75.09,135480400,0.0,0.0",
            "2020-01-03 00:00:00-05:00,74.29,75.14,74.13,74.36,146322800,0.0,0.0",
        ),
    ),
    Dialect(
        "Investing.com",
        marks=frozenset({"date", "price", "change"}),
        roles={"price": "close"},
        example=(
            '"Date","Price","Open","High","Low","Vol.","Change %"',
            '"01/13/2020","79.24","77.91","79.27","77.79","121.53M","2.14%"',
            '"01/03/2020","74.36","74.29","75.14","74.13","146.32M","-0.97%"',
            '"01/02/2020","75.09","74.06","75.15","73.80","135.48M","2.28%"',
        ),
    ),
    Dialect(
        "Nasdaq.com",
        marks=frozenset({"date", "closelast"}),
        roles={"closelast": "close"},
        example=(
            "Date,Close/Last,Volume,Open,High,Low",
            "01/13/2020,$79.24,121532000,$77.91,$79.27,$77.79",
            "01/03/2020,$74.36,146322800,$74.29,$75.14,$74.13",
            "01/02/2020,$75.09,135480400,$74.06,$75.15,$73.80",
        ),
    ),
    Dialect(
        "TradingView",
        marks=frozenset({"time", "close"}),
        lacks=frozenset({"date"}),
        roles={"time": "date"},
        example=(
            "time,open,high,low,close,Volume",
            "1577975400,74.06,75.15,73.80,75.09,135480400",
            "1578061800,74.29,75.14,74.13,74.36,146322800",
        ),
    ),
    Dialect(
        "CRSP",
        marks=frozenset({"permno", "prc"}),
        roles={"prc": "close", "openprc": "open", "askhi": "high", "bidlo": "low"},
        absolute=("close",),
        note="a negative PRC is the middle of bid and ask; its absolute value is the close",
        file="crsp.csv",
        example=(
            "PERMNO,date,TICKER,OPENPRC,ASKHI,BIDLO,PRC,VOL",
            "14593,2020-01-02,AAPL,74.06,75.15,73.80,-75.09,135480400",
            "14593,2020-01-03,AAPL,74.29,75.14,74.13,74.36,146322800",
        ),
    ),
    Dialect(
        "Tushare",
        marks=frozenset({"tscode", "tradedate"}),
        scale={"volume": 100.0},
        note="Tushare counts volume in lots of 100 shares; it is stored in shares",
        file="daily.csv",
        example=(
            "ts_code,trade_date,open,high,low,close,pre_close,change,pct_chg,vol,amount",
            "AAPL,20200103,74.29,75.14,74.13,74.36,75.09,-0.73,-0.97,1463228,1.0",
            "AAPL,20200102,74.06,75.15,73.80,75.09,73.41,1.68,2.28,1354804,1.0",
        ),
    ),
    Dialect(
        "Polygon's API",
        marks=frozenset({"t", "c", "o", "h", "l"}),
        roles={"t": "date", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"},
        example=(
            "v,vw,o,c,h,l,t,n",
            "135480400,74.6,74.06,75.09,75.15,73.80,1577941200000,1",
            "146322800,74.5,74.29,74.36,75.14,74.13,1578027600000,1",
        ),
    ),
    Dialect(
        "Bloomberg",
        marks=frozenset({"pxlast"}),
        roles={"pxlast": "close", "pxopen": "open", "pxhigh": "high", "pxlow": "low", "pxvolume": "volume"},
        example=(
            "Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME",
            "2020-01-02,74.06,75.15,73.80,75.09,135480400",
            "2020-01-03,74.29,75.14,74.13,74.36,146322800",
        ),
    ),
    Dialect(
        "German headings",
        marks=frozenset({"datum"}),
        roles={
            "datum": "date",
            "erster": "open",
            "eröffnung": "open",
            "hoch": "high",
            "tief": "low",
            "schluss": "close",
            "schlusskurs": "close",
            "zuletzt": "close",
            "kurs": "close",
            "eröffn": "open",
            "höchst": "high",
            "tiefst": "low",
            "volumen": "volume",
            "stücke": "volume",
        },
        example=(
            "Datum;Erster;Hoch;Tief;Schluss;Stücke",
            "13.01.2020;77,91;79,27;77,79;79,24;121.532.000",
            "03.01.2020;74,29;75,14;74,13;74,36;146.322.800",
            "02.01.2020;74,06;75,15;73,80;75,09;135.480.400",
        ),
    ),
    Dialect(
        "French headings",
        marks=frozenset({"date", "dernier"}),
        roles={"dernier": "close", "ouv": "open", "plushaut": "high", "plusbas": "low"},
        example=(
            '"Date","Dernier","Ouv.","Plus Haut","Plus Bas","Vol.","Variation %"',
            '"13/01/2020","79,24","77,91","79,27","77,79","121,53M","2,14%"',
            '"03/01/2020","74,36","74,29","75,14","74,13","146,32M","-0,97%"',
            '"02/01/2020","75,09","74,06","75,15","73,80","135,48M","2,28%"',
        ),
    ),
    Dialect(
        "Spanish headings",
        marks=frozenset({"fecha"}),
        roles={
            "fecha": "date",
            "último": "close",
            "cierre": "close",
            "apertura": "open",
            "máximo": "high",
            "mínimo": "low",
            "volumen": "volume",
        },
        example=(
            '"Fecha","Último","Apertura","Máximo","Mínimo","Vol.","% var."',
            '"13.01.2020","79,24","77,91","79,27","77,79","121,53M","2,14%"',
            '"03.01.2020","74,36","74,29","75,14","74,13","146,32M","-0,97%"',
            '"02.01.2020","75,09","74,06","75,15","73,80","135,48M","2,28%"',
        ),
    ),
)
"""The first that fits counts."""

OTHER_EXAMPLES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Yahoo's site": (
            "AAPL.csv",
            (
                "Date,Open,High,Low,Close,Adj Close,Volume",
                "2020-01-02,74.06,75.15,73.80,75.09,73.59,135480400",
                "2020-01-03,74.29,75.14,74.13,74.36,72.87,146322800",
            ),
        ),
        "yfinance, download": (
            "prices.csv",
            (
                "Price,Adj Close,Close,Volume",
                "Ticker,AAPL,AAPL,AAPL",
                "Date,,,",
                "2020-01-02,73.59,75.09,135480400",
                "2020-01-03,72.87,74.36,146322800",
            ),
        ),
        "Kaggle": (
            "all_stocks_5yr.csv",
            (
                "date,open,high,low,close,volume,Name",
                "2020-01-02,74.06,75.15,73.80,75.09,135480400,AAPL",
                "2020-01-03,74.29,75.14,74.13,74.36,146322800,AAPL",
            ),
        ),
        "Stooq": (
            "aapl.us.txt",
            (
                "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
                "AAPL.US,D,20200102,000000,74.06,75.15,73.80,75.09,135480400,0",
                "AAPL.US,D,20200103,000000,74.29,75.14,74.13,74.36,146322800,0",
            ),
        ),
        "Alpha Vantage": (
            "AAPL.csv",
            (
                "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient",
                "2020-01-03,74.29,75.14,74.13,74.36,72.87,146322800,0.0000,1.0",
                "2020-01-02,74.06,75.15,73.80,75.09,73.59,135480400,0.0000,1.0",
            ),
        ),
        "Tiingo": (
            "tiingo.csv",
            (
                "symbol,date,close,high,low,open,volume,adjClose,divCash,splitFactor",
                "AAPL,2020-01-02T00:00:00.000Z,75.09,75.15,73.80,74.06,135480400,73.59,0.0,1.0",
                "AAPL,2020-01-03T00:00:00.000Z,74.36,75.14,74.13,74.29,146322800,72.87,0.0,1.0",
            ),
        ),
        "Quandl": (
            "wiki.csv",
            (
                "ticker,date,open,high,low,close,volume,ex-dividend,split_ratio,adj_close",
                "AAPL,2020-01-02,74.06,75.15,73.80,75.09,135480400,0.0,1.0,73.59",
                "AAPL,2020-01-03,74.29,75.14,74.13,74.36,146322800,0.0,1.0,72.87",
            ),
        ),
        "Polygon's files": (
            "polygon.csv",
            (
                "ticker,volume,open,close,high,low,window_start,transactions",
                "AAPL,135480400,74.06,75.09,75.15,73.80,1577941200000000000,100",
                "AAPL,146322800,74.29,74.36,75.14,74.13,1578027600000000000,100",
            ),
        ),
        "SimFin": (
            "us-shareprices-daily.csv",
            (
                "Ticker;SimFinId;Date;Open;High;Low;Close;Adj. Close;Volume;Dividend",
                "AAPL;111052;2020-01-02;74.06;75.15;73.80;75.09;73.59;135480400;",
                "AAPL;111052;2020-01-03;74.29;75.14;74.13;74.36;72.87;146322800;",
            ),
        ),
        "tidyquant": (
            "tq.csv",
            (
                "symbol,date,open,high,low,close,volume,adjusted",
                "AAPL,2020-01-02,74.06,75.15,73.80,75.09,135480400,73.59",
                "AAPL,2020-01-03,74.29,75.14,74.13,74.36,146322800,72.87",
            ),
        ),
        "quantmod": (
            "quantmod.csv",
            (
                '"","AAPL.Open","AAPL.High","AAPL.Low","AAPL.Close","AAPL.Volume","AAPL.Adjusted"',
                '"2020-01-02",74.06,75.15,73.80,75.09,135480400,73.59',
                '"2020-01-03",74.29,75.14,74.13,74.36,146322800,72.87',
            ),
        ),
        "NSE": (
            "nse.csv",
            (
                '"Symbol ","Date ","series ","OPEN ","HIGH ","LOW ","PREV. CLOSE ","close ","VOLUME "',
                'AAPL,02-Jan-2020,EQ,74.06,75.15,73.80,73.41,75.09,"13,54,80,400"',
                'AAPL,03-Jan-2020,EQ,74.29,75.14,74.13,75.09,74.36,"14,63,22,800"',
            ),
        ),
        "a table of closes": (
            "closes.csv",
            ("Date,AAPL,BRK.B", "2020-01-02,75.09,228.39", "2020-01-03,74.36,226.18"),
        ),
    }
)
"""Formats that the usual spellings read without an entry of their own: name to file and lines."""
