"""The night's work: fetch, retrain if due, predict and record, score; each step in a process of its own.

A process can be ended when its time is over, and what it loaded is gone with it.
"""

import json
import multiprocessing
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from forecaster.errors import ExitCode, ForecastError, TryLaterError
from forecaster.files import disk_error, home_lock, write_atomically
from forecaster.operations.events import log_event
from forecaster.operations.steps import STEPS, Step
from forecaster.settings import Settings

HEARTBEAT = "heartbeat.json"
OUTPUT = "last-step-output.log"


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


def daily_run(settings: Settings, now: datetime) -> DailyReport:
    """Take every step; one that fails does not stop the next.

    Before and after, logs/heartbeat.json tells that a run has begun and how it ended.

    Raises:
        TryLaterError: another run is at work.
        DiskError: the disk refuses.
    """
    logs = settings.home / "logs"
    # Not the home folder's own lock: each step takes that one while it writes.
    with home_lock(logs):
        _beat(logs, now, "running", ())
        reports: list[StepReport] = []
        for name, step in STEPS.items():
            report = _take(name, step, settings, now)
            reports.append(report)
            state = "failed" if report.error else "done"
            log_event(
                settings.home, now, "step", step=name, state=state, text=report.text, seconds=report.seconds
            )
        done = DailyReport(tuple(reports))
        _beat(logs, now, "done" if done.exit_code == ExitCode.DONE else "failed", done.steps, done.exit_code)
    return done


def read_heartbeat(home: Path) -> dict[str, object] | None:
    """What the last run left; None if there was none, or it cannot be read."""
    try:
        content = json.loads((home / "logs" / HEARTBEAT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _beat(
    logs: Path, now: datetime, outcome: str, steps: tuple[StepReport, ...], code: ExitCode | None = None
) -> None:
    content = {
        "started": now.astimezone(UTC).isoformat(timespec="seconds"),
        "outcome": outcome,
        "exit_code": None if code is None else int(code),
        "seconds": round(sum(step.seconds for step in steps), 1),
        "steps": {step.name: step.text for step in steps},
    }
    write_atomically(logs / HEARTBEAT, json.dumps(content, indent=2) + "\n")


def _take(name: str, step: Step, settings: Settings, now: datetime) -> StepReport:
    """Run one step in a fresh process, for as long as the settings allow."""
    minutes = float(getattr(settings.run, f"{name}_minutes"))
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")  # a fork would copy what TensorFlow cannot share
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(step, settings, now, theirs), daemon=True)
    process.start()
    theirs.close()
    answer: str | ForecastError
    try:
        if ours.poll(60 * minutes):
            answer = ours.recv()
        else:
            answer = TryLaterError(
                f"it was ended after its {minutes:g} minutes", f"raise {name}_minutes under [run]"
            )
    except EOFError:
        process.join()
        answer = ForecastError(f"its process ended with {process.exitcode}", f"see logs/{OUTPUT}")
    finally:
        process.kill()
        process.join()
        ours.close()
    seconds = round(time.monotonic() - started, 1)
    if isinstance(answer, ForecastError):
        return StepReport(name, str(answer), seconds, answer)
    return StepReport(name, answer, seconds)


def _work(step: Step, settings: Settings, now: datetime, answer: Connection) -> None:
    """In the step's process: what libraries print goes to a file, and the result back."""
    try:
        output = settings.home / "logs" / OUTPUT
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        answer.send(step(settings, now))
    except ForecastError as error:
        answer.send(error)
    except OSError as error:
        answer.send(disk_error(error, Path(error.filename or settings.home)))
    except Exception as error:  # noqa: BLE001  (the run is to go on, and to tell)
        answer.send(ForecastError(f"this is a bug: {type(error).__name__}: {error}"))
