"""SciPy's special functions without the rest of `scipy.special`, which takes longer to import than NumPy.

The functions themselves are compiled code, there in some milliseconds. What takes long are their wrappers for
arrays of other libraries, for which SciPy looks through all of NumPy, f2py with it.
"""

import sys
import threading
from functools import cache
from importlib import import_module
from types import ModuleType

PACKAGE = "scipy.special"
_COMPILED = f"{PACKAGE}._ufuncs"
NEEDED = ("betaln", "ndtr", "ndtri", "stdtr", "stdtrit")


@cache
def special_functions() -> ModuleType:
    """A module that has the functions NEEDED, bit for bit those of `scipy.special`.

    The compiled part is loaded by itself where nothing else can notice: `scipy.special` is not loaded yet,
    and no other thread might import it meanwhile. Otherwise, and of a SciPy that is built another way, it is
    `scipy.special`.
    """
    if PACKAGE not in sys.modules and threading.active_count() == 1:
        compiled = _compiled_part()
        if compiled is not None and all(hasattr(compiled, name) for name in NEEDED):
            return compiled
    return import_module(PACKAGE)


def _compiled_part() -> ModuleType | None:
    """The compiled functions, imported below an empty package; None where that does not work."""
    import scipy

    stand_in = ModuleType(PACKAGE)
    stand_in.__path__ = [f"{folder}/special" for folder in scipy.__path__]
    sys.modules[PACKAGE] = stand_in
    try:
        return import_module(_COMPILED)
    except (ImportError, AttributeError):
        return None
    finally:
        del sys.modules[PACKAGE]  # whoever imports it gets all of it
