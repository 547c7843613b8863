"""The command line whose training takes milliseconds, in every process that it starts too."""

import sys
from importlib import import_module

from quick_training import REPLACED

from forecaster.cli.main import run

# Here, and not below: a worker process runs this file once more, but not as the main one.
for name, value in REPLACED.items():
    module, _, function = name.rpartition(".")
    setattr(import_module(module), function, value)

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
