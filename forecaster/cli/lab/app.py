"""`forecast lab`: what is said of these cells, measured here."""

import typer

from forecaster.cli.lab.cell import cell
from forecaster.cli.lab.claims import claims
from forecaster.cli.lab.gates import gates
from forecaster.cli.lab.gradients import gradients
from forecaster.cli.lab.inputs import inputs
from forecaster.cli.lab.memory import memory
from forecaster.cli.lab.parameters import parameters
from forecaster.cli.lab.sweep import sweep

lab_app = typer.Typer(no_args_is_help=True, help="What is said of these cells, measured on this machine.")
lab_app.command()(parameters)
lab_app.command()(cell)
lab_app.command()(gradients)
lab_app.command()(memory)
lab_app.command()(gates)
lab_app.command()(inputs)
lab_app.command()(sweep)
lab_app.command()(claims)
