"""SciPy's special functions, loaded without their package."""

import subprocess
import sys

import pytest

from forecaster.special import PACKAGE

IN_A_FRESH_PROCESS = """
import sys
from forecaster.special import NEEDED, special_functions
light = special_functions()
print(light.__name__, "scipy.special" in sys.modules, "numpy.f2py" in sys.modules)
import scipy.special, scipy.stats, scipy.optimize
print(all(getattr(light, name) is getattr(scipy.special, name) for name in NEEDED))
print(scipy.stats.t.ppf(0.9, 3) == light.stdtrit(3, 0.9), hasattr(scipy.special, "gammaln"))
"""


def fresh(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_package_is_not_loaded_and_can_be_loaded_afterwards() -> None:
    assert fresh(IN_A_FRESH_PROCESS) == ["scipy.special._ufuncs", "False", "False", "True", "True", "True"]


def test_beside_another_thread_it_is_the_package() -> None:
    code = (
        "import threading; event = threading.Event(); thread = threading.Thread(target=event.wait);"
        "thread.start(); from forecaster.special import special_functions;"
        "print(special_functions().__name__); event.set(); thread.join()"
    )
    assert fresh(code) == [PACKAGE]


@pytest.mark.parametrize(
    "changed",
    ["_COMPILED = 'scipy.special._no_such_part'", "NEEDED = (*special.NEEDED, 'no_such_function')"],
    ids=["the module", "a function"],
)
def test_of_another_build_it_is_the_package(changed: str) -> None:
    code = f"from forecaster import special; special.{changed}; found = special.special_functions();"
    assert fresh(f"{code} print(found.__name__, bool(found.gammaln))") == [PACKAGE, "True"]
