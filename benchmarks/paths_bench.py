"""What ties the steps of a forecast, and whether prices are touched as often as said.

    python benchmarks/paths_bench.py HOME [MODEL]

HOME has prices and a model that was trained on them. Dependences of the steps are compared on its test days
by the mean log density of their copulas: a random walk's, the Markov chain that training fits, the full
matrix of correlations and a Student-t copula, all but the first from training days. Then for 2,000 test
origins the chance of touching a price within the horizon stands beside how often that happened: prices are so
many scales of the last step away from the last close.
"""

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr, ndtri, stdtr, stdtrit

from forecaster.dataset.features import compute_features
from forecaster.dataset.targets import cumulative_return
from forecaster.dataset.training_set import TrainingSet, choose, load_training_set, split_by
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.evaluation.step_dependence import fit_step_copula
from forecaster.network.network import Network
from forecaster.network.step_copula import StepCopula, random_walk_copula
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry
from forecaster.settings import Recipe, override

ORIGINS, PATHS = 2000, 10_000
AWAY = (-3, -2, -1, -0.5, 0.5, 1, 2, 3)
DEGREES = (3, 4, 6, 8, 10, 15, 30)

Float = NDArray[np.float64]


def main() -> None:
    """Print the densities, the chances and what they cost."""
    home, model = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    loaded = ModelRegistry(home).load(model)
    recipe = override(Recipe(), loaded.card["recipe"])
    store = PriceStore(home)
    data = load_training_set(store, choose(store, loaded.card["tickers"]), split_by(recipe))
    network, walk = loaded.network, random_walk_copula(recipe.horizon)
    began = time.perf_counter()
    fitted = fit_step_copula(network, data.panel, data.split.train, recipe.seed)
    if fitted is None:
        sys.exit("there are too few training days")
    print(f"fitted in {time.perf_counter() - began:.2f} s; a random walk has in brackets:")
    pairs = zip(fitted.correlations, walk.correlations, strict=True)
    print("  " + ", ".join(f"{found:.3f} ({of_walk:.3f})" for found, of_walk in pairs))
    forecast, actual = forecasts(network, data, data.split.test)
    scores = ndtri(forecast.probability_below(actual).clip(1e-9, 1 - 1e-9))
    trained, known = forecasts(network, data, data.split.train)
    past = ndtri(trained.probability_below(known).clip(1e-9, 1 - 1e-9))
    chain = products(fitted.correlations)
    best = max(DEGREES, key=lambda degrees: student_density(past, chain, degrees))
    print(f"mean log density of the copula at {len(scores):,} test origins:")
    print(f"  random walk {normal_density(scores, products(walk.correlations)):.4f}")
    print(f"  fitted chain {normal_density(scores, chain):.4f}")
    print(f"  full matrix {normal_density(scores, np.corrcoef(past.T)):.4f}")
    print(f"  Student-t with {best} degrees of freedom {student_density(scores, chain, best):.4f}")
    touches(forecast, actual, {"fitted": fitted, "random walk": walk}, student_paths(chain, best))


def forecasts(network: Network, data: TrainingSet, part: range) -> tuple[ForecastDistribution, Float]:
    """Forecasts and actuals of the origins of a part, all steps of which are known."""
    panel = data.panel
    features = compute_features(panel, network.features)
    origins, found = network_forecasts(network, features, part, panel.target_mask)
    actual = cumulative_return(panel.log_return, origins.ticker, origins.day, network.horizon)
    whole = np.isfinite(actual).all(1)
    return rows(found, whole), actual[whole].astype(np.float64)


def rows(
    forecast: ForecastDistribution, chosen: NDArray[np.bool_] | NDArray[np.intp]
) -> ForecastDistribution:
    """The forecasts of some origins."""
    return ForecastDistribution(
        forecast.location[chosen], forecast.scale[chosen], forecast.degrees_of_freedom[chosen]
    )


def products(correlations: Float) -> Float:
    """The correlations of all pairs of steps of a Markov chain."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(correlations))])
    return np.asarray(np.exp(-np.abs(logs[:, None] - logs)))


def normal_density(scores: Float, correlation: Float) -> float:
    """Mean log density of the Gaussian copula."""
    inverse = np.linalg.inv(correlation) - np.eye(len(correlation))
    square = np.einsum("oi,ij,oj->o", scores, inverse, scores)
    return float(-0.5 * np.linalg.slogdet(correlation)[1] - 0.5 * square.mean())


def student_density(scores: Float, correlation: Float, degrees: float) -> float:
    """Mean log density of the Student-t copula."""
    values, steps = stdtrit(degrees, ndtr(scores)), len(correlation)
    square = np.einsum("oi,ij,oj->o", values, np.linalg.inv(correlation), values)
    density = gammaln((degrees + steps) / 2) + (steps - 1) * gammaln(degrees / 2)
    density -= steps * gammaln((degrees + 1) / 2) + 0.5 * np.linalg.slogdet(correlation)[1]
    joint = (degrees + steps) / 2 * np.log1p(square / degrees).mean()
    single = (degrees + 1) / 2 * np.log1p(values**2 / degrees).sum(1).mean()
    return float(density - joint + single)


def student_paths(correlation: Float, degrees: float) -> Float:
    """Probabilities of each step on paths that are drawn from the Student-t copula, (PATHS, H)."""
    random = np.random.default_rng(0)
    normal = random.standard_normal((PATHS, len(correlation))) @ np.linalg.cholesky(correlation).T
    return np.asarray(stdtr(degrees, normal / np.sqrt(random.chisquare(degrees, (PATHS, 1)) / degrees)))


def touches(
    forecast: ForecastDistribution, actual: Float, copulas: dict[str, StepCopula], drawn: Float
) -> None:
    """How often prices were touched, and what each copula, drawn paths and the last step alone said of it."""
    chosen = np.random.default_rng(0).permutation(len(actual))[:ORIGINS]
    some, happened = rows(forecast, chosen), actual[chosen]
    print(f"away, touched, said by {', '.join(copulas)}, Student-t paths, the last step alone (log score):")
    seconds = 0.0
    for away in AWAY:
        end = away * np.asarray(some.scale[:, -1:], dtype=np.float64)
        below = some.probability_below(np.broadcast_to(end, happened.shape))
        beyond = below if away < 0 else 1 - below
        hit = ((happened - end) * np.sign(away) >= 0).any(1)
        said = {}
        for name, copula in copulas.items():
            began = time.perf_counter()
            said[name] = np.array([copula.chance_touched(each)[-1] for each in beyond])
            seconds += time.perf_counter() - began
        said["Student-t"] = np.array([(drawn >= 1 - each).any(1).mean() for each in beyond])
        said["last step"] = beyond[:, -1]
        texts = [f"{chance.mean():6.1%} ({log_score(chance, hit):.4f})" for chance in said.values()]
        print(f"  {away:+4.1f} {hit.mean():6.1%} " + "  ".join(texts))
    calls = len(AWAY) * len(copulas) * len(chosen)
    print(f"{1e3 * seconds / calls:.2f} ms for the chances of one ticker")


def log_score(chance: Float, hit: NDArray[np.bool_]) -> float:
    """Mean of minus the log of the chance of what happened."""
    within = chance.clip(1e-4, 1 - 1e-4)
    return float(-np.where(hit, np.log(within), np.log1p(-within)).mean())


if __name__ == "__main__":
    main()
