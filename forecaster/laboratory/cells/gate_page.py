"""The gates along a price series as one HTML page with drawings inside and nothing to load."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from forecaster.laboratory.cells.gates import GateStudy

Float = NDArray[np.float64]

_WIDTH, _LEFT, _RIGHT = 1000, 60, 20
_TITLE, _AXIS = 22, 20
_TINTS = {"forget": "#b3361e", "update": "#b3361e", "input": "#1f6f43", "reset": "#1f6f43"}
_OTHER_TINT = "#2a4d9b"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1040px; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
svg { width: 100%; height: auto; } text { font-size: 13px; fill: #444; }
table { border-collapse: collapse; } td, th { padding: .2rem .9rem; text-align: right; }
td:first-child, th:first-child { text-align: left; } th { border-bottom: 1px solid #999; }
"""


def gate_page(study: GateStudy) -> str:
    """The whole page: close, each gate's mean with the middle 80 % of its units, moves, tables."""
    title = escape(f"{study.cell.upper()} gates along {study.ticker}, model {study.model}")
    panels = [_panel("Close", study.close, None, study, _OTHER_TINT)]
    for name, values in study.gates.items():
        low, high = np.quantile(values, (0.1, 0.9), axis=1)
        tint = _TINTS.get(name, _OTHER_TINT)
        heading = f"{name} gate: mean of units, and the middle 80 % of them"
        panels.append(_panel(heading, values.mean(1), (low, high), study, tint))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{title}</h1>\n"
        f"<p>{study.dates[0]} to {study.dates[-1]}. Dashed lines: the largest daily moves.</p>\n"
        + "\n".join(panels)
        + f"\n<h2>Saturation and memory</h2>\n{_summary_table(study)}\n"
        + f"<p>{escape(memory_sentence(study))}</p>\n<h2>Largest moves</h2>\n{_event_table(study)}\n"
        + "</body></html>\n"
    )


def memory_sentence(study: GateStudy) -> str:
    """How long the units hold what they know, in words."""
    lives = study.half_lives
    keeper = "forget" if study.cell == "lstm" else "update"
    return (
        f"By its {keeper} gate half of the units lose half of their state within "
        f"{np.median(lives):.1f} days, the quickest within {lives.min():.1f}, the slowest within "
        f"{lives.max():.1f}."
    )


def _panel(heading: str, line: Float, band: tuple[Float, Float] | None, study: GateStudy, tint: str) -> str:
    height = 220 if band is None else 150
    low, high = (0.0, 1.0) if band is not None else (float(line.min()), float(line.max()))
    inner = height - _TITLE - _AXIS
    across = np.linspace(_LEFT, _WIDTH - _RIGHT, len(line))

    def down(values: Float) -> Float:
        place: Float = _TITLE + inner * (1 - (values - low) / max(high - low, 1e-12))
        return place

    parts = [f'<text x="{_LEFT}" y="15">{escape(heading)}</text>']
    for value in (low, (low + high) / 2, high):
        y = float(down(np.array(value)))
        label = f"{value:.1f}" if band is not None else f"{value:,.2f}"
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )
    for event in study.events:
        x = across[event.place]
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TITLE}" y2="{_TITLE + inner}" stroke="#888" '
            f'stroke-dasharray="3 3"><title>{study.dates[event.place]} {event.log_return:+.1%}</title></line>'
        )
    if band is not None:
        there, back = _points(across, down(band[1])), _points(across[::-1], down(band[0])[::-1])
        parts.append(f'<polygon points="{there} {back}" fill="{tint}" fill-opacity="0.18"/>')
    parts.append(
        f'<polyline points="{_points(across, down(line))}" fill="none" stroke="{tint}" stroke-width="1.4"/>'
    )
    ends = ((_LEFT, "start", study.dates[0]), (_WIDTH - _RIGHT, "end", study.dates[-1]))
    for x, anchor, date in ends:
        parts.append(f'<text x="{x}" y="{height - 4}" text-anchor="{anchor}">{date}</text>')
    label = escape(heading, quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _points(across: Float, down: Float) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))


def _summary_table(study: GateStudy) -> str:
    rows = [
        (each.gate, f"{each.mean:.3f}", f"{each.closed:.1%}", f"{each.open:.1%}") for each in study.summaries
    ]
    return _table(("gate", "mean", "below 0.1", "above 0.9"), rows)


def _event_table(study: GateStudy) -> str:
    gates = list(study.gates)
    rows = [
        (
            str(study.dates[event.place]),
            f"{event.log_return:+.1%}",
            *(f"{event.before[gate]:.3f} → {event.on[gate]:.3f} → {event.after[gate]:.3f}" for gate in gates),
        )
        for event in study.events
    ]
    return _table(("day", "move", *(f"{gate}: before → on → after" for gate in gates)), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
