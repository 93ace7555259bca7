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
    prose: Iterable[int] | None = None,
    styles: Callable[[Sequence[Cell]], str] | None = None,
) -> None:
    """Print an aligned table.

    Columns in `right` are numbers; those in `prose` may wrap (default: the last). Where a terminal
    is too narrow for the rest, each row becomes a block of its own: nothing is cut off.
    """
    given = [list(row) for row in rows]
    widths = [
        max(_width(line[index]) for line in (headings, *given)) for index in range(len(headings))
    ]
    if not sys.stdout.isatty():
        _plain_table(headings, given, set(right), widths)
        return
    wrapping = {len(headings) - 1} if prose is None else set(prose)
    fixed = sum(w for index, w in enumerate(widths) if index not in wrapping) + 2 * len(widths)
    needed = fixed + sum(min(widths[index], _NARROWEST_PROSE) for index in wrapping)
    if needed > _terminal_width():
        _blocks(headings, given)
    else:
        _rich_table(headings, given, set(right), wrapping, styles)


_NARROWEST_PROSE: Final = 18
"""Columns of a prose cell below which wrapping makes it unreadable."""


def _width(text: str) -> int:
    """Columns that a text takes; wide characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  # heavy; only for people

    return cell_len(text)


def _terminal_width() -> int:
    import shutil  # noqa: PLC0415  # only on a terminal

    return shutil.get_terminal_size().columns


def _rich_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    right: set[int],
    wrapping: set[int],
    styles: Callable[[Sequence[Cell]], str] | None,
) -> None:
    from rich import box  # noqa: PLC0415  # heavy; only for people
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold" if _coloured() else "",
    )
    for index, text in enumerate(headings):
        shown.add_column(
            text,
            justify="right" if index in right else "left",
            no_wrap=index not in wrapping,
            overflow="fold",
        )
    for row in rows:
        shown.add_row(
            *(Text(cell) for cell in row), style=styles(row) if styles and _coloured() else ""
        )
    console().print(shown)


def _blocks(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """A row as a block: its first cell, then what else it says in running text."""
    for row in rows:
        click.echo(f"{headings[0]} {row[0]}" if row[0].isdigit() else row[0])
        said = [f"{text}: {cell}" for text, cell in zip(headings[1:], row[1:], strict=True) if cell]
        paragraph(" · ".join(said), indent=2)


def _plain_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    right: set[int],
    widths: Sequence[int],
) -> None:
    for line in (headings, *rows):
        cells = [
            " " * (width - _width(cell)) + cell
            if index in right
            else cell + " " * (width - _width(cell))
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def heading(text: str) -> None:
    """A heading above a table or a paragraph."""
    click.echo(click.style(text, bold=True) if _coloured() else text)


def paragraph(text: str, *, indent: int = 0) -> None:
    """Text wrapped to the terminal; unwrapped in a pipe."""
    if sys.stdout.isatty():
        text = click.wrap_text(text, min(100, _terminal_width()), " " * indent, " " * (indent + 2))
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


def write_bytes(lines: Iterable[bytes]) -> None:
    """Results that are bytes already, a line each."""
    out = sys.stdout.buffer
    for line in lines:
        out.write(line)
        out.write(b"\n")
    out.flush()


class Skipping:
    """Standard output of which another writer has written the beginning: what is written again is left out."""

    def __init__(self, written: int) -> None:
        self._skip = written

    def write(self, data: bytes) -> None:
        """Write what lies beyond the beginning."""
        sys.stdout.buffer.write(data[self._skip :] if self._skip else data)
        self._skip = max(0, self._skip - len(data))

    def flush(self) -> None:
        """Hand everything on."""
        sys.stdout.buffer.flush()


def write_lines(lines: Iterable[str], *, written: int = 0) -> None:
    """Results, a line each, in UTF-8 whatever the locale says, many at a time.

    `written`: so many bytes of the very same lines have been written before.
    """
    out = Skipping(written)
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
