"""Finished folds of walks through history, kept so that a walk that was killed goes on where it was."""

import json
import os
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import BadInputError
from forecaster.evaluation.forecasts import Forecast, Origins
from forecaster.evaluation.quantile_forecast import QuantileForecast
from forecaster.files import check_writable, read_regular, write_atomically
from forecaster.network.linear_t import LinearT
from forecaster.network.network import Network
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.network.student_t import ForecastDistribution
from forecaster.settings import LINEAR

MOST_KEPT_BYTES = 2_000_000_000
"""What the folder may hold when a walk has ended; what was not used for longest goes first."""
_MOST_BYTES_A_FOLD = 4_000_000_000
_DISTRIBUTION = ("location", "scale", "degrees_of_freedom")


@dataclass(frozen=True)
class FoldCost:
    """What training in one fold took; zero of what is not trained by epochs.

    Attributes:
        seconds: wall time of all epochs.
        targets: supervised origins that they ran through.
        epochs, best_epoch: run, and the one whose weights were kept.
        parameters: of the network.
        engine, device, kernel: what computed, and how the cell's loop was run.
    """

    seconds: float = 0.0
    targets: int = 0
    epochs: int = 0
    best_epoch: int = 0
    parameters: int = 0
    engine: str = ""
    device: str = ""
    kernel: str = ""


@dataclass(frozen=True)
class FoldResult:
    """What one model forecasts in one fold.

    Attributes:
        origins: where it forecasts from.
        forecast: its forecasts there, float32.
        network: what was trained; None of a baseline that is no network.
        cost: what that took.
        substituted: see `Fitted`.
    """

    origins: Origins
    forecast: Forecast
    network: Network | None = None
    cost: FoldCost = FoldCost()
    substituted: tuple[str, ...] = ()


class FoldStore:
    """Results by a digest of all that they follow from: <folder>/<digest>.npz.

    A file that is damaged counts as not there. Two walks at once lose nothing: files are replaced whole, and
    both write the same.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, digest: str) -> FoldResult | None:
        """The result of that digest; None where none is kept."""
        path = self._path(digest)
        try:
            content = BytesIO(read_regular(path, most_bytes=_MOST_BYTES_A_FOLD))
            with np.load(content, allow_pickle=False) as archive:
                found = _unpacked(dict(archive))
        except FileNotFoundError:
            return None
        except (BadInputError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None
        with suppress(OSError):  # it was used now; where that cannot be noted it is there all the same
            os.utime(path)
        return found

    def save(self, digest: str, result: FoldResult) -> None:
        """Keep a result.

        Raises:
            DiskError: the disk fails.
        """
        packed = BytesIO()
        np.savez(packed, **_packed(result))
        write_atomically(self._path(digest), packed.getvalue())

    def check(self) -> None:
        """Make sure that the folder can be written, before hours of work whose results belong there.

        Raises:
            DiskError: it cannot.
        """
        check_writable(self.folder)

    def prune(self, most_bytes: int = MOST_KEPT_BYTES) -> None:
        """Remove what was not used for longest, until the rest has at most `most_bytes`."""
        with suppress(OSError):  # another walk may remove the same
            files = sorted(
                ((path.stat().st_mtime, path.stat().st_size, path) for path in self.folder.glob("*.npz")),
                reverse=True,
            )
            kept = 0
            for _, size, path in files:
                kept += size
                if kept > most_bytes:
                    path.unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}.npz"


def in_float32(forecast: Forecast) -> Forecast:
    """The forecasts as they are kept, so that those of a walk that went through at once are the same."""
    if isinstance(forecast, QuantileForecast):
        return QuantileForecast(
            {step: values.astype(np.float32) for step, values in forecast.by_step.items()}
        )
    arrays = _arrays(forecast)
    return ForecastDistribution(**{name: values.astype(np.float32) for name, values in arrays.items()})


def joined(forecasts: Sequence[Forecast]) -> Forecast:
    """The forecasts of several folds as one, in their order."""
    quantiles = [each.by_step for each in forecasts if isinstance(each, QuantileForecast)]
    if quantiles:
        return QuantileForecast(
            {step: np.concatenate([each[step] for each in quantiles]) for step in quantiles[0]}
        )
    parts = [_arrays(each) for each in forecasts]
    return ForecastDistribution(
        **{name: np.concatenate([each[name] for each in parts]) for name in _DISTRIBUTION}
    )


def _arrays(forecast: Forecast) -> dict[str, NDArray[Any]]:
    """Those of a distribution, by name."""
    return {name: getattr(forecast, name) for name in _DISTRIBUTION}


def _packed(result: FoldResult) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "ticker": result.origins.ticker.astype(np.int32),
        "day": result.origins.day.astype(np.int32),
    }
    made = result.forecast
    if isinstance(made, QuantileForecast):
        arrays |= {f"quantiles/{step}": values for step, values in made.by_step.items()}
    else:
        arrays |= {f"distribution/{name}": values for name, values in _arrays(made).items()}
    facts: dict[str, Any] = {"cost": asdict(result.cost), "substituted": result.substituted}
    if result.network is not None:
        arrays |= {f"weights/{name}": values for name, values in result.network.weights.items()}
        network = result.network
        names = ("cell", "units", "layers", "bidirectional", "horizon", "lookback", "features", "ensemble")
        facts["network"] = {name: getattr(network, name) for name in names}
    return arrays | {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}


def _unpacked(arrays: dict[str, Any]) -> FoldResult:
    """As it was packed.

    Raises:
        ValueError, KeyError, TypeError: it is no result.
    """

    def part(name: str) -> dict[str, Any]:
        return {key.removeprefix(name): values for key, values in arrays.items() if key.startswith(name)}

    facts = json.loads(arrays["facts"].tobytes())
    quantiles = {int(step): values for step, values in part("quantiles/").items()}
    made = QuantileForecast(quantiles) if quantiles else ForecastDistribution(**part("distribution/"))
    network: Network | None = None
    if "network" in facts:
        shape = facts["network"] | {"features": tuple(facts["network"]["features"])}
        kind = LinearT if shape["cell"] == LINEAR else RecurrentNetwork
        network = kind(**shape, weights=part("weights/"))
    return FoldResult(
        Origins(arrays["ticker"].astype(np.intp), arrays["day"].astype(np.intp)),
        made,
        network,
        FoldCost(**facts["cost"]),
        tuple(facts["substituted"]),
    )
