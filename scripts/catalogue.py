"""The catalogues of messages: `python scripts/catalogue.py extract | compile | check`.

A message id is the English sentence itself, wherever the code defines one: `N_("…")`, the
`template` of an error, and the template of a refusal (`Refusal(template=…)`, `illegal("…")`, `refused(code, "…")`,
`unknown(…)` by its table, `NotJson("…")`, `_not_cloudevent("…")`), and of a text that one of them quotes
(`Phrase("…")`). They are found by reading the source, not by running it, and a template that cannot be
found out is an error here rather than a sentence that nobody translates. So is a text that an error
quotes and that is no phrase.

The files hold nothing that changes from run to run: no dates, no tool versions, no line numbers.
"""

from __future__ import annotations

import argparse
import ast
import string
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "prakerja_ledger"
LOCALES: Final = PACKAGE / "interfaces" / "locale"
DOMAIN: Final = "prakerja_ledger"
LANGUAGES: Final[Mapping[str, str]] = {"id": "nplurals=1; plural=0;"}
"""Those with a catalogue, and their plural forms. English is the language of the message ids."""

POT: Final = LOCALES / f"{DOMAIN}.pot"

CALLS: Final[Mapping[str, str | int]] = {
    "N_": 0,
    "Refusal": "template",
    "illegal": 0,
    "refused": 1,
    "NotJson": 0,
    "_not_cloudevent": 0,
    "Phrase": 0,
}
"""A call that holds a message id, and where in it: the place or the name of the argument."""

QUOTED: Final[Mapping[str, frozenset[str]]] = {
    "problem": frozenset(),
    "expected": frozenset(),
    "found": frozenset(),
    "advice": frozenset(),
    "kind": frozenset({"InvalidEvidence"}),
}
"""Names of what an error quotes, and of whom (of all, where none is named): texts of ours are phrases."""
SHOWN: Final = frozenset(
    {"UsageError", "fail", "BadRows", "BadOrder", "Damaged", "NoHistory", "NotForBulk"}
)
"""Calls whose first argument a person is shown."""


class NotAMessage(Exception):
    """A message id is computed, so that no catalogue can hold it."""


# Finding the messages


def messages() -> dict[str, list[str]]:
    """Every message id, in the order of the files, with the files that hold it."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for message in messages_of(path.read_text(encoding="utf-8"), name):
            files = found.setdefault(message, [])
            if name not in files:
                files.append(name)
    return found


def messages_of(source: str, file: str) -> Iterator[str]:
    """The message ids of one module, in its order. Raises NotAMessage for one that is computed."""
    tree = ast.parse(source)
    constants = dict(_constants(tree))
    for node in sorted(ast.walk(tree), key=_place):
        for quoted in filter(_is_plain, _quoted(node)):
            raise NotAMessage(
                f"{file}:{quoted.lineno}: {ast.unparse(quoted)} would be English amid another language. "
                "Make it a Phrase; what comes from elsewhere is a field of one."
            )
        given = _given(node)
        if given is None or _is_passed_on(given):
            continue
        texts = list(_texts(given, constants))
        if not texts:
            raise NotAMessage(
                f"{file}:{given.lineno}: {ast.unparse(given)} is no literal message. Write the "
                "sentence itself, with named fields, or a constant of this module that holds it."
            )
        yield from texts


def _place(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Names that a module gives a value once, at its top."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _given(node: ast.AST) -> ast.expr | None:
    """What stands where a message id belongs, or None where none does."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            return _argument(node, CALLS[name])
        case ast.ClassDef():
            for _, value in (pair for pair in _class_attributes(node) if pair[0] == "template"):
                return value
    return None


def _quoted(node: ast.AST) -> Iterator[ast.expr]:
    """What an error quotes, or a person is shown."""
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    name = called.rpartition(".")[2]
    if name in SHOWN and called != "pytest.fail":
        yield from node.args[:1]
    for one in node.keywords:
        whose = QUOTED.get(one.arg or "")
        if whose is not None and (not whose or name in whose):
            yield one.value


def _is_plain(quoted: ast.expr) -> bool:
    """Whether a text is written out, or put together, where a phrase belongs."""
    match quoted:
        case ast.Constant(value=str(text)):
            return bool(text)
        case ast.BinOp(left=one, right=other) | ast.IfExp(body=one, orelse=other):
            return _is_plain(one) or _is_plain(other)
    return isinstance(quoted, ast.JoinedStr)


def _argument(call: ast.Call, where: str | int) -> ast.expr | None:
    if isinstance(where, int):
        return call.args[where] if where < len(call.args) else None
    return next((one.value for one in call.keywords if one.arg == where), None)


def _class_attributes(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    return _constants(ast.Module(body=node.body, type_ignores=[]))


def _is_passed_on(given: ast.expr) -> bool:
    """Whether it only hands on a template that was taken from another place, and is found there."""
    match given:
        case ast.Name(id="template") | ast.Attribute(attr="template"):
            return True
    return False


def _texts(given: ast.expr, constants: Mapping[str, ast.expr]) -> Iterator[str]:
    """The texts that an expression may be: a literal, a choice, a constant, or one of a table."""
    match given:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one, constants)
            yield from _texts(other, constants)
        case ast.Name(id=name) if name in constants:
            yield from _texts(constants[name], constants)
        case ast.Subscript(value=ast.Name(id=name)) if isinstance(constants.get(name), ast.Dict):
            table = constants[name]
            assert isinstance(table, ast.Dict), "the guard says so"
            for value in table.values:
                yield from _texts(value, constants)


# The files


class Plain(Catalog):
    """A catalogue whose header says what readers need and nothing that differs between runs."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The header, in its order."""
        headers = [("Project-Id-Version", "prakerja-ledger")]
        if self.locale is not None:
            headers += [
                ("Language", str(self.locale)),
                ("Plural-Forms", LANGUAGES[str(self.locale)]),
            ]
        return [
            *headers,
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit\n"),
        ]


HEADER: Final = """\
# {what} of prakerja-ledger.
# Written by scripts/catalogue.py; {how}"""


def template_of(found: Mapping[str, list[str]]) -> Catalog:
    """The message ids as a catalogue without translations."""
    made = Plain(
        fuzzy=False,
        header_comment=HEADER.format(what="The messages", how="do not edit it."),
    )
    for message, files in found.items():
        made.add(message, locations=[(file, None) for file in files])  # type: ignore[misc]
    return made


def po_path(language: str) -> Path:
    """Where the translations of a language are."""
    return LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read_translations(language: str) -> Catalog:
    """The translations of a language as the file has them; empty where there is no file yet."""
    made = Plain(
        locale=language,
        fuzzy=False,
        header_comment=HEADER.format(
            what="The messages", how="only msgstr lines, comments and fuzzy flags are yours."
        ),
    )
    path = po_path(language)
    if path.exists():
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if message.id:
                    made[message.id] = message
    return made


def updated(old: Catalog, template: Catalog) -> Catalog:
    """The translations for the messages there are now.

    A message that resembles one that is gone gets that one's translation, marked fuzzy: `check`
    fails until someone has read it. Translations that no message needs are dropped; git has them.
    """
    old.update(template, update_creation_date=False)
    old.obsolete.clear()
    return old


def as_po(catalogue: Catalog) -> bytes:
    """A catalogue as the text of a .po or .pot file: a line a text, files without line numbers."""
    out = BytesIO()
    write_po(out, catalogue, width=0, include_lineno=False, include_previous=True)
    return out.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """A catalogue as gettext reads it at run time."""
    out = BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


# Commands


def extract() -> int:
    """Write the .pot, and bring every .po up to the messages of the code."""
    template = template_of(messages())
    LOCALES.mkdir(parents=True, exist_ok=True)
    POT.write_bytes(as_po(template))
    print(f"{_shown(POT)}: {len(template)} messages")
    for language in LANGUAGES:
        catalogue = updated(read_translations(language), template)
        path = po_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_po(catalogue))
        todo = [message for message in _messages(catalogue) if message.fuzzy or not message.string]
        print(f"{_shown(path)}: {len(catalogue)} messages, {len(todo)} to translate")
        for message in todo:
            print(f"  {'fuzzy' if message.fuzzy else 'empty'}: {message.id}")
    return 0


def compile_() -> int:
    """Write the .mo of every language from its .po."""
    for language in LANGUAGES:
        path = po_path(language).with_suffix(".mo")
        path.write_bytes(as_mo(read_translations(language)))
        print(f"{_shown(path)}: written")
    return 0


def check() -> int:
    """Say everything that is wrong with the files; 1 where something is."""
    found = messages().keys()
    problems = list(differences(found, _ids(_read_template()), _shown(POT)))
    for language in LANGUAGES:
        problems += problems_of(language, found)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{len(found)} messages, complete in {', '.join(LANGUAGES)}")
    return 1 if problems else 0


def problems_of(language: str, found: Iterable[str]) -> Iterator[str]:
    """What is wrong with the files of one language."""
    path = po_path(language)
    if not path.exists():
        yield f"{_shown(path)} is missing. Run: scripts/catalogue.py extract"
        return
    catalogue = read_translations(language)
    yield from differences(found, _ids(catalogue), _shown(path))
    for message in _messages(catalogue):
        for problem in wrong_with(message):
            yield f"{_shown(path)}: {problem}: {message.id!r}"
    compiled = path.with_suffix(".mo")
    if not compiled.exists() or compiled.read_bytes() != as_mo(catalogue):
        yield f"{_shown(compiled)} is not what the .po compiles to. Run: scripts/catalogue.py compile"


def differences(found: Iterable[str], held: Iterable[str], file: str) -> Iterator[str]:
    """Messages that the code has and a file lacks, and the other way round."""
    in_code, in_file = set(found), set(held)
    for message in sorted(in_code - in_file):
        yield f"{file}: a message is missing; run scripts/catalogue.py extract: {message!r}"
    for message in sorted(in_file - in_code):
        yield f"{file}: no code says this; run scripts/catalogue.py extract: {message!r}"


def wrong_with(message: Message) -> Iterator[str]:
    """What is wrong with one translation."""
    if not message.string:
        yield "the translation is empty"
        return
    if message.fuzzy:
        yield "the translation is fuzzy"
    assert isinstance(message.id, str), "no message has a plural form"
    assert isinstance(message.string, str), "no message has a plural form"
    try:
        expected, given = fields_of(message.id), fields_of(message.string)
    except ValueError as error:
        yield f"the translation does not format ({error})"
        return
    if expected != given:
        yield f"the translation names {_listed(given)}, the message {_listed(expected)}"


def fields_of(text: str) -> set[str]:
    """The fields of a message, with conversions and formats: `{name}`, `{name:,}`.

    Raises ValueError where braces do not match or a field has no plain name.
    """
    found = set()
    for _, name, format_, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier():
            raise ValueError(f"{name!r} is not the name of a field")
        found.add(
            name + (f"!{conversion}" if conversion else "") + (f":{format_}" if format_ else "")
        )
    return found


def _listed(fields: set[str]) -> str:
    return ", ".join(sorted(fields)) or "no field"


def _read_template() -> Catalog:
    if not POT.exists():
        return Catalog()
    with POT.open("rb") as file:
        return read_po(file)


def _messages(catalogue: Catalog) -> Iterator[Message]:
    return (message for message in catalogue if message.id)


def _ids(catalogue: Catalog) -> Iterator[str]:
    return (str(message.id) for message in _messages(catalogue))


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()


COMMANDS: Final[Mapping[str, Callable[[], int]]] = {
    "extract": extract,
    "compile": compile_,
    "check": check,
}


def main() -> int:
    """Run the command that is named."""
    parser = argparse.ArgumentParser(description="The catalogues of messages.")
    parser.add_argument("command", choices=COMMANDS)
    try:
        return COMMANDS[parser.parse_args().command]()
    except NotAMessage as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
