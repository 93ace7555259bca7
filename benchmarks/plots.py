"""The plots of docs/performance.md, drawn from the parts' results: SVG, logarithmic, colours for all eyes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt  # noqa: E402  # the backend is chosen first
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from benchmarks.parts import LIMIT, OURS, RIVAL, Cost, from_json

COLOURS = {OURS: "#0072B2", RIVAL: "#D55E00", LIMIT: "#5A5A5A"}
"""Of Okabe and Ito's palette, which is told apart with any colour vision; marks differ too."""
MARKS = {OURS: "o", RIVAL: "s", LIMIT: "D"}
WHOSE = {OURS: "prakerja-ledger", RIVAL: "what a user might pick instead", LIMIT: "the floor, and the bytes"}
STYLE = {
    "svg.hashsalt": "prakerja-ledger",  # the same figures give the same bytes
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#D9D9D9",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
}
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", "-.", ":")
PLOTS = {
    "cost": "Microseconds an event: every way, at the most events that it was given",
    "slopes": "Microseconds an event from 10⁵ to 10⁷ events",
    "memory": "Peak memory from 10⁵ to 10⁷ events",
}
"""Each plot's file, and what it shows in words."""
ONE = "one participant"


def draw(results: Mapping[str, Mapping[str, Any]], folder: Path) -> list[str]:
    """Draw what the results allow; gives the names of the plots drawn."""
    costs = _whole_histories(results)
    if not costs:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        _save(_cost(_at_most_events(costs)), folder / "cost.svg")
        several = _at_several_sizes(costs)
        if several:
            _save(_slopes(several), folder / "slopes.svg")
            _save(_memory(several), folder / "memory.svg")
    return list(PLOTS) if several else ["cost"]


def _whole_histories(results: Mapping[str, Mapping[str, Any]]) -> list[Cost]:
    """What was asked of all the events; one participant's share of them is no cost an event."""
    costs = [cost for found in results.values() for cost in from_json(found.get("costs", ()))]
    return [cost for cost in costs if not cost.name.startswith(ONE)]


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def _at_most_events(costs: Iterable[Cost]) -> list[Cost]:
    """Each name once: at its most events, the dearest first."""
    best: dict[str, Cost] = {}
    for cost in costs:
        if cost.name not in best or cost.events > best[cost.name].events:
            best[cost.name] = cost
    return sorted(best.values(), key=lambda cost: -cost.micros)


def _at_several_sizes(costs: Iterable[Cost]) -> dict[str, list[Cost]]:
    """The names that were measured at more than one size, with their costs from small to large."""
    by_name: dict[str, dict[int, Cost]] = {}
    for cost in costs:
        by_name.setdefault(cost.name, {})[cost.events] = cost
    return {
        name: [found[events] for events in sorted(found)]
        for name, found in by_name.items()
        if len(found) > 1
    }


def _cost(costs: Sequence[Cost]) -> Any:
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.24 * len(costs)))
    for place, cost in enumerate(costs):
        low, high = (1e6 * seconds / cost.events for seconds in (min(cost.seconds), max(cost.seconds)))
        colour = COLOURS[cost.whose]
        axes.plot([low, high], [place, place], color=colour, linewidth=3, alpha=0.35, solid_capstyle="round")
        axes.plot(cost.micros, place, MARKS[cost.whose], color=colour, markersize=6)
        axes.annotate(
            _number(cost.micros), (high, place), (7, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(range(len(costs)), [f"{one.name} ({_events(one.events)})" for one in costs])
    axes.set_ylim(-0.8, len(costs) - 0.2)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(_PLAIN)
    axes.set_xlabel("µs an event, median of the runs (bar: lowest to highest); events measured in brackets")
    axes.grid(visible=False, axis="y")
    handles = [
        Line2D([], [], color=COLOURS[one], marker=MARKS[one], linestyle="", label=WHOSE[one]) for one in WHOSE
    ]
    axes.legend(handles=handles, loc="upper right")
    return figure


def _slopes(costs: Mapping[str, Sequence[Cost]]) -> Any:
    return _by_events(costs, lambda cost: cost.micros, "µs an event, start-up included")


def _memory(costs: Mapping[str, Sequence[Cost]]) -> Any:
    return _by_events(costs, lambda cost: cost.peak or float("nan"), "peak memory of the process, MiB")


def _by_events(
    costs: Mapping[str, Sequence[Cost]], value: Callable[[Cost], float], label: str
) -> Any:
    """A panel for each kind of way, with one scale, so that heights compare across."""
    kinds: dict[str, list[Sequence[Cost]]] = {}
    for found in costs.values():
        kinds.setdefault(_kind(found[0]), []).append(found)
    figure, panels = plt.subplots(1, len(kinds), figsize=(4.2 * len(kinds), 6.6), sharex=True, sharey=True, squeeze=False)
    for axes, (kind, lines) in zip(panels[0], kinds.items(), strict=True):
        axes.set_title(kind, fontsize=9)
        _lines(axes, lines, value)
    panels[0][0].set_ylabel(label)
    figure.subplots_adjust(bottom=0.4, wspace=0.08)  # room for what the lines are, below
    return figure


def _kind(cost: Cost) -> str:
    if cost.whose != OURS:
        return "what a user might pick instead"
    return "prakerja-ledger, the law in SQL" if "SQL (" in cost.name else "prakerja-ledger, the law in Python"


def _lines(axes: Axes, lines: Sequence[Sequence[Cost]], value: Callable[[Cost], float]) -> None:
    for place, found in enumerate(lines):
        axes.plot(
            [cost.events for cost in found],
            [value(cost) for cost in found],
            color=LINES[place % len(LINES)],
            linestyle=DASHES[place // len(LINES) % len(DASHES)],
            marker="os^vDPX"[place % 7],
            markersize=4,
            linewidth=1.4,
            label=found[0].name.partition(", the law")[0],
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(_PLAIN)
    axes.set_xlabel("events in the history")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), fontsize=8, ncols=1)


_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
"""Ten rather than ten to the first."""


def _number(micros: float) -> str:
    return f"{micros:,.0f}" if micros >= 100 else f"{micros:.3g}"


def _events(events: int) -> str:
    return f"{events / 1e6:.1f} M" if events >= 1e6 else f"{events / 1e3:.0f} k"


def section(results: Mapping[str, Mapping[str, Any]], folder: Path) -> str:
    """The section that shows the plots, and by how much the cost of an event grows."""
    drawn = draw(results, folder)
    if not drawn:
        return ""
    text = "## At a glance\n\n"
    for name in drawn:
        text += f"![{PLOTS[name]}]({folder.name}/{name}.svg)\n\n"
    costs = _whole_histories(results)
    text += "How the cost of an event grows with their number, start-up included; and without it, by the quickest runs, what each further event costs:\n\n"
    return text + growth_table(_at_several_sizes(costs))


def growth_table(costs: Mapping[str, Sequence[Cost]]) -> str:
    """Microseconds an event at each size; then what each further event costs, where start-up is no part of."""
    sizes = sorted({round_events(cost.events) for found in costs.values() for cost in found})
    steps = list(zip(sizes, sizes[1:], strict=False))
    heads = [f"µs at {size:,}" for size in sizes] + [f"a further one, up to {size:,}" for _, size in steps]
    text = [f"| what | {' | '.join(heads)} | last ÷ first |", f"| --- |{' --: |' * (len(heads) + 1)}"]
    for name, found in costs.items():
        by_size = {round_events(cost.events): cost for cost in found}
        cells = [f"{by_size[size].micros:.3g}" if size in by_size else "–" for size in sizes]
        cells += [
            f"{_further(by_size[low], by_size[high]):.3g}" if {low, high} <= by_size.keys() else "–"
            for low, high in steps
        ]
        text.append(f"| {name} | {' | '.join(cells)} | {found[-1].micros / found[0].micros:.2f} |")
    return "\n".join([*text, "", ""])


def _further(small: Cost, large: Cost) -> float:
    """µs of an event more, by the quickest runs: a difference of two medians is mostly the machine's mood."""
    return (min(large.seconds) - min(small.seconds)) / (large.events - small.events) * 1e6


def round_events(events: int) -> int:
    """One significant digit, as the axes have it."""
    return int(float(f"{events:.0e}"))
