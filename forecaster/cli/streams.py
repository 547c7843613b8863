"""The command's streams: whatever the terminal can show, closed, full, or read by `head`."""

import codecs
import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# What is seen in tables, charts and sentences, for encodings that lack it; all else becomes a question mark.
_STAND_INS = {
    "×": "x",
    "·": ".",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "±": "+-",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "σ": "s",
    "√": "root ",
    "⁻": "-",
    "⁴": "4",
    "²": "2",
    "─": "-",
    "━": "-",
    "│": "|",
    "┌": "+",
    "┐": "+",
    "└": "+",
    "┘": "+",
    "├": "+",
    "┤": "+",
    "┬": "+",
    "┴": "+",
    "┼": "+",
    "●": "*",
    "○": "o",
    "∂": "d",
    "∘": "o",
    "✓": "+",
    "✗": "X",
    "′": "'",
    "₀": "0",
    "₁": "1",
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),  # bars
    "\N{BRAILLE PATTERN BLANK}": " ",
    **dict.fromkeys(map(chr, range(0x2801, 0x2900)), "*"),  # the dots that charts are drawn with
}
_ERRORS = "forecast-stand-ins"


def prepare_streams() -> None:
    """Make printing safe, before anything is printed.

    A closed stream leads nowhere; a character that its encoding lacks is replaced. No note or progress that
    cannot be written stops the work or changes the exit code: it is lost. Where Python would
    not write file names in UTF-8, the command starts itself again so that it does, for names go into files
    and to libraries that know nothing else.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  (for good)
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        _start_again_in_utf8()
    codecs.register_error(_ERRORS, _stand_in)
    if type(sys.stderr) is io.TextIOWrapper:  # else a program that called us put its own there
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(_Lossy(2, "w", closefd=False)),
            encoding=sys.stderr.encoding,
            line_buffering=True,
        )
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_ERRORS)


class _Lossy(io.FileIO):
    """A file that takes whatever it is given, and loses it where the disk is full or the reader left."""

    def write(self, data: "ReadableBuffer", /) -> int:
        with contextlib.suppress(OSError):
            written: int | None = super().write(data)  # none where the reader is slow and does not wait
            if written is not None:
                return written
        return memoryview(data).nbytes


def finish_stdout() -> OSError | None:
    """Write out what is buffered; the error if that fails, after which stdout leads nowhere.

    Python would otherwise try again at its end, and complain in words of its own.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        drop_stdout()
        return None if isinstance(error, BrokenPipeError) else error
    return None


def drop_stdout() -> None:
    """Let what is still to be printed lead nowhere, as nobody reads it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # a stand-in for stdout may have no descriptor
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _start_again_in_utf8() -> None:
    """The same command with Python's UTF-8 mode, and the terminal's own encoding for what is printed."""
    os.environ["PYTHONUTF8"] = "1"
    os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding or "utf-8")
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  (it is ourselves)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = "".join(_STAND_INS.get(letter, "?") for letter in error.object[error.start : error.end])
    return text, error.end
