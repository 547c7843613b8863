"""Tickers of other exchanges from Yahoo: their days, their clocks, their currencies."""

import numpy as np
import pytest
from yahoo_runs import FetchRuns
from yahoo_server import Company, company

from forecaster.prices.calendar import sessions_between

LONDON = company("SHEL.L", calendar="XLON", currency="GBp")
TOKYO = company("7203.T", calendar="XTKS", currency="JPY")
COIN = company("BTC-USD", calendar="24/7", kind="CRYPTOCURRENCY")
EURO = company("EURUSD=X", calendar="24/5", kind="CURRENCY")


@pytest.mark.parametrize(
    ("traded", "last"),
    [
        pytest.param(LONDON, "2026-11-20", id="London"),
        pytest.param(TOKYO, "2026-11-20", id="Tokyo, a day ahead"),
        pytest.param(COIN, "2026-11-20", id="crypto on a Saturday, which has not ended"),
        pytest.param(EURO, "2026-11-20", id="currencies"),
    ],
)
def test_every_session_of_its_own_exchange_is_stored_and_none_is_missing(
    runs: FetchRuns, traded: Company, last: str
) -> None:
    runs.yahoo.add(traded)
    assert runs.fetch(traded.symbol) == (0, "")
    table = runs.store.read(traded.symbol)
    expected = sessions_between(np.datetime64("2026-01-02"), np.datetime64(last), traded.calendar)
    np.testing.assert_array_equal(table.dates, expected)
    np.testing.assert_allclose(table.columns["close"], traded.closes[: len(expected)])
    assert (table.calendar, table.currency) == (traded.calendar, traded.currency)
    assert runs.fetch(traded.symbol) == (0, "")  # nothing is missing, so that nothing is requested
    assert runs.yahoo.total == 1


@pytest.mark.parametrize(
    ("traded", "moment", "last"),
    [
        pytest.param(LONDON, "2026-11-23T16:29:00", "2026-11-20", id="London is open"),
        pytest.param(LONDON, "2026-11-23T16:30:00", "2026-11-23", id="London has closed, New York has not"),
        pytest.param(TOKYO, "2026-11-24T06:30:00", "2026-11-24", id="Tokyo has closed, after a holiday"),
        pytest.param(COIN, "2026-11-22T23:59:00", "2026-11-21", id="Sunday is not over"),
        pytest.param(COIN, "2026-11-23T00:00:00", "2026-11-22", id="Sunday is over"),
    ],
)
def test_an_update_brings_what_has_closed_there(
    runs: FetchRuns, traded: Company, moment: str, last: str
) -> None:
    runs.yahoo.add(traded)
    runs.fetch(traded.symbol)
    runs.at(moment)
    code, _ = runs.fetch(traded.symbol)
    assert code == 0
    assert runs.stored_days(traded.symbol)[-1] == last
    assert runs.is_as_fresh(traded.symbol)


def test_currencies_have_no_volume_and_lose_nothing_by_it(runs: FetchRuns) -> None:
    EURO.volumes[:] = 0
    runs.yahoo.add(EURO)
    assert runs.fetch("EURUSD=X") == (0, "")
    assert len(runs.stored_days("EURUSD=X")) == len(
        sessions_between(EURO.dates[0], np.datetime64("2026-11-20"), "24/5")
    )
