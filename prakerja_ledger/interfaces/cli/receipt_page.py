"""A participant's receipt as one page: to be read, printed and kept, with nothing fetched from anywhere.

The page carries the receipt itself, which the link on it saves; what it shows is made of that.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from prakerja_ledger.evidence.note import encoded
from prakerja_ledger.interfaces.cli import explain
from prakerja_ledger.interfaces.cli.words import N_, Words
from prakerja_ledger.interfaces.receipt import Receipt
from prakerja_ledger.reading.causes import Because
from prakerja_ledger.reading.statement import StatementLine, Status
from prakerja_ledger.reading.view import View, events_in_view

_STYLE: Final = """
:root { color-scheme: light; --ink: #1b1b1b; --faint: #5a5a5a; --rule: #c9c9c9; --accent: #00497a; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 54rem; padding: 2rem 1.25rem; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h2 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p { margin: .35rem 0; } .faint { color: var(--faint); }
.sums { display: flex; flex-wrap: wrap; gap: .75rem 2.25rem; margin: 1rem 0; }
.sums div { min-width: 8rem; } .sums b { display: block; font-size: 1.3rem; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .3rem .9rem .3rem 0; text-align: left;
  vertical-align: top; border-bottom: 1px solid var(--rule); } th { font-weight: 600; }
.money { text-align: right; } td.money, td.when, td.whole { white-space: nowrap; }
.name { color: var(--faint); overflow-wrap: anywhere; } tr > :last-child { padding-right: 0; }
code { font: .85em/1.4 ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
a { color: var(--accent); }
@media (max-width: 40rem) {
  thead { display: none; } tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--rule); }
  td, td.money, td.when, td.whole { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .1rem 0;
    text-align: right; white-space: normal; }
  td::before { content: attr(data-label); color: var(--faint); text-align: left; flex: none; }
  td:first-child { font-weight: 600; } td:empty { display: none; }
}
@media print { body { padding: 0; font-size: 11pt; max-width: none; } a { color: inherit; } }
"""


def receipt_page(words: Words, receipt: Receipt, name: str) -> str:
    """The page in one language; `name` is that of the file that the receipt is saved as."""
    title = words(N_("Receipt of {participant}"), participant=receipt.statement.participant)
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="faint">{escape(_standing(words, receipt))}</p>',
        _sums(words, receipt),
        _section(words(N_("Line by line")), _lines(words, receipt)),
        *_what_comes_next(words, receipt),
        _section(words(N_("What happened")), _facts(words, receipt)),
        _section(words(N_("Where these facts stand")), _sealed(words, receipt, name)),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!DOCTYPE html>\n<html lang="{words.language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _standing(words: Words, receipt: Receipt) -> str:
    statement = receipt.statement
    return words(
        N_("Wave {wave} · {scheme} · {standing} · as of {day}{known}"),
        wave=statement.wave,
        scheme=statement.scheme,
        standing=words(explain.STANDINGS[statement.standing]),
        day=words.day(statement.view.as_of),
        known=_known(words, statement.view),
    )


def _known(words: Words, view: View) -> str:
    if view.known_at is None:
        return ""
    return words(N_(", as known at {moment} WIB"), moment=words.moment(view.known_at))


def _sums(words: Words, receipt: Receipt) -> str:
    total = receipt.statement.total
    sums = (
        (N_("owed"), "owed"),
        (N_("paid"), "paid"),
        (N_("unpaid"), "unpaid"),
        (N_("overdue"), "overdue"),
    )
    parts = (
        f"<div>{escape(words(label))}<b>{escape(words.money(total(name)))}</b></div>"
        for label, name in sums
    )
    return f'<div class="sums">{"".join(parts)}</div>'


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{content}"


def _lines(words: Words, receipt: Receipt) -> str:
    amounts = (N_("amount"), N_("owed"), N_("paid"), N_("unpaid"))
    heads = (N_("line"), *amounts, N_("due on"), N_("status"))
    rows = [_line(words, receipt, line) for line in receipt.statement.lines]
    return _table(
        [words(head) for head in heads], rows, classes=("whole", *["money"] * 4, "when", "")
    )


def _line(words: Words, receipt: Receipt, line: StatementLine) -> list[str]:
    said = words(explain.STATUSES[line.status])
    if line.causes and line.status in _ENDED:
        scheme = receipt.programme.scheme(receipt.statement.scheme)
        said = f"{said}: {explain.why(words, line.causes[0], line, scheme)}"
    amounts = (line.amount, line.owed, line.paid, line.unpaid)
    due = words.day(line.due_on) if line.due_on else ""
    return [line.line, *map(words.money, amounts), due, said]


def _what_comes_next(words: Words, receipt: Receipt) -> Iterator[str]:
    """Of the money that has not come: why, by when, who must act and how; lines of one cause together."""
    by_cause: dict[Because, list[StatementLine]] = {}
    for line in receipt.statement.lines:
        if line.causes and line.status not in _ENDED:
            by_cause.setdefault(line.causes[0], []).append(line)
    scheme = receipt.programme.scheme(receipt.statement.scheme)
    rows = [
        [
            words.listed(line.line for line in lines),
            explain.why(words, because, lines[0], scheme),
            explain.owner(words, because.owner),
            explain.next_step(words, because),
        ]
        for because, lines in by_cause.items()
    ]
    heads = (N_("line"), N_("why"), N_("who must act"), N_("next step"))
    if rows:
        table = _table([words(head) for head in heads], rows, classes=("", "", "", ""))
        yield _section(words(N_("What comes next")), table)


_ENDED: Final = (Status.PAID, Status.FORFEITED)


def _facts(words: Words, receipt: Receipt) -> str:
    rows = [
        [
            words.moment(event.occurred_at),
            explain.what_happened(words, event, receipt.participant),
            explain.event_name(event),
        ]
        for event in events_in_view(receipt.participant, receipt.view)
    ]
    heads = (N_("happened (WIB)"), N_("fact"), N_("event"))
    return _table([words(head) for head in heads], rows, classes=("when", "", "name"))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, classes: Sequence[str]) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f'<{tag} class="{name}" data-label="{escape(head)}">{escape(cell)}</{tag}>'
            for name, head, cell in zip(classes, heads, row, strict=True)
        )

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table>\n<thead><tr>{cells('th', heads)}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _sealed(words: Words, receipt: Receipt, name: str) -> str:
    checkpoint = receipt.checkpoint
    said = words(
        N_(
            "They are {count} of the {events} events that {log} signed for, and this page proves it without "
            "showing any other. It does not prove that they are all: if something that happened is missing "
            "here, say so."
        ),
        count=words.number(len(receipt.participant.events)),
        events=words.number(checkpoint.size),
        log=checkpoint.origin,
    )
    link = (
        f'<a download="{escape(name)}" '
        f'href="data:application/json;base64,{b64encode(receipt.data).decode()}">'
        f"{escape(words(N_('Save the receipt')))}</a>"
    )
    check = words(
        N_(
            "To check it on any computer, with the verifier key that the programme office publishes: "
            "prakerja-ledger verify {name} --verifier KEY"
        ),
        name=name,
    )
    root = words(N_("Root: {root}"), root=encoded(checkpoint.root))
    return (
        f"<p>{escape(said)}</p>\n<p><code>{escape(root)}</code></p>\n"
        f"<p>{link}</p>\n<p>{escape(check)}</p>"
    )
