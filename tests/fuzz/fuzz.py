"""Fuzz one target, or all: inputs that reach new code are kept in a corpus that every test run goes through.

An input that ends in anything but the tool's own errors, takes longer than 10 seconds or more than 2 GB of
memory ends the run; its bytes stand in `.fuzz/TARGET/`.
"""

import argparse
import os
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
WORK = Path(".fuzz")
TARGET_VARIABLE = "FUZZ_TARGET"
SECONDS, MEGABYTES = 10, 2000
LONGEST_INPUT = 20_000
"""What a small file cannot do, a large one hardly can; and libFuzzer tries many more of them."""
_DATE = (1980, 1, 1, 0, 0, 0)


def corpus_file(target: str) -> Path:
    """Where a target's corpus is kept: a zip file of its inputs."""
    return HERE / "corpus" / f"{target}.zip"


def read_corpus(target: str) -> list[bytes]:
    """The inputs that are kept; none before the first run."""
    if not corpus_file(target).exists():
        return []
    with zipfile.ZipFile(corpus_file(target)) as archive:
        return [archive.read(name) for name in archive.namelist()]


sys.path.insert(0, str(HERE.parent))  # of the tests, for what they share


def main() -> int:
    """Run the targets one after the other, each in processes of its own.

    Returns:
        The number of targets with a fault.
    """
    from fuzz_targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=[*TARGETS], action="append", help="one of them, not all")
    parser.add_argument("--seconds", type=int, default=720, help="for each target")
    options = parser.parse_args()
    faults = 0
    for target in options.target or TARGETS:
        faults += not _fuzz(target, options.seconds)
    return faults


def _fuzz(target: str, seconds: int) -> bool:
    """Whether a target held; its corpus is brought up to date if so."""
    from fuzz_targets import seeds

    folder = WORK / target
    found, merged = folder / "found", folder / "merged"
    for each in (found, merged):
        each.mkdir(parents=True, exist_ok=True)
    for place, content in enumerate([*seeds(target), *read_corpus(target)]):
        (found / f"begun-{place}").write_bytes(content)
    limits = [f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST_INPUT}"]
    fuzz = [f"-max_total_time={seconds}", f"-artifact_prefix={folder}/fault-", "-print_final_stats=1"]
    print(f"{target}: {seconds} s", flush=True)
    if _run(target, [*limits, *fuzz, str(found)]):
        print(f"{target}: a fault; its input is in {folder}")
        return False
    for old in merged.iterdir():
        old.unlink()
    _run(target, [*limits, "-merge=1", str(merged), str(found)])
    inputs = sorted((each.name, each.read_bytes()) for each in merged.iterdir())
    with zipfile.ZipFile(corpus_file(target), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in inputs:
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    print(f"{target}: {len(inputs)} inputs kept")
    return True


def _run(target: str, words: list[str]) -> int:
    """libFuzzer's exit code; it takes the whole process, so each run has one.

    To merge, it starts its first word time and again by a shell, with its own options alone: that has to be a
    program, in this Python, and its target stands in a variable.
    """
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(HERE.parent),
        TARGET_VARIABLE: target,
    }
    command = [HERE / "libfuzzer.py", *words]
    return subprocess.run(command, env=os.environ | variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
