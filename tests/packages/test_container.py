"""Dockerfile, compose.yaml and the forge's CI, as far as they can be checked without being run."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from forecaster.cli.main import command_line
from forecaster.service.schedule.cron_expression import parse_expression

ROOT = Path(__file__).parents[2]
SERVICE_PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its words; lines that go on are joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    found = [line.partition(" ") for line in lines if line.strip()]
    return [(name, " ".join(words.split())) for name, _, words in found]


def words_of(name: str) -> list[str]:
    return [words for found, words in instructions() if found == name]


def read_yaml(name: str) -> Any:
    # The base loader makes text of everything, also of the key `on`.
    return yaml.load((ROOT / name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506


def command_of(words: list[str]) -> Any:
    """The command that words after `forecast` lead to, which must exist with its flags."""
    command: Any = get_command(command_line())
    rest = list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    known = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
    assert {word for word in rest if word.startswith("--")} <= known, words
    return command


def test_every_stage_begins_from_a_slim_python_of_one_minor_version() -> None:
    bases = [words.split()[0] for words in words_of("FROM")]
    assert len(bases) == 2
    assert len(set(bases)) == 1, "a virtual environment goes on working under the same Python alone"
    assert bases[0] == "${PYTHON}"
    minor = re.fullmatch(r"PYTHON=python:(3\.\d+)-slim", words_of("ARG")[0])
    assert minor
    assert f'"Programming Language :: Python :: {minor[1]}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_image_is_that_of_a_user_without_rights() -> None:
    last = max(place for place, (name, _) in enumerate(instructions()) if name == "FROM")
    final = instructions()[last:]
    user = next(words for name, words in final if name == "USER")
    assert re.fullmatch(
        r"[1-9]\d{4}:[1-9]\d{4}", user
    )  # numbers, so that Kubernetes sees that it is not root
    after = [name for name, _ in final[final.index(("USER", user)) :]]
    assert "RUN" not in after
    assert ("VOLUME", '["/data"]') in final
    assert any(name == "ENV" and "FORECAST_HOME=/data" in words for name, words in final)


def test_nothing_is_fetched_but_by_pip_and_kept_in_no_cache() -> None:
    assert not words_of("ADD")
    runs = " && ".join(words_of("RUN"))
    assert not re.search(r"https?:|curl|wget|apt-get|sudo", runs)
    for command in re.findall(r"pip (?:install|wheel)[^&]*", runs):
        assert "--no-cache-dir" in command
    assert "--constraint constraints.txt" in runs


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD", "VOLUME"])
def test_what_starts_is_in_the_form_that_needs_no_shell(name: str) -> None:
    assert all(isinstance(json.loads(words), list) for words in words_of(name))


def test_the_commands_in_the_image_exist() -> None:
    assert json.loads(words_of("ENTRYPOINT")[0]) == ["forecast"]
    command_of(json.loads(words_of("CMD")[0]))
    check = words_of("HEALTHCHECK")[0].partition(" CMD ")[2]
    assert json.loads(check) == ["forecast", "doctor"]
    assert command_of(["doctor"]).name == "doctor"


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignored
    for words in words_of("COPY"):
        parts = shlex.split(words)
        if parts[0].startswith("--from="):
            continue
        for source in parts[:-1]:
            assert (ROOT / source).exists()
            assert f"!/{source}" in ignored


def test_the_service_runs_the_schedule() -> None:
    compose = read_yaml("compose.yaml")
    service = compose["services"]["forecast"]
    assert command_of(service["command"]).name == "run"
    parse_expression(service["command"][service["command"].index("--at") + 1])
    assert service["volumes"] == ["home:/data"]
    assert "home" in compose["volumes"]
    assert "user" not in service
    assert "privileged" not in service
    assert service["cap_drop"] == ["ALL"]
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("text", [SERVICE_PAGE, (ROOT / "compose.yaml").read_text(encoding="utf-8")])
def test_written_commands_of_the_container_exist(text: str) -> None:
    lines = re.findall(r"docker compose (?:run --rm forecast|exec forecast forecast) (.*)", text)
    assert lines
    for line in lines:
        command_of(shlex.split(line, comments=True))


def test_the_forge_runs_what_is_run_here() -> None:
    workflow = read_yaml(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for job in workflow["jobs"].values():
        assert int(job["timeout-minutes"]) <= 90
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
            elif step["run"].startswith("make "):
                assert step["run"].removeprefix("make ") in targets
            else:
                assert step["run"] == "bash .ci/run"
    assert "secrets" not in (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    tried = workflow["jobs"]["packages"]["steps"][-1]["env"]["FORECAST_TEST_PYTHONS"].split()
    assert tried == ["3.11", "3.12", "3.13"]
