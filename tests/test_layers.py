"""The folders' order, held by their syntax trees: imports inside functions count too."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "forecaster"
ORDER = (
    *("prices", "dataset", "network", "evaluation", "registry", "ledger", "service", "laboratory", "report"),
    *("api", "auditing", "backtesting", "tuning", "home"),
    "cli",
)
GROUND_FLOOR = {"errors", "settings", "files", "cluster", "packing", "processes", "special"}
KERAS = {"keras", "tensorflow", "jax", "torch"}
KERAS_PLACES = {
    f"network/{name}.py"
    for name in (
        "keras_network",
        "tensorflow_loops",
        "halving_trainer",
        "fitting",
        "training",
        "engine",
        "onnx",
    )
}
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def tree(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """Full names of all that a module imports, `TYPE_CHECKING` blocks left out."""
    names = set()
    for node in outside_type_checking(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def outside_type_checking(node: ast.AST) -> list[ast.AST]:
    found = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        found += [child, *outside_type_checking(child)]
    return found


def libraries(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports(module)}


def own_parts(module: str) -> set[str]:
    """The folders and ground-floor modules of this package that a module imports."""
    return {
        name.split(".")[1]
        for name in imports(module)
        if name.startswith("forecaster.") and not name.endswith("__version__")
    }


def test_there_is_something_to_hold() -> None:
    assert len(MODULES) > 40
    assert imports("network/keras_network.py") >= {"keras", "math", "forecaster.settings.Recipe"}
    assert "rich.console.Console" in imports("cli/screen.py")  # within a function


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    folder = module.split("/", maxsplit=1)[0].removesuffix(".py")
    allowed = GROUND_FLOOR | set(ORDER[: ORDER.index(folder) + 1] if folder in ORDER else ())
    assert own_parts(module) <= allowed


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_stay_in_their_places(module: str) -> None:
    used = libraries(module)
    if module not in KERAS_PLACES:
        assert module.startswith("laboratory/") or not used & KERAS
    assert module.startswith("prices/yahoo/") or "yfinance" not in used
    assert not used & {"pickle", "dill", "cloudpickle", "shelve", "marshal"}


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("cli/")])
def test_only_the_command_line_prints(module: str) -> None:
    called = {getattr(node.func, "id", "") for node in ast.walk(tree(module)) if isinstance(node, ast.Call)}
    assert "print" not in called
    assert "typer" not in libraries(module)
    assert "rich" not in libraries(module)


@pytest.mark.parametrize("module", MODULES)
def test_numpy_reads_no_pickles(module: str) -> None:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert ast.unparse(node.value) == "False"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
            assert "allow_pickle" in {keyword.arg for keyword in node.keywords}
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("np.savez"):
            # An older NumPy stores every named argument as an array, `allow_pickle` too.
            assert {keyword.arg for keyword in node.keywords} <= {None}


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("cli/")])
def test_the_command_line_starts_without_numpy(module: str) -> None:
    """Only what stands at the top of a module is imported when `forecast --help` runs."""
    body = ast.Module(
        [node for node in tree(module).body if isinstance(node, ast.Import | ast.ImportFrom)], []
    )
    top = {alias.name for node in body.body if isinstance(node, ast.Import) for alias in node.names}
    top |= {node.module or "" for node in body.body if isinstance(node, ast.ImportFrom)}
    if module not in (
        "cli/comparison_screen.py",
        "cli/backtest_screen.py",
        "cli/fan_chart.py",
        "cli/tune_screen.py",
    ):  # imported by commands
        assert not {name for name in top if name.split(".")[0] in {"numpy", "rich"}}
