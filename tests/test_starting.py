"""What a command loads: one participant's answer is worth no more than it needs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.interfaces.columnar.writing import write_columnar
from tests.cli_support import PROGRAM, environment, run, run_process
from tests.ledger_support import as_bytes, enrolment, purchase
from tests.test_columnar import rewritten, table_of, written

WHO = "P-1"
VIEW = ("--as-of", "2021-06-01")
_LISTED = """
import atexit, sys
def say():
    print("loaded:", *(name for name, module in sys.modules.items() if module), file=sys.stderr)
atexit.register(say)
from prakerja_ledger.interfaces.cli.entry import main
main()
"""


def loaded(*arguments: Any) -> set[str]:
    """The modules that a command has loaded when its process ends."""
    done = subprocess.run(
        [Path(PROGRAM).parent / "python", "-c", _LISTED, *map(str, arguments)],
        capture_output=True, text=True, check=False, env=environment(), timeout=60,
    )  # fmt: skip
    said, found = done.stderr.split("loaded:")
    assert (done.returncode, said) == (0, ""), said
    return set(found.split())


def lines(who: str = WHO, event: str = "e-1") -> list[bytes]:
    return [as_bytes(enrolment(who, id=event)), as_bytes(purchase(who, id=f"{event}-p"))]


@pytest.fixture
def columnar(tmp_path: Path) -> Path:
    path = tmp_path / "history.parquet"
    write_columnar(enumerate(lines(), 1), path, KARTU_PRAKERJA)
    return path


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/ledger.db"
    assert run("import", written(tmp_path / "h.jsonl", lines()), "--ledger", url).status == 0
    return url


ONE: list[tuple[str, ...]] = [
    ("statement", WHO, "--json"),
    ("statement", WHO),
    ("statement", WHO, WHO, "--json"),
    ("trace", WHO),
]


@pytest.mark.parametrize("question", ONE, ids=" ".join)
def test_one_participant_of_a_parquet_history_needs_no_numpy_and_no_pandas(
    columnar: Path, question: tuple[str, ...]
):
    """pyarrow would import both wherever they are installed."""
    command, *options = question
    modules = loaded(command, columnar, *options, *VIEW)

    assert "pyarrow" in modules
    assert not modules & {"numpy", "pandas", "duckdb", "eventsourcing", "pyspark"}


def test_what_is_left_out_is_left_out_of_nothing_else(columnar: Path):
    """Where somebody else's process runs the command, numpy stays what it is."""
    code = (
        "import sys\n"
        "from prakerja_ledger.interfaces.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import pandas, pyarrow\n"
        "print(pyarrow.array([1]).to_numpy()[0] + len(pandas.Series([1])))"
    )
    done = subprocess.run(
        [Path(PROGRAM).parent / "python", "-c", code, "statement", columnar, WHO, "--json", *VIEW],
        capture_output=True, text=True, check=False, env=environment(), timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "2", done.stderr


def test_a_history_that_has_to_be_judged_whole_needs_no_numpy_either(tmp_path: Path):
    """An identity that two participants share, and no note that says so."""
    both = [*lines("P-1", "e-1"), *lines("P-2", "e-1")]
    path = rewritten(tmp_path / "h.parquet", table_of(both, tmp_path))

    alone = run_process("statement", path, "P-2", "P-1", "--json", *VIEW)

    assert alone == run("statement", path, "P-2", "P-1", "--json", *VIEW)
    assert (alone.status, len(alone.lines)) == (2, 1)


@pytest.mark.parametrize("question", ONE, ids=" ".join)
def test_one_participant_of_a_ledger_needs_nothing_that_writes(
    ledger: str, question: tuple[str, ...]
):
    """And nothing that reads files, or answers of everybody."""
    command, *options = question
    modules = loaded(command, ledger, *options, *VIEW)

    assert "prakerja_ledger.stores.sqlite" in modules
    assert not modules & {
        "numpy", "pandas", "pyarrow", "duckdb", "pyspark", "gzip", "tempfile",
        *(f"prakerja_ledger.{name}" for name in UNNEEDED),
    }  # fmt: skip


UNNEEDED = (
    "deciding.commands",
    "interfaces.engines",
    "interfaces.spool",
    "ledger.ahead",
    "ledger.ledger",
    "reading.books",
    "reading.diff",
    "reading.findings",
)


def test_one_participant_of_a_parquet_history_needs_no_engine(columnar: Path):
    modules = loaded("statement", columnar, WHO, "--json", *VIEW)

    assert not modules & {f"prakerja_ledger.{name}" for name in UNNEEDED}


@pytest.mark.parametrize("command", ["keygen", "seal", "verify", "prove", "pack", "receipt"])
def test_seals_wait_for_no_extra_but_their_own(command: str):
    """Whoever installed `cli` and `seal` alone seals and verifies a ledger."""
    assert not loaded(command, "--help") & {"numpy", "pandas", "pyarrow", "duckdb", "pyspark"}
