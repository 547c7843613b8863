"""The night's work: fetch prices and earnings dates, retrain if due, predict and record, score.

Each step has a process of its own: it can be ended when it exceeds its time limit, and what it loaded is gone
with it.
"""

import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from forecaster.errors import ExitCode, ForecastError, NotFoundError, TryLaterError, name_some
from forecaster.files import disk_error, home_lock
from forecaster.ledger.alarms import find_alarms
from forecaster.ledger.ledger import Ledger
from forecaster.ledger.scoring import fill_outcomes
from forecaster.prices.known import known_prices
from forecaster.processes import TaskTimeoutError, run_isolated
from forecaster.registry.versions import ModelRegistry
from forecaster.service.events import log_alarms, log_event, turn_over
from forecaster.service.prediction import check_recordable, ledger_rows, predict_stored
from forecaster.service.recalibration import recalibrate
from forecaster.service.refreshing import refresh_earnings, refresh_prices
from forecaster.service.run_status import DONE, FAILED, RUNNING, RunStatus, read_run_status, write_run_status
from forecaster.settings import Settings, iso_utc

RUN_LOG = "run.log"
_NICENESS = 10  # whoever asks for a forecast meanwhile comes first

Step = Callable[[Settings, datetime], str]
Take = Callable[[str, Step, Settings, datetime], str]


@dataclass(frozen=True)
class StepReport:
    """What became of one step; `error` is None when all is well."""

    name: str
    text: str
    seconds: float
    error: ForecastError | None = None


@dataclass(frozen=True)
class DailyReport:
    """What became of a run."""

    steps: tuple[StepReport, ...]

    @property
    def exit_code(self) -> ExitCode:
        """That of the first step that failed."""
        return next((step.error.exit_code for step in self.steps if step.error), ExitCode.DONE)

    def complain(self) -> None:
        """End with the first error, which names the other steps that failed.

        Raises:
            ForecastError: a step failed.
        """
        failed = [step for step in self.steps if step.error is not None]
        if not failed or failed[0].error is None:
            return
        first = failed[0].error
        others = [step.name for step in failed[1:]]
        more = f" (failed too: {', '.join(others)}; see logs/events.jsonl)" if others else ""
        raise type(first)(f"{failed[0].name}: {first.message}{more}", first.remedy)


def take_isolated(name: str, step: Step, settings: Settings, now: datetime) -> str:
    """Run one step in a fresh process, for as long as the settings allow.

    Raises:
        ForecastError, OSError, RuntimeError: as `run_isolated`, and where it exceeds its time limit.
    """
    minutes = float(getattr(settings.run, f"{name}_minutes"))
    try:
        return run_isolated(_work, (name, step, settings, now), seconds=60 * minutes)
    except TaskTimeoutError:
        raise TryLaterError(
            f"it was ended after its {minutes:g} minutes", f"raise {name}_minutes under [run]"
        ) from None


def daily_run(settings: Settings, now: datetime, take: Take = take_isolated) -> DailyReport:
    """Take every step; one that fails does not stop the next.

    Before each step and after the last, logs/run_status.json tells how far the run has come.

    Args:
        settings: of the home folder.
        now: the clock of the command.
        take: runs one step.

    Raises:
        TryLaterError: another run is at work.
        DiskError: the run's own status cannot be written.
    """
    with _only_run(settings.home):
        turn_over(settings.home / "logs" / RUN_LOG)
        status, reports = RunStatus(iso_utc(now), RUNNING), []
        for name, step in STEPS.items():
            status = replace(status, step=name)
            write_run_status(settings.home, status)
            report = _report(name, step, settings, now, take)
            reports.append(report)
            state = FAILED if report.error else DONE
            log_event(
                settings.home, now, "step", step=name, state=state, text=report.text, seconds=report.seconds
            )
            done = {**status.steps, name: report.text}
            status = replace(status, seconds=round(status.seconds + report.seconds, 1), steps=done)
        found = DailyReport(tuple(reports))
        outcome = FAILED if found.exit_code else DONE
        write_run_status(
            settings.home, replace(status, step="", outcome=outcome, exit_code=int(found.exit_code))
        )
    return found


@contextmanager
def _only_run(home: Path) -> Iterator[None]:
    """Hold the lock of runs; not the home folder's own, which each step takes while it writes."""
    lock = ExitStack()
    try:
        lock.enter_context(home_lock(home / "logs"))
    except TryLaterError as error:
        status = read_run_status(home)
        since = (
            f" since {status.started}, now at {status.step}" if status and status.outcome == RUNNING else ""
        )
        raise TryLaterError(f"another `forecast run` is at work in {home}{since}", error.remedy) from None
    with lock:
        yield


def _report(name: str, step: Step, settings: Settings, now: datetime, take: Take) -> StepReport:
    started = monotonic()
    error: ForecastError | None = None
    text = ""
    try:
        text = take(name, step, settings, now)
    except ForecastError as caught:
        error = caught
    except OSError as caught:
        error = disk_error(caught, Path(caught.filename or settings.home))
    except RuntimeError as bug:
        error = ForecastError(f"this is a bug: {bug}", f"see logs/{name}-output.log, and report it")
    return StepReport(name, str(error) if error else text, round(monotonic() - started, 1), error)


def _work(task: tuple[str, Step, Settings, datetime], _report: Callable[[Any], None]) -> str:
    """In the step's process: what libraries print goes to a file of the step's."""
    name, step, settings, now = task
    os.nice(_NICENESS)
    output = settings.home / "logs" / f"{name}-output.log"
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    try:
        return step(settings, now)
    except ForecastError:
        raise
    except Exception:
        traceback.print_exc()
        raise


def fetch_step(settings: Settings, now: datetime) -> str:
    """Bring Yahoo's tickers up to date; those it does not know any more are no failure.

    Raises:
        ForecastError: some could not be brought up to date, or a damaged file could not be repaired.
    """
    fetched = refresh_prices(settings, now)
    damage = ""
    if fetched.damaged:
        damage = f"; damaged: {name_some(fetched.damaged)}; repaired: {name_some(fetched.repaired) or 'none'}"
    if fetched.failures:
        raise TryLaterError(
            f"tickers failed: {len(fetched.failures)}, the first: {fetched.failures[0]}{damage}",
            "what is stored stays as it was; the next run tries again",
        )
    text = f"tickers fetched: {fetched.tickers}, unknown to Yahoo: {len(fetched.unknown)}"
    return f"{text}, from other sources: {fetched.other_sources}{damage}"


def retrain_step(settings: Settings, now: datetime) -> str:
    """Retrain every model whose prices are old enough.

    Raises:
        ForecastError: there is no model, one could not be retrained, or one is worse than naive and its
            challenger no better.
    """
    from forecaster.service.retraining import retrain

    registry = ModelRegistry(settings.home)
    told: list[str] = []
    failures: list[ForecastError] = []
    for name in registry.names() or [registry.default_name()]:
        try:
            done = retrain(settings, name, now, lambda *_: None, if_stale=settings.run.retrain_after)
        except ForecastError as error:
            failures.append(type(error)(f"{name}: {error.message}", error.remedy))
            continue
        told.append(f"{name}: {done.outcome}{_without_dates(done.dates_fault)}")
        decision = done.decision
        if decision is not None and decision.champion_worse_than_reference and not decision.promote:
            failures.append(
                ForecastError(
                    f"{name}@{done.champion} is worse than linear-t or RiskMetrics-t, and its challenger "
                    "was refused",
                    "train another with `forecast train`",
                )
            )
    if failures:
        raise failures[0]
    return ", ".join(told)


def predict_step(settings: Settings, now: datetime) -> str:
    """Record every champion's forecast of every ticker; one that cannot be forecast is left out.

    Raises:
        ForecastError: a champion cannot be loaded, or can forecast no ticker at all.
    """
    from threadpoolctl import threadpool_limits

    registry, store = ModelRegistry(settings.home), known_prices(settings.home, now, os.environ)
    new, left_out, thin, fault = 0, set[str](), set[str](), ""
    failures: list[ForecastError] = []
    for name in registry.names() or [registry.default_name()]:
        try:
            model = registry.load(name)
            check_recordable(model, store, now)
            reference = registry.load_reference(*registry.resolve(model.reference))
            with threadpool_limits(limits=1, user_api="blas"):  # more threads wait longer than they compute
                batch = predict_stored(
                    store,
                    model.network,
                    store.tickers(),
                    composition=model.card.get("market", ()),
                    reference=reference,
                )
            if batch.failures and not batch.predictions:
                raise next(iter(batch.failures.values()))
        except ForecastError as error:
            failures.append(type(error)(f"{name}: {error.message}", error.remedy))
            continue
        new += Ledger(settings.home).record(ledger_rows(model.reference, batch.predictions), now).new
        left_out |= batch.failures.keys()
        fault = batch.dates_fault
        thin |= {each.ticker for each in batch.predictions if each.thin_market}
    if failures:
        raise failures[0]
    named = f" ({name_some(sorted(left_out))})" if left_out else ""
    text = f"forecasts recorded: {new}, tickers left out: {len(left_out)}{named}"
    if thin:
        text += f", beside a market of few members: {len(thin)}"
    return text + _without_dates(fault)


def _without_dates(fault: str) -> str:
    return f"; without earnings dates: {fault}" if fault else ""


def score_step(settings: Settings, now: datetime) -> str:
    """Score the forecasts whose target date has closed.

    Raises:
        ForecastError: a model went wrong beyond chance, or the ledger is damaged.
    """
    ledger = Ledger(settings.home)
    try:
        filled = fill_outcomes(ledger, known_prices(settings.home, now, os.environ), now)
    except NotFoundError:
        return "nothing was recorded yet"
    registry = ModelRegistry(settings.home)
    recalibrate(registry, ledger, now)
    alarms = find_alarms(ledger, registry.names(), now)
    log_alarms(settings.home, now, alarms)
    if alarms:
        more = f" (and {len(alarms) - 1} more)" if len(alarms) > 1 else ""
        raise ForecastError(f"alarm: {alarms[0].text}{more}", "`forecast score` tells more")
    return f"forecasts scored: {filled.scored}, still open: {filled.still_open}"


STEPS: Mapping[str, Step] = {
    "fetch": fetch_step,
    "earnings": refresh_earnings,
    "retrain": retrain_step,
    "predict": predict_step,
    "score": score_step,
}
