"""The commands on PostgreSQL: the same bytes as on the file and on SQLite, whatever the shards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from prakerja_ledger.stores import postgres_schema
from tests import worlds
from tests.cli_support import Answer, needs_cases, run, run_shell
from tests.ledger_support import as_bytes, enrolment
from tests.postgres_support import (
    logged_in,
    made,
    made_with_roles,
    shared_database,  # noqa: F401  # a fixture
)
from tests.test_commands import (
    DOCUMENTED,
    EXTRA,
    MACHINE,
    MIXED,
    NAUGHTY,
    PEOPLE,
    naughty_lines,
    written,
)

SEEDS = range(225, 235)
SHARED = ["documented", "mixed"]
VIEWS = {"documented": ("2020-07-02", None), "mixed": ("2021-04-15", "2020-12-31"),
         "hostile": ("2021-07-02", None)}  # fmt: skip


class Books:
    """One history: as a file, and recorded by the import command into each store."""

    def __init__(self, name: str, folder: Path, database: str) -> None:
        self.name = name
        self.file = history(name, folder)
        self.views = [VIEWS[name]] if name in VIEWS else worlds.views(int(name), self.lines)
        self.urls = {
            "sqlite": f"sqlite:///{folder}/ledger.db",
            "postgresql": made(database),
            "3 shards": made(database, shards=3),
        }
        self.imported = {
            store: run("import", self.file, "--ledger", url, "--quarantine", folder / store)
            for store, url in self.urls.items()
        }
        self.quarantined = {
            store: (folder / store).read_bytes() if (folder / store).exists() else b""
            for store in self.urls
        }

    @property
    def lines(self) -> list[bytes]:
        return self.file.read_bytes().splitlines()

    def view(self, index: int = -1) -> list[str]:
        as_of, known_at = self.views[index % len(self.views)]
        return ["--as-of", as_of, *(["--known-at", known_at] if known_at else [])]

    def answers(self, command: str, *options: str) -> dict[str, tuple[bytes, str, int]]:
        """What each store answers, with its own name taken out."""
        return {
            store: anonymous(run(command, url, *options), url) for store, url in self.urls.items()
        }


def history(name: str, folder: Path) -> Path:
    """The shared cases and hostile strings that other tests of the commands use, or a random world."""
    if name in SHARED:
        return DOCUMENTED if name == "documented" else MIXED
    if name == "hostile":
        chosen = [text for n, text in enumerate(NAUGHTY) if text in EXTRA or n % 10 == 0]
        lines = [line for text in chosen for line in naughty_lines(text)]
    else:
        lines = worlds.history(int(name), participants=6, events=220)
    return written(folder / "history.jsonl", lines)


def anonymous(answer: Answer, url: str) -> tuple[bytes, str, int]:
    return answer.out.replace(url.encode(), b"IT"), answer.err.replace(url, "IT"), answer.status


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.xdist_group(f"books-{name}")])
        for name in (*SHARED, "hostile", *map(str, SEEDS))
    ],
)
def books(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_database: str
) -> Books:
    if request.param in SHARED and not DOCUMENTED.is_file():
        pytest.skip(f"{DOCUMENTED.parent} is missing: nothing was compared with the shared cases")
    return Books(request.param, tmp_path_factory.mktemp("books"), shared_database)


def assert_all_alike(answers: dict[str, tuple[bytes, str, int]]) -> None:
    assert answers["postgresql"] == answers["sqlite"]
    assert answers["3 shards"] == answers["sqlite"]


@pytest.mark.parametrize("command", [*MACHINE, *PEOPLE], ids=" ".join)
def test_every_store_answers_alike_and_as_the_file_does(books: Books, command: tuple[str, ...]):
    view = books.view([*MACHINE, *PEOPLE].index(command))
    answers = books.answers(*command, *view)

    assert_all_alike(answers)
    assert answers["sqlite"][0] == run(command[0], books.file, *command[1:], *view).out


def test_every_store_tells_what_moved_alike(books: Books):
    (first, _), (second, _) = books.views[0], books.views[-1]
    options = ["--from", min(first, second, "2020-06-01"), "--to", max(first, second)]
    for more in (["--json"], []):
        assert_all_alike(books.answers("diff", *options, *more))


def test_every_store_traces_alike(books: Books):
    statements = run("statement", books.urls["sqlite"], "--json", *books.view()).lines
    for participant in [json.loads(line)["participant"] for line in statements][:6]:
        assert_all_alike(books.answers("trace", *books.view(), "--", participant))


def test_every_store_audits_alike(books: Books):
    assert_all_alike(books.answers("audit", *books.view()))


def test_every_store_exports_the_bytes_that_came(books: Books):
    answers = books.answers("export")

    assert_all_alike(answers)
    assert answers["sqlite"][0] == run("export", books.file).out


def test_every_store_imports_alike(books: Books):
    """The same counts, the same lines quarantined, the same exit status."""
    told = {
        store: anonymous(answer, books.urls[store]) for store, answer in books.imported.items()
    }
    for store in ("postgresql", "3 shards"):
        assert books.quarantined[store] == books.quarantined["sqlite"]
        out, err, status = told[store]
        theirs = [one.replace(str(books.file.parent / store), "KEPT") for one in (out.decode(), err)]
        out, err, expected = told["sqlite"]
        ours = [one.replace(str(books.file.parent / "sqlite"), "KEPT") for one in (out.decode(), err)]
        assert [*map(without_places, theirs), status] == [*map(without_places, ours), expected]


def without_places(text: str) -> str:
    """Quarantine files are named after the store; the rest of what is said is the same."""
    return "\n".join(line for line in text.splitlines() if "/books" not in line)


def test_an_export_of_postgresql_imported_again_is_an_equal_ledger(books: Books, tmp_path: Path):
    exported = written(tmp_path / "exported.jsonl", [])
    for store in ("postgresql", "3 shards"):
        exported.write_bytes(run("export", books.urls[store]).out)
        fresh = f"sqlite:///{tmp_path}/{store.split()[0]}.db"
        answer = run("import", exported, "--ledger", fresh)
        assert answer.status == 0, "a line was quarantined"
        assert run("export", fresh).out == exported.read_bytes()


# --- what is PostgreSQL's own ---------------------------------------------------------------------------


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return written(tmp_path / "clean.jsonl", [as_bytes(enrolment(f"P-{n}")) for n in range(3)])


@pytest.mark.parametrize("shards", [1, 3])
def test_an_import_run_again_records_nothing_twice(shared_database: str, clean: Path, shards: int):
    url = made(shared_database, shards=shards)
    first, second = (run("import", clean, "--ledger", url) for _ in range(2))

    assert (first.status, second.status) == (0, 0)
    assert first.out != second.out
    assert len(run("export", url).lines) == 3


@pytest.mark.parametrize(
    "command",
    [("import", "FILE", "--ledger", "URL"), ("statement", "URL"), ("export", "URL"), ("audit", "URL")],
    ids=lambda command: command[0],
)
def test_a_database_without_a_ledger_ends_with_2_and_says_how_to_make_one(
    database_url: str, clean: Path, command: tuple[str, ...]
):
    answer = run(*({"FILE": clean, "URL": database_url}.get(word, word) for word in command))

    assert (answer.status, answer.out) == (2, b"")
    assert "schema --apply" in answer.err
    assert "Traceback" not in answer.err
    assert postgres_schema.apply(database_url), "nothing was made"


@pytest.fixture
def roles(shared_database: str, clean: Path) -> Iterator[str]:
    url = made_with_roles(shared_database)
    assert run("import", clean, "--ledger", logged_in(url, "caller")).status == 0
    return url


@pytest.mark.parametrize("role", ["reader", "writer", "caller"])
@pytest.mark.parametrize("command", ["statement", "export", "findings", "audit", "unpaid"])
def test_every_role_reads_the_same(roles: str, role: str, command: str):
    as_owner, as_role = run(command, roles), run(command, logged_in(roles, role))

    assert (as_role.status, as_role.err) == (0, "")
    assert as_role.lines[1:] == as_owner.lines[1:]


def test_an_import_by_a_reader_ends_with_1_and_says_what_it_lacks(roles: str, clean: Path):
    answer = run("import", clean, "--ledger", logged_in(roles, "reader"))

    assert (answer.status, answer.out) == (1, b"")
    assert "may read and not write" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("url", ["postgresql://u:s3cr3t@127.0.0.1:1/x", "postgresql+psycopg://u:s3cr3t@h/x"])
@pytest.mark.parametrize("command", ["statement", "export", "import"])
def test_no_command_shows_a_password(clean: Path, url: str, command: str):
    words = [clean, "--ledger", url] if command == "import" else [url]
    answer = run(command, *words)

    assert answer.status == 2
    assert "s3cr3t" not in answer.err


@pytest.mark.parametrize(
    "command",
    ["statement URL", "statement URL NOBODY", "audit URL", "findings URL", "unpaid URL", "trace URL P-1",
     "totals URL --by wave", "diff URL --from 2020-06-01 --to 2020-07-01", "export URL",
     "import FILE --ledger URL", "import FILE URL --ledger URL", "check URL", "doctor URL",
     "schema --sql URL", "schema --apply URL", "statement URL --as-of x", "import FILE --ledger"],
)  # fmt: skip
def test_no_command_shows_the_password_that_it_was_given(
    shared_database: str, clean: Path, command: str
):
    """Nor where it succeeds."""
    url = made(shared_database)
    run("import", clean, "--ledger", url)
    with_password = url.replace("postgres@", "postgres:s3cr3t@")
    words = {"URL": with_password, "FILE": clean}
    answer = run(*(words.get(word, word) for word in command.split()))

    assert b"s3cr3t" not in answer.out
    assert "s3cr3t" not in answer.err


@needs_cases
def test_an_export_whose_reader_has_enough_ends_quietly(shared_database: str, tmp_path: Path):
    lines = [as_bytes(enrolment(f"P-{n}")) for n in range(3_000)]
    url = made(shared_database)
    assert run("import", written(tmp_path / "h.jsonl", lines), "--ledger", url).status == 0
    answer = run_shell(f"set -o pipefail; $P export '{url}' | head -c 10", tmp_path)

    assert (answer.err, answer.status) == ("", 0)
