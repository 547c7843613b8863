"""Which services give earnings dates."""

from forecaster.prices.earnings.fetching import EarningsService
from forecaster.prices.earnings.sec import SecFilings
from forecaster.prices.earnings.table import SEC, YAHOO
from forecaster.prices.yahoo.earnings import YahooCalendar
from forecaster.settings import Settings

SERVICES = (YAHOO, SEC)


def earnings_service(name: str, settings: Settings) -> EarningsService:
    """One of SERVICES; nothing is requested yet.

    Raises:
        UsageError: it is not to be used as it is set.
    """
    return YahooCalendar(settings) if name == YAHOO else SecFilings(settings.sec)
