"""The documentation runs: pages build, snippets are executed, outputs are compared, links resolve.

`python -m tests.test_docs` pastes the outputs of the console blocks into the pages anew; look at
the difference before you keep it.
"""

from __future__ import annotations

import inspect
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

import prakerja_ledger
from prakerja_ledger import AsyncLedger, Ledger, Projection, facts
from prakerja_ledger.deciding.commands import FACT_OF

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TOLD = [ROOT / "README.md", *sorted((DOCS / "howto").glob("*.md"))]
"""Pages whose snippets run."""
PAGES = sorted([*ROOT.glob("*.md"), *(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)])
LAW = DOCS / "law.md"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def slug(heading: str) -> str:
    """The anchor that GitHub and MyST give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


# --- the pages build ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The pages as HTML. Two workers need not build them twice: its tests are one group."""
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", folder / "doctrees", DOCS, folder / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.xdist_group("docs-html")
def test_the_pages_build_without_a_warning(built):
    assert (built / "index.html").is_file()


def described(html: Path) -> set[str]:
    """The Python objects that the pages describe, by the names they have there."""
    *_, packed = (html / "objects.inv").read_bytes().split(b"\n", 4)
    lines = zlib.decompress(packed).decode().splitlines()
    return {line.split()[0] for line in lines if line.split()[1].startswith("py:")}


def methods_of(kind: type) -> set[str]:
    own = {"registrar", "streams"}  # for the package's importer and its projections
    names = {name for name, _ in inspect.getmembers(kind, inspect.isroutine) if name[0] != "_"}
    return {f"prakerja_ledger.{kind.__name__}.{name}" for name in names - own}


@pytest.mark.xdist_group("docs-html")
def test_every_public_name_is_in_the_reference(built):
    public = {f"prakerja_ledger.{name}" for name in prakerja_ledger.__all__}
    public |= {f"prakerja_ledger.commands.{kind.__name__}" for kind in FACT_OF}
    public |= {f"prakerja_ledger.facts.{kind.__name__}" for kind in facts.FACTS.values()}
    for kind in (Ledger, AsyncLedger, Projection):
        public |= methods_of(kind)
    assert public - described(built) == set()


def test_the_reference_is_what_the_code_says():
    done = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# --- snippets run ---------------------------------------------------------------------------------


class Block(NamedTuple):
    """A fenced block, and the line of text before it."""

    language: str
    body: str
    intro: str


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        before = text[: fence.start()].rstrip().rpartition("\n")[2]
        yield Block(fence[1], fence[2], before)


def workplace(folder: Path) -> Path:
    """A folder where the examples lie as in the checkout."""
    shutil.copytree(ROOT / "examples" / "data", folder / "examples" / "data")
    return folder


def run(command: str, folder: Path) -> str:
    """What a shell prints for a command, errors included."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "LANGUAGE": "en"}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.stdout.decode()


def replayed(body: str, folder: Path) -> str:
    """A console block with the outputs that its commands print now."""
    lines = []
    for line in body.splitlines():
        if line.startswith("$ "):
            lines += [line, *(said.rstrip() for said in run(line[2:], folder).splitlines())]
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("page", TOLD, ids=name_of)
def test_every_command_prints_what_the_page_shows(page, tmp_path):
    folder = workplace(tmp_path)
    told = [block.body for block in blocks(page) if block.language == "console"]
    assert all(body.startswith("$ ") for body in told)
    for body in told:
        assert replayed(body, folder) == body


@pytest.mark.parametrize("page", TOLD, ids=name_of)
def test_every_python_block_runs_and_prints_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(workplace(tmp_path))
    namespace, printed = {"__name__": "page"}, ""
    for block in blocks(page):
        if block.language == "python":
            with redirect_stdout(io.StringIO()) as out:
                exec(compile(block.body, name_of(page), "exec"), namespace)
            printed = out.getvalue()
        elif block.language == "text" and block.intro.endswith("prints:"):
            assert printed == block.body


def test_there_are_snippets_to_run():
    """A page that loses its fences would pass everything above."""
    told = [(page.name, block.language) for page in TOLD for block in blocks(page)]
    assert {("README.md", "python"), ("README.md", "console")} <= set(told)
    assert {("auditors.md", "console"), ("developers.md", "python")} <= set(told)


# --- the law --------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """A row of the law."""

    rule: str
    source: str
    functions: list[str]
    scenarios: list[str]


def rules() -> list[Rule]:
    rows = []
    for line in LAW.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 4 and cells[0] not in {"rule", "---"}:
            rule, source, functions, scenarios = cells
            rows.append(Rule(rule, source, _codes(functions), _codes(scenarios)))
    return rows


def _codes(text: str) -> list[str]:
    return [code.strip("`") for code in CODE.findall(text)]


def found(dotted: str) -> object:
    """The function, method or value of a dotted name."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            module = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        return reduce(getattr, parts[end:], module)
    raise ModuleNotFoundError(dotted)


def collected(files: set[str]) -> set[str]:
    """The scenarios of test files as pytest names them, with and without their parameters."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(f"tests/{file}" for file in sorted(files))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr
    names = {line.removeprefix("tests/") for line in done.stdout.splitlines() if "::" in line}
    return names | {name.partition("[")[0] for name in names}


def test_every_rule_has_a_source_a_function_and_a_scenario():
    assert len(rules()) > 40
    incomplete = [row for row in rules() if not all(row)]
    assert incomplete == []


def test_every_function_of_the_law_exists():
    for row in rules():
        for function in row.functions:
            assert found(f"prakerja_ledger.{function}") is not None


def test_every_scenario_of_the_law_exists():
    named = {scenario for row in rules() for scenario in row.scenarios}
    assert named - collected({scenario.partition("::")[0] for scenario in named}) == set()


def test_the_law_cites_every_source_that_it_lists_and_lists_every_source_that_it_cites():
    rulings, _, listed = LAW.read_text(encoding="utf-8").partition("## Sources")
    cited = set(re.findall(r"\[(\d+)\]", rulings))
    assert cited == set(re.findall(r"^(\d+)\. ", listed, re.MULTILINE))


# --- links ----------------------------------------------------------------------------------------


def links(page: Path) -> Iterator[str]:
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    yield from re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_within_the_project_resolves(page):
    broken = []
    for link in links(page):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_file() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


# --- pasting --------------------------------------------------------------------------------------


def paste() -> None:
    """Write the outputs of today into the console blocks."""
    for page in TOLD:
        with tempfile.TemporaryDirectory() as folder:
            place = workplace(Path(folder))
            text = FENCE.sub(
                lambda fence: (
                    f"```console\n{replayed(fence[2], place)}```"
                    if fence[1] == "console"
                    else fence[0]
                ),
                page.read_text(encoding="utf-8"),
            )
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    paste()
