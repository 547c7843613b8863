"""`forecast lab claims`: what is said of these cells, each claim with its measurement and verdict."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from forecaster.cli.completion import complete_tickers
from forecaster.cli.flags import AddressFlag, EngineFlag, chosen_engine
from forecaster.cli.lab.flags import JobsFlag
from forecaster.cli.results import SaveFlag, check_save, keep, save_picture
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    QuietFlag,
    open_settings,
    print_json,
    stderr_console,
    stdout_console,
)

if TYPE_CHECKING:
    from rich.console import Console

    from forecaster.laboratory.claims.claim import Claim

_WIDTH = 78
_STYLES = {"supported": "green", "not supported": "red", "undecided": "yellow"}


def claims(
    context: typer.Context,
    tickers: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tickers to measure on (all in the store).",
            show_default=False,
            autocompletion=complete_tickers,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Three seeds, fewer epochs, shorter lags: some minutes.")
    ] = False,
    jobs: JobsFlag = 2,
    engine: EngineFlag = "local",
    address: AddressFlag = None,
    save: SaveFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    home: HomeFlag = None,
) -> None:
    """Measure every claim about the cells on these prices: supported, not supported, undecided.

    Finished runs are kept under reports/lab/ and not run again; stop it and go on at any time.
    """
    from forecaster.laboratory.claims.claim import GROUPS, tally
    from forecaster.laboratory.claims.judge import judge_claims
    from forecaster.laboratory.claims.runs import FULL, QUICK
    from forecaster.laboratory.prices.trials import trial_setup

    check_save(save)
    settings = open_settings(context, home)
    setup = trial_setup(settings.home, tickers, settings.train)
    notes = stderr_console(quiet=quiet)
    with chosen_engine(engine, address):
        judged = judge_claims(
            settings.home,
            setup,
            QUICK if quick else FULL,
            jobs,
            lambda text: notes.print(text, soft_wrap=True),
        )
    content = {"quick": quick, "tickers": list(setup.tickers), "claims": [asdict(claim) for claim in judged]}
    keep(settings.home, "forecast.lab-claims/1", content)
    save_picture(save, "forecast.lab-claims/1", content, quiet=quiet)
    if json:
        print_json("forecast.lab-claims/1", content)
        return
    screen = stdout_console(quiet=quiet)
    number = 0
    for group, title in GROUPS.items():
        inside = [claim for claim in judged if claim.group == group]
        if inside:
            screen.print(f"{group.capitalize()}: {title}", style="bold")
            screen.print(tally(inside), style="dim")
            screen.print()
        for claim in inside:
            number += 1
            _show(number, claim, screen)
    screen.print(f"{len(judged)} claims: {tally(judged)}.")
    legend = (
        "In brackets: a 95 % interval. ±: the seeds' deviation. needs: what would decide it, if the effect"
    )
    screen.print(f"{legend} stays as it is.", style="dim")


def _show(number: int, claim: "Claim", screen: "Console") -> None:
    import textwrap

    from rich.text import Text

    verdict = (claim.verdict.upper(), f"bold {_STYLES[claim.verdict]}")
    screen.print(Text.assemble(f"{number:2}  ", verdict, f"  {claim.name}"))
    needs = [f"needs: {claim.needed}"] if claim.needed else []
    texts = [f"measured: {claim.measured}", f"found: {claim.figure}", f"otherwise: {claim.otherwise}", *needs]
    for text in (claim.sentence, *texts):
        lines = textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="      ")
        for line in lines:
            screen.print(line)
    screen.print(f"    more: {claim.command}", style="dim", soft_wrap=True)
    screen.print()
