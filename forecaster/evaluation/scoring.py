"""Score one model's forecasts against the actuals, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import Panel
from forecaster.dataset.report_features import reacted_days
from forecaster.dataset.targets import cumulative_return
from forecaster.evaluation import metrics
from forecaster.evaluation.forecasts import Forecast, Origins, StepForecast
from forecaster.evaluation.significance import daily_mean, diebold_mariano
from forecaster.evaluation.sums import StepSums, mean_sums, step_sums

_AT_ONCE = 50_000
_LOWER, _UPPER = 0, -1  # places of 0.05 and 0.95 among the quantile levels: the 90 % interval

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Actuals:
    """The actuals at O origins.

    Attributes:
        origins: the origins.
        log_return: (O, H) cumulative log returns, NaN where not known.
        last_close: (O,) close at the origin, as quoted.
        mase_scale: (O,) the ticker's mean absolute daily log return in the training years, the
            scale of MASE.
        reaction: (O, H) whether the price has reacted to a report by each step; None without any dates.
    """

    origins: Origins
    log_return: NDArray[np.float32]
    last_close: Float
    mase_scale: Float
    reaction: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class StepScores:
    """One model at one step. Prices are the origin's, as quoted; what is no share is in log return otherwise.

    Attributes:
        forecasts: how many.
        crps: of the whole distribution, by 19 quantiles; `crps_exact` without that step.
        coverage_90: share of actuals in the 90 % interval; `coverage_50`, `…_80`, `…_95`, `…_99` in others.
        below_05, above_95: shares of actuals beyond each end of the 90 % interval.
        interval_score_90: width of the 90 % interval, and 20 times what an actual lies beyond it (Winkler).
        log_score: minus the log of the density; NaN of forecasts that are quantiles only.
        mae, rmse, mape: of the median price, the last in per cent.
        mase: the median's absolute error over the ticker's mean absolute move in the training years.
        directional_accuracy: share of moves whose sign the median has; `up_share` of those that are up.
        mae_return: the median's absolute error.
        r2_price: R² of the median price, over all tickers and days: near 1 for the last close too.
        nearer_last: share of medians that lie nearer to the last close than to the actual.
        skill, p_value: share of the naive forecast's CRPS that is saved, and the test of it.
        point_skill, point_p_value: the same of `mae_return`.
    """

    forecasts: int
    crps: float
    coverage_90: float
    mae: float
    rmse: float
    mape: float
    mase: float
    directional_accuracy: float
    mae_return: float
    up_share: float
    crps_exact: float
    log_score: float
    interval_score_90: float
    coverage_50: float
    coverage_80: float
    coverage_95: float
    coverage_99: float
    below_05: float
    above_95: float
    r2_price: float
    nearer_last: float
    skill: float = 0.0
    p_value: float = 1.0
    point_skill: float = 0.0
    point_p_value: float = 1.0


@dataclass(frozen=True)
class ScoredStep:
    """Scores with the daily mean losses that tests of significance compare, (days,) each.

    The tickers of one day move together and are not independent trials; their mean is one. `direction` is no
    loss: the share of signs that were right, less the share that always-up has right. `sums` hold what other
    tests and tables need.
    """

    scores: StepScores
    day: NDArray[np.intp]
    crps: Float
    absolute_error: Float
    direction: Float
    sums: StepSums = field(default_factory=StepSums)


def actuals(panel: Panel, origins: Origins, horizon: int, train: range) -> Actuals:
    """Look up the actuals at each origin; the only place of the evaluation that sees the future."""
    past = np.abs(panel.log_return[:, train.start : train.stop])
    known = np.isfinite(past)
    total = np.where(known, past, 0.0).sum(1, dtype=np.float64)
    # A ticker listed after the training years has no scale of its own: it takes the panel's.
    usual = np.where(known.any(1), total / np.maximum(known.sum(1), 1), total.sum() / max(known.sum(), 1))
    return Actuals(
        origins=origins,
        log_return=cumulative_return(panel.log_return, origins.ticker, origins.day, horizon),
        last_close=panel.close[origins.ticker, origins.day],
        mase_scale=np.maximum(usual, 1e-12)[origins.ticker],
        reaction=_reactions(panel, origins, horizon),
    )


def _reactions(panel: Panel, origins: Origins, horizon: int) -> NDArray[np.bool_] | None:
    """See `Actuals`; days after the panel's last have no reaction."""
    days = reacted_days(panel)
    if days is None:
        return None
    count = np.cumsum(days, axis=1, dtype=np.int32)
    last = np.minimum(origins.day[:, None] + np.arange(1, horizon + 1), panel.shape[1] - 1)
    found: NDArray[np.bool_] = (
        count[origins.ticker[:, None], last] > count[origins.ticker, origins.day][:, None]
    )
    return found


def score_step(forecast: Forecast, actual: Actuals, step: int) -> ScoredStep:
    """Score a model's forecasts `step` days ahead, wherever the actual is known."""
    realised = actual.log_return[:, step - 1]
    known = np.isfinite(realised)
    observed = realised[known].astype(np.float64)
    made = forecast.at_step(step).take(known)
    crps, lower, upper = range_losses(made, observed)
    below = made.probability_below(observed)
    median = made.median.astype(np.float64)
    last = actual.last_close[known]
    price, predicted = last * np.exp(observed), last * np.exp(median)
    error = np.abs(observed - median)
    day = actual.origins.day[known]
    days, mean_crps = daily_mean(crps, day)
    _, daily_error = daily_mean(error, day)
    right, up = metrics.sign_hits(observed, median), metrics.sign_hits(observed, np.ones_like(observed))
    _, daily_direction = daily_mean(right - up, day)
    scores = StepScores(
        forecasts=len(observed),
        crps=float(crps.mean()),
        coverage_90=metrics.coverage(observed, lower, upper),
        mae=metrics.mae(price, predicted),
        rmse=metrics.rmse(price, predicted),
        mape=metrics.mape(price, predicted),
        mase=metrics.mase(observed, median, actual.mase_scale[known]),
        directional_accuracy=metrics.directional_accuracy(observed, median),
        mae_return=float(error.mean()),
        up_share=metrics.directional_accuracy(observed, np.ones_like(observed)),
        crps_exact=float(made.crps(observed, below).mean()),
        log_score=float(made.log_score(observed).mean()),
        interval_score_90=metrics.interval_score(observed, lower, upper, 0.9),
        **{f"coverage_{level}": _share_within(below, level / 100) for level in (50, 80, 95, 99)},
        below_05=float((below < 0.05).mean()),
        above_95=float((below > 0.95).mean()),
        r2_price=metrics.r2(price, predicted),
        nearer_last=float((np.abs(median) < error).mean()),
    )
    within = (lower <= observed) & (observed <= upper)
    reaction = None if actual.reaction is None else actual.reaction[known, step - 1]
    sums = step_sums(day, actual.origins.ticker[known], observed, median, crps, within, below, reaction)
    return ScoredStep(scores, days, mean_crps, daily_error, daily_direction, sums)


def daily_crps(forecast: Forecast, actual: Actuals, step: int) -> tuple[NDArray[np.intp], Float]:
    """Days in order and the mean CRPS of each, as `score_step` has them, and nothing else."""
    known = np.isfinite(actual.log_return[:, step - 1])
    observed = actual.log_return[known, step - 1].astype(np.float64)
    crps, _, _ = range_losses(forecast.at_step(step).take(known), observed)
    return daily_mean(crps, actual.origins.day[known])


def mean_of_seeds(runs: Sequence[ScoredStep]) -> ScoredStep:
    """The seeds' mean scores and mean daily losses: what one run of this recipe loses on average."""
    values = {
        name: float(np.mean([getattr(run.scores, name) for run in runs]))
        for name in StepScores.__dataclass_fields__
    }
    values["forecasts"] = runs[0].scores.forecasts
    return ScoredStep(
        scores=StepScores(**values),  # type: ignore[arg-type]
        day=runs[0].day,
        crps=np.mean([run.crps for run in runs], axis=0),
        absolute_error=np.mean([run.absolute_error for run in runs], axis=0),
        direction=np.mean([run.direction for run in runs], axis=0),
        sums=mean_sums([run.sums for run in runs]),
    )


def against(model: ScoredStep, reference: ScoredStep, step: int) -> StepScores:
    """The model's scores with its skill over a reference and the Diebold–Mariano p-values.

    `skill` and `p_value` are of the CRPS, the whole range; `point_skill` and `point_p_value` of the
    absolute error of the median's log return, the price alone.
    """
    whole = diebold_mariano(model.crps - reference.crps, step)
    point = diebold_mariano(model.absolute_error - reference.absolute_error, step)
    values = {name: getattr(model.scores, name) for name in StepScores.__dataclass_fields__}
    values |= {
        "skill": metrics.skill(model.scores.crps, reference.scores.crps),
        "p_value": whole.p_value,
        "point_skill": metrics.skill(model.scores.mae_return, reference.scores.mae_return),
        "point_p_value": point.p_value,
    }
    return StepScores(**values)


def _share_within(below: Float, level: float) -> float:
    """The share of actuals in the central interval of this level, by the chance of each of a smaller one."""
    return float((np.abs(below - 0.5) <= level / 2).mean())


def range_losses(forecast: StepForecast, observed: Float) -> tuple[Float, Float, Float]:
    """CRPS of each of O forecasts (O,), and the lower and upper ends of its 90 % interval."""
    crps, lower, upper = np.empty((3, len(observed)))
    for first in range(0, len(observed), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        quantiles = forecast.take(part).quantile(metrics.QUANTILE_LEVELS)
        crps[part] = metrics.crps_from_quantiles(observed[part], quantiles)
        lower[part], upper[part] = quantiles[:, _LOWER], quantiles[:, _UPPER]
    return crps, lower, upper
