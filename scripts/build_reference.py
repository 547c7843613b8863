"""Write docs/commands.md from the commands, docs/api.md from the library and the formats in docs/data.md.

With --check, see that they are current.
"""

import inspect
import sys
from pathlib import Path

from typer.main import get_command

import forecaster
from forecaster.cli.main import command_line
from forecaster.prices.importing.dialects import DIALECTS, OTHER_EXAMPLES

DOCS = Path(__file__).parent.parent / "docs"
COMMANDS = """# Commands

Made by `make docs` from the commands' own help; do not edit.
"""
LIBRARY = """# Python API

Made by `make docs` from the docstrings; do not edit. `import forecaster as fc` loads nothing heavy; a saved
model predicts without TensorFlow. [`examples/quickstart.py`](../examples/quickstart.py) and
[`examples/quickstart.ipynb`](../examples/quickstart.ipynb) show it at work.
"""
MADE = "<!-- The rest is made by `make docs` from these entries; do not edit. -->\n"
ORDER = (
    *("load_model", "Model", "train", "compare", "ComparisonResult", "backtest", "BacktestResult"),
    *("tune", "TuneResult", "audit", "AuditResult", "Home", "Recipe", "ForecastError"),
)


def main() -> int:
    """Write or check the references; 1 if one is not current."""
    wanted = {
        "commands.md": "\n".join([COMMANDS, *_sections(get_command(command_line()), "forecast")]),
        "api.md": "\n".join([LIBRARY, *(_described(name) for name in ORDER)]),
        "data.md": (DOCS / "data.md").read_text(encoding="utf-8").partition(MADE)[0] + MADE + _formats(),
    }
    stale = []
    for name, text in wanted.items():
        path = DOCS / name
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        print(f"{name} is not what the code says: run `make docs`", file=sys.stderr)
    return 1 if stale else 0


def _formats() -> str:
    """Every format that the tests read: its name, its note, the file's name and its first lines."""
    entries = [(each.name, each.note, each.file, each.example) for each in DIALECTS]
    entries += [(name, "", file, lines) for name, (file, lines) in OTHER_EXAMPLES.items()]
    found = ""
    for name, note, file, lines in sorted(entries, key=lambda entry: entry[0].lower()):
        said = f"{note[0].upper()}{note[1:]}.\n\n" if note else ""
        content = "\n".join(lines)
        found += f"\n### {name}\n\n{said}`{file}`\n\n```text\n{content}\n```\n"
    return found


def _sections(command, name: str) -> list[str]:  # noqa: ANN001  (the class is the library's own)
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=90, max_content_width=90)
    help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    found = [f"## {name}\n\n```text\n{help_text}\n```\n"]
    for child_name, child in getattr(command, "commands", {}).items():
        found += _sections(child, f"{name} {child_name}")
    return found


def _described(name: str) -> str:
    """A public name's signature and docstring, and those of a class's own public methods."""
    item = getattr(forecaster, name)
    text = f"## `{name}`\n\n{_entry(name, item)}"
    if not inspect.isclass(item):
        return text
    for child, value in vars(item).items():
        if child.startswith("_"):
            continue
        if isinstance(value, property):
            text += f"\n### `{name}.{child}`\n\n{_entry('', value)}"
        elif inspect.isfunction(value):
            text += f"\n### `{name}.{child}`\n\n{_entry(f'{name}.{child}', value)}"
    return text


def _entry(call: str, item: object) -> str:
    docstring = inspect.getdoc(item) or ""
    if not callable(item) or not call:
        return f"```text\n{docstring}\n```\n"
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(item).parameters.values()
        if parameter.name != "self" and not parameter.name.startswith("_")
    ]
    shown = ", ".join(_parameter(parameter, parameters[:place]) for place, parameter in enumerate(parameters))
    return f"```python\n{call}({shown})\n```\n\n```text\n{docstring}\n```\n"


def _parameter(parameter: inspect.Parameter, before: list[inspect.Parameter]) -> str:
    keyword = inspect.Parameter.KEYWORD_ONLY
    star = "*, " if parameter.kind is keyword and all(each.kind is not keyword for each in before) else ""
    default = "…" if callable(parameter.default) else repr(parameter.default)
    end = "" if parameter.default is inspect.Parameter.empty else f"={default}"
    stars = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
    return f"{star}{stars}{parameter.name}{end}"


if __name__ == "__main__":
    sys.exit(main())
