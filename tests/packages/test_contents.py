"""What the wheel and the sdist hold: all that they need, and nothing that lies about in a checkout."""

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
STRAY = re.compile(
    r"(^|/)(\.venv[^/]*|__pycache__|\.git|\.[a-z]+_cache|\.hypothesis|site|dist|logs|reports|results)/"
    r"|^data/prices/|^models/[^/]+/|\.(pyc|sqlite|lock)$|forecast\.toml$"
)
MOST_WHEEL_BYTES, MOST_SDIST_BYTES = 2_000_000, 4_000_000


@pytest.fixture(scope="module")
def in_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def in_sdist(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        assert all(member.isfile() for member in archive), "links and devices have no place in it"
        names = archive.getnames()
    assert len({PurePosixPath(name).parts[0] for name in names}) == 1
    return {name.partition("/")[2] for name in names}


def package_files() -> set[str]:
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "forecaster").rglob("*") if path.is_file()}
    return {name for name in found if "__pycache__" not in name}


def test_the_wheel_is_the_package_and_its_metadata(in_wheel: set[str]) -> None:
    metadata = {name for name in in_wheel if ".dist-info/" in name}
    assert in_wheel - metadata == package_files()
    assert {PurePosixPath(name).name for name in metadata} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt"),
        *("LICENSE", "sample-LICENSE.txt", "sp500-LICENSE.txt"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "forecaster/py.typed",
        "forecaster/prices/resources/sample.parquet",
        "forecaster/prices/resources/sample-earnings.csv",
        "forecaster/prices/resources/sp500.csv",
        "forecaster/prices/resources/calendars/XNYS.txt",
        "forecaster/report/resources/page.html.j2",
        "forecaster/report/resources/page.css",
        "forecaster/report/resources/page.js",
    ],
)
def test_the_wheel_has_what_the_tool_reads(name: str, in_wheel: set[str]) -> None:
    assert name in in_wheel


def test_the_wheel_has_no_tests(in_wheel: set[str]) -> None:
    assert not [name for name in in_wheel if re.search(r"(^|/)(tests?|conftest|test_\w+)[./]", name)]


def test_the_wheel_names_its_command_and_the_pythons_that_were_tried(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = next(name for name in archive.namelist() if name.endswith("/METADATA")).rpartition("/")[0]
        metadata = message_from_bytes(archive.read(f"{folder}/METADATA"))
        commands = archive.read(f"{folder}/entry_points.txt").decode()
    assert "forecast = forecaster.cli.main:main" in commands
    minors = [
        line.rpartition(" ")[2] for line in metadata.get_all("Classifier", []) if "Python :: 3." in line
    ]
    assert minors == ["3.11", "3.12", "3.13"]
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_sdist_has_all_that_is_tracked(in_sdist: set[str]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("only a checkout knows what is tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    assert not tracked - in_sdist


def test_the_sdist_has_what_its_tests_and_its_targets_need(in_sdist: set[str]) -> None:
    named = {"Makefile", "constraints.txt", "mkdocs.yml", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
    assert not {*named, "examples/quickstart.py", "scripts/mkdocs_hook.py", "PKG-INFO"} - in_sdist


def test_nothing_stray_is_packed(in_wheel: set[str], in_sdist: set[str]) -> None:
    assert not [name for name in in_wheel | in_sdist if STRAY.search(name)]


def test_a_stray_file_is_seen() -> None:
    strays = (
        "data/prices/AAPL.parquet",
        "models/main/1/card.json",
        ".venv/bin/python",
        "a/__pycache__/b.pyc",
    )
    assert all(STRAY.search(name) for name in strays)
    assert not STRAY.search("forecaster/prices/store.py")


def test_neither_is_large(wheel: Path, sdist: Path) -> None:
    assert wheel.stat().st_size < MOST_WHEEL_BYTES
    assert sdist.stat().st_size < MOST_SDIST_BYTES


def test_the_sdist_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(words, cwd=next(tmp_path.iterdir()), capture_output=True, check=True)
    assert next(tmp_path.glob("*.whl")).read_bytes() == wheel.read_bytes()
