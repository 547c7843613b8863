"""Parameters of a whole network by formula, and how many units make two cells equal in them."""

from forecaster.network.cells import parameter_count
from forecaster.settings import TrainSettings


def network_parameters(cell: str, units: int, features: int, recipe: TrainSettings) -> int:
    """Parameters of the recurrent layers and the head, (u + 1) · 3H, for the recipe's other sizes."""
    directions = 2 if recipe.bidirectional else 1
    total, inputs = 0, features
    for _ in range(recipe.layers):
        total += directions * parameter_count(cell, inputs, units)
        inputs = directions * units
    return total + (inputs + 1) * 3 * recipe.horizon


def matched_units(cell: str, reference: TrainSettings, features: int) -> int:
    """The number of units that gives `cell` the parameters nearest to the reference recipe's."""
    wanted = network_parameters(reference.cell, reference.units, features, reference)
    units = 1
    while network_parameters(cell, units + 1, features, reference) <= wanted:
        units += 1
    above = network_parameters(cell, units + 1, features, reference) - wanted
    below = wanted - network_parameters(cell, units, features, reference)
    return units + 1 if above < abs(below) else units
