"""Inputs for the audit: six random walks with reports, and a universe that some join and leave."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from earnings_factory import after, said
from factories import random_walk_table

from forecaster.dataset.membership import Selection
from forecaster.dataset.training_set import Inputs
from forecaster.evaluation.audit.subject import Subject
from forecaster.prices.earnings.table import EarningsTable, reports
from forecaster.prices.market import mean_log_return
from forecaster.prices.table import PriceTable
from forecaster.prices.universe import Span, Universe
from forecaster.settings import Recipe

TICKERS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
DAYS = 700
RECIPE = Recipe(lookback=12, horizon=3, units=4, cell="rnn", device="cpu")


def tables(days: int = DAYS, tickers: tuple[str, ...] = TICKERS) -> tuple[PriceTable, ...]:
    return tuple(random_walk_table(name, days, seed) for seed, name in enumerate(tickers))


def quarterly(tickers: tuple[str, ...] = TICKERS) -> EarningsTable:
    """Reports every 91 days, each announced three days before."""
    found = None
    rows = []
    for number in range(12):
        day = np.datetime64("2015-01-20") + 91 * number
        rows.append((str(day - 3), said("yahoo", *(f"{name} {day} after scheduled" for name in tickers))))
    found = after(*rows)
    return reports(found)


def universe(last: date) -> Selection:
    """AAA and BBB for good, CCC leaves in 2016, DDD joins then, EEE joins near the end, FFF is in and out."""
    change = date(2016, 3, 1)
    spans = {
        "AAA": (Span(),),
        "BBB": (Span(date(2010, 1, 1)),),
        "CCC": (Span(None, change),),
        "DDD": (Span(change),),
        "EEE": (Span(last - timedelta(60)),),
        "FFF": (Span(None, date(2015, 9, 1)), Span(date(2016, 9, 1), None)),
    }
    return Selection(Universe("mine", "test", spans), date(2015, 1, 1), last, TICKERS, (), all_days=False)


def subject(*bars: PriceTable, dated: bool = False, listed: bool = False) -> Subject:
    bars = bars or tables()
    inputs = Inputs(bars, mean_log_return(bars))
    if dated:
        inputs = replace(inputs, reports=quarterly())
    if listed:
        inputs = replace(inputs, selection=universe(bars[0].dates[-1].astype(object)))
    return Subject(inputs, bars)
