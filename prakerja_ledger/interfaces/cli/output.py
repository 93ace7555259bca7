"""Where results go: tables for a terminal, plain aligned text for a pipe, progress on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

PLAIN_WIDTH: Final = 1_000_000
_PATIENCE_SECONDS: Final = 1.0

Cell = str
RIGHT: Final = "right"
LEFT: Final = "left"


def console(*, to_stderr: bool = False) -> Any:
    """A rich console: the terminal's width and colours, or plain and unwrapped in a pipe."""
    from rich.console import Console  # noqa: PLC0415  # heavy; only for people

    stream = sys.stderr if to_stderr else sys.stdout
    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False, emoji=False)
    return Console(
        file=stream,
        width=PLAIN_WIDTH,
        color_system=None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    right: Iterable[int] = (),
    styles: Callable[[Sequence[Cell]], str] | None = None,
) -> None:
    """Print an aligned table; the columns named in `right` are numbers."""
    to_the_right = set(right)
    if sys.stdout.isatty():
        _rich_table(headings, rows, to_the_right, styles)
    else:
        _plain_table(headings, rows, to_the_right)


def _rich_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    right: set[int],
    styles: Callable[[Sequence[Cell]], str] | None,
) -> None:
    from rich import box  # noqa: PLC0415  # heavy; only for people
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        if index in right:
            shown.add_column(heading, justify="right", no_wrap=True)
        else:
            shown.add_column(heading, overflow="fold")
    for row in rows:
        style = styles(row) if styles is not None else ""
        shown.add_row(*(Text(cell) for cell in row), style=style)
    console().print(shown)


def _plain_table(headings: Sequence[str], rows: Iterable[Sequence[Cell]], right: set[int]) -> None:
    from rich.cells import cell_len  # noqa: PLC0415  # widths of wide characters

    lines = [list(headings), *(list(row) for row in rows)]
    widths = [max(cell_len(line[i]) for line in lines) for i in range(len(headings))]
    for line in lines:
        cells = [
            " " * (width - cell_len(cell)) + cell
            if index in right
            else cell + " " * (width - cell_len(cell))
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def heading(text: str) -> None:
    """A heading above a table or a paragraph."""
    click.echo(click.style(text, bold=True) if _coloured() else text)


def paragraph(text: str, *, indent: int = 0) -> None:
    """Text wrapped to the terminal; unwrapped in a pipe."""
    if sys.stdout.isatty():
        import shutil  # noqa: PLC0415  # only on a terminal

        width = max(40, min(100, shutil.get_terminal_size().columns))
        text = click.wrap_text(text, width, " " * indent, " " * indent)
        click.echo(text)
    else:
        click.echo(" " * indent + text)


def _coloured() -> bool:
    import os  # noqa: PLC0415  # only for people

    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def complain(text: str) -> None:
    """One line on standard error."""
    click.echo(text, err=True)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int], None]]:
    """A counter on standard error, if that is a terminal and the work takes longer than a second."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    began = last = time.monotonic()
    drawn = False

    def tick(count: int) -> None:
        nonlocal last, drawn
        now = time.monotonic()
        if now - began < _PATIENCE_SECONDS or now - last < 0.2:
            return
        last, drawn = now, True
        rate = count / (now - began)
        click.echo(f"\r{label} {count:,} ({rate:,.0f}/s)  ", nl=False, err=True)

    try:
        yield tick
    finally:
        if drawn:
            click.echo("\r\x1b[K", nl=False, err=True)


def write_lines(lines: Iterable[str]) -> None:
    """Results, a line each, in UTF-8 whatever the locale says, many at a time."""
    out = sys.stdout.buffer
    batch: list[str] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size > 1 << 20:
            out.write(("\n".join(batch) + "\n").encode())
            batch.clear()
            size = 0
    if batch:
        out.write(("\n".join(batch) + "\n").encode())
    out.flush()
