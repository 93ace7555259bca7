"""Laws of the books: what holds in every world, whatever happened in it.

Worlds come from seeds (`tests.worlds`); a failing test names its seed in its own name, and
`PRAKERJA_SEED=n` begins with another one.
"""

from __future__ import annotations

import json
import os
import random
from datetime import timedelta
from functools import cache, lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import CalendarTooShort, Refusal
from prakerja_ledger.domain.events import same_content
from prakerja_ledger.domain.facts import FACTS
from prakerja_ledger.domain.legality import Surroundings, decide
from prakerja_ledger.domain.register import Recorded, Register
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.domain.streams import REFERENCE_ONLY, Package, Participant, ProgrammeStream
from prakerja_ledger.evidence.wire import read_event, write_event
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.reading.diff import MEASURES, difference
from prakerja_ledger.reading.dossier import look_at_programme
from prakerja_ledger.reading.statement import AMOUNTS, Status, statement
from prakerja_ledger.reading.totals import GROUPINGS, longest_overdue_first, totals, unpaid_lines
from prakerja_ledger.reading.view import View
from prakerja_ledger.testing import strategies
from tests import worlds
from tests.support import Read, read, view

FIRST = int(os.environ.get("PRAKERJA_SEED", "0"))
SEEDS = range(FIRST + 500_000, FIRST + 500_024)
"""Other worlds than those that the oracle judges."""

each_world = pytest.mark.parametrize("seed", SEEDS)


@cache
def lines_of(seed: int) -> tuple[bytes, ...]:
    return tuple(worlds.history(seed, participants=5, events=150))


@cache
def world(seed: int) -> Read:
    return read(lines_of(seed))


@cache
def views_of(seed: int) -> list[View]:
    return [view(*asked) for asked in worlds.views(seed, lines_of(seed))]


@lru_cache
def statements(seed: int):
    """Every statement of a world in each of its views."""
    return [one for seen in views_of(seed) for one in world(seed).statements(seen)[0]]


def lines(seed: int):
    return [line for one in statements(seed) for line in one.lines]


def recorded_lines(seed: int) -> list[bytes]:
    return [lines_of(seed)[number - 1] for number in world(seed).events]


def open_views(seed: int) -> list[View]:
    """The views' days with K open: then only what happened counts, not when it was learned."""
    return [View(as_of=seen.as_of) for seen in views_of(seed)]


# --- every rupiah is in exactly one place ------------------------------------------------------


@each_world
def test_every_rupiah_of_a_line_is_in_exactly_one_place(seed):
    """amount = within + unpaid + forfeited + not yet earned, within being paid less overpaid."""
    for line in lines(seed):
        within = line.paid - line.overpaid
        parts = (within, line.unpaid, line.forfeited, line.not_yet_earned)
        assert sum(parts) == line.amount, line


@each_world
def test_what_is_owed_is_what_is_paid_of_it_and_what_is_unpaid(seed):
    for line in lines(seed):
        assert line.owed == line.paid - line.overpaid + line.unpaid, line


@each_world
def test_no_amount_is_below_zero_and_overdue_is_part_of_unpaid(seed):
    for line in lines(seed):
        assert min(getattr(line, name) for name in AMOUNTS) >= 0, line
        assert line.overdue in {0, line.unpaid}, line


@each_world
def test_a_line_says_why_unless_it_is_paid_or_open(seed):
    """Causes are empty exactly on lines that are paid, and on training that is open."""
    for line in lines(seed):
        assert bool(line.causes) == (line.status not in {Status.PAID, Status.OPEN}), line


@each_world
def test_days_are_overdue_exactly_where_rupiah_are(seed):
    """Only a line with rupiah overdue has days overdue, and its due date has passed."""
    for one in statements(seed):
        for line in one.lines:
            if line.overdue_working_days:
                assert line.overdue > 0
            if line.overdue:
                assert line.due_on < one.view.as_of


@each_world
def test_evidence_names_each_event_once_in_the_order_of_events(seed):
    for line in lines(seed):
        clocks = [(e.occurred_at, e.recorded_at, e.position) for e in line.evidence]
        assert clocks == sorted(set(clocks))


@each_world
def test_the_totals_of_a_statement_are_the_sums_of_its_lines(seed):
    for one in statements(seed):
        printed = json.loads(statement_json(one))
        sums = {
            "entitlement": sum(line["amount"] for line in printed["lines"]),
            **{name: sum(line[name] for line in printed["lines"]) for name in AMOUNTS},
        }
        assert printed["totals"] == sums


@pytest.mark.parametrize("by", GROUPINGS)
def test_totals_by_anything_are_the_sum_of_the_statements(by):
    """Grouping loses no rupiah and counts none twice."""
    for seed in SEEDS:
        for seen in views_of(seed):
            made = world(seed).statements(seen)[0]
            groups = totals(made, by).values()
            assert {
                "entitlement": sum(group.entitlement for group in groups),
                "lines": sum(group.lines for group in groups),
                **{name: sum(group.amounts[name] for group in groups) for name in AMOUNTS},
            } == {
                "entitlement": sum(one.total("amount") for one in made),
                "lines": sum(len(one.lines) for one in made),
                **{name: sum(one.total(name) for one in made) for name in AMOUNTS},
            }


@pytest.mark.parametrize("by", GROUPINGS)
def test_a_group_counts_each_of_its_participants_once(by):
    for seed in SEEDS:
        made = world(seed).statements(views_of(seed)[-1])[0]
        pairs = {(GROUPINGS[by](one, line), one.participant) for one in made for line in one.lines}
        found = {key: group.participants for key, group in totals(made, by).items()}
        keys = [key for key, _ in pairs]
        assert found == {key: keys.count(key) for key in keys}


@each_world
def test_the_unpaid_lines_hold_every_unpaid_rupiah_longest_overdue_first(seed):
    made = world(seed).statements(views_of(seed)[-1])[0]
    listed = longest_overdue_first(one for each in made for one in unpaid_lines(each))
    assert sum(one.line.unpaid for one in listed) == sum(one.total("unpaid") for one in made)
    keys = [
        (-o.line.overdue_working_days, o.line.due_on, o.statement.participant, o.line.line)
        for o in listed
    ]
    assert keys == sorted(keys)


# --- recording ---------------------------------------------------------------------------------


@each_world
def test_every_line_that_is_not_blank_ends_as_exactly_one_of_three(seed):
    filled = [line for line in lines_of(seed) if line.strip(b" \t\r\n")]
    assert sum(world(seed).counts) == len(filled)


@each_world
def test_a_duplicate_changes_nothing(seed):
    """Any recorded line said again, later, however often: the same statements and findings."""
    rng = random.Random(seed)
    told: list[bytes] = []
    again = 0
    originals = recorded_lines(seed)
    for index, line in enumerate(originals, 1):
        told.append(line)
        while rng.random() < 0.3:
            again += 1
            told.append(said_again(rng, rng.choice(originals[:index])))
    found = read(told)
    assert found.counts == (len(originals), again, 0)
    for seen in views_of(seed):
        assert found.statements_json(seen) == world(seed).statements_json(seen)
        assert found.findings_json(seen) == world(seed).findings_json(seen)


def said_again(rng: random.Random, line: bytes) -> bytes:
    """The same event; what does not count may differ: when it was learned, kept attributes."""
    if rng.random() < 0.5:
        return line
    event = json.loads(line)
    event.pop("recordedtime", None)
    return json.dumps(event | {"xagain": True}).encode()


@each_world
def test_a_history_read_twice_is_recorded_once(seed):
    """What was recorded before is a duplicate; only lines turned away are judged afresh."""
    twice = read([*recorded_lines(seed), *recorded_lines(seed)])
    count = len(recorded_lines(seed))
    assert twice.counts == (count, count, 0)


@each_world
def test_a_quarantined_line_has_no_effect_at_all(seed):
    """The recorded lines alone are a history with the same answers."""
    alone = read(recorded_lines(seed))
    assert alone.counts == (len(recorded_lines(seed)), 0, 0)
    for seen in views_of(seed):
        assert alone.statements_json(seen) == world(seed).statements_json(seen)
        assert alone.findings_json(seen) == world(seed).findings_json(seen)


@each_world
def test_a_statement_never_depends_on_another_participants_events(seed):
    """With everyone else's lines removed, a participant's statements are the same bytes."""
    outcomes, whole = world(seed).outcomes, world(seed)
    for participant in whole.register.participants:
        mine = [
            lines_of(seed)[number - 1]
            for number, outcome in outcomes.items()
            if isinstance(outcome, Recorded)
            and (outcome.stream is participant or not isinstance(outcome.stream, Participant))
        ]
        alone = read(mine)
        assert alone.refusals == {}
        for seen in views_of(seed):
            assert [statement_json(one) for one in alone.statements(seen)[0]] == [
                statement_json(one)
                for one in whole.statements(seen)[0]
                if one.participant == participant.id
            ]


# --- the order of recording --------------------------------------------------------------------


def told_without_ties(seed: int) -> list[bytes]:
    """Recorded lines with distinct times, and amounts that do not depend on what stood before.

    Of two events at one instant, recording decides the order; a return that names no amount takes
    what is left when it is recorded. Neither is a law broken, so neither is here.
    """
    met: set[str] = set()
    told: list[bytes] = []
    for number, event in world(seed).events.items():
        if event.occurred_at in met:
            continue
        met.add(event.occurred_at)
        line = json.loads(lines_of(seed)[number - 1])
        if isinstance(event.fact, f.DisbursementReturned):
            participant = world(seed).outcomes[number].stream
            line["data"]["amount"] = participant.returned_amount(event, event.fact)
        told.append(json.dumps(line).encode())
    while refused := read(told).refusals:
        told = [line for number, line in enumerate(told, 1) if number not in refused]
    return told


@each_world
def test_the_order_of_recording_never_changes_a_statement_with_k_open(seed):
    """Lines of any subject moved to other places, as long as each stays legal there."""
    rng = random.Random(seed)
    told = told_without_ties(seed)
    moved, count = list(told), 0
    for _ in range(60):
        tried = list(moved)
        tried.insert(rng.randrange(len(tried)), tried.pop(rng.randrange(len(tried))))
        if read(tried).counts == (len(tried), 0, 0):
            moved, count = tried, count + (tried != moved)
    assert count > 10, "too few moves to say anything"
    before, after = read(told), read(moved)
    for seen in open_views(seed):
        assert after.statements_json(seen) == before.statements_json(seen)


@each_world
def test_subjects_may_be_recorded_in_any_interleaving(seed):
    """Only packages stand before the purchases that name them; the rest may come in any order."""
    told = told_without_ties(seed)
    by_subject: dict[str, list[bytes]] = {}
    rng = random.Random(seed)
    packages: list[bytes] = []
    outcomes = read(told).outcomes
    for number, line in enumerate(told, 1):
        stream = outcomes[number].stream
        if isinstance(stream, Package):
            packages.append(line)
        else:
            by_subject.setdefault(f"{type(stream)} {stream.id}", []).append(line)
    mixed = list(packages)
    while by_subject:
        subject = rng.choice(sorted(by_subject))
        mixed.append(by_subject[subject].pop(0))
        if not by_subject[subject]:
            del by_subject[subject]
    before, after = read(told), read(mixed)
    assert after.counts == (len(told), 0, 0)
    for seen in open_views(seed):
        assert after.statements_json(seen) == before.statements_json(seen)


@each_world
def test_when_a_fact_was_learned_moves_no_rupiah_with_k_open(seed):
    """Other recorded times, never before the fact: the same amounts, statuses and dates.

    Causes may differ: REPORT_LAG is about the day on which a report was learned of.
    """
    rng = random.Random(seed)
    told = told_without_ties(seed)
    learned = [json.loads(line) for line in told]
    moments = ["9999-12-31T00:00:00+07:00", *(event["time"] for event in learned)]
    for event in learned:
        event.pop("recordedtime", None)
        if rng.random() < 0.7:
            event["recordedtime"] = rng.choice(moments)
    before, after = read(told), read(map(legally_learned, learned))
    assert after.counts == before.counts
    for seen in open_views(seed):
        assert [amounts(one) for one in after.statements(seen)[0]] == [
            amounts(one) for one in before.statements(seen)[0]
        ]


def legally_learned(event: dict) -> dict:
    """The event, learned of at once where the drawn recorded time lies before it."""
    if not isinstance(read_event(json.dumps(event).encode(), 1, KARTU_PRAKERJA), Refusal):
        return event
    return {name: value for name, value in event.items() if name != "recordedtime"}


def amounts(one) -> list[tuple]:
    return [
        (one.participant, one.standing)
        + (line.line, line.status, line.amount, line.earned_on, line.due_on)
        + tuple(getattr(line, name) for name in AMOUNTS)
        for line in one.lines
    ]


# --- the difference between two views ----------------------------------------------------------


def pairs_of_views(seed: int) -> list[tuple[View, View]]:
    """Forwards, backwards, with K moved either way, and to the same view."""
    seen = views_of(seed)
    return [*zip(seen, seen[1:], strict=False), (seen[-1], seen[0]), (seen[0], seen[0])]


def measured(participant: Participant, seen: View, found: Read) -> dict[str, tuple[int, ...]]:
    around = look_at_programme(found.register.programme_stream, seen)
    made = statement(participant, seen, found.programme, around)
    return {
        line.line: (line.amount, *(getattr(line, name) for name in AMOUNTS))
        for line in ([] if made is None else made.lines)
    }


def moved_between(participant, first: View, second: View, found: Read):
    """What moved, by the two statements alone."""
    before, after = (measured(participant, seen, found) for seen in (first, second))
    nothing = (0,) * len(MEASURES)
    deltas = {
        line: tuple(
            b - a
            for a, b in zip(before.get(line, nothing), after.get(line, nothing), strict=True)
        )
        for line in {**before, **after}
    }
    return {line: delta for line, delta in deltas.items() if any(delta)}


def walked(participant, first: View, second: View, found: Read):
    return difference(
        participant, found.register.programme_stream, found.programme, first, second
    )


@each_world
def test_the_parts_of_a_difference_add_up_to_the_difference_of_the_statements(seed):
    found = world(seed)
    compared = 0
    for participant in found.register.participants:
        for first, second in pairs_of_views(seed):
            try:
                expected = moved_between(participant, first, second, found)
                whole = walked(participant, first, second, found)
            except CalendarTooShort:
                continue
            assert whole.moved() == expected
            compared += 1
    assert compared


@each_world
def test_no_part_of_a_difference_is_empty_and_each_lies_between_the_days(seed):
    found = world(seed)
    for participant in found.register.participants:
        for first, second in pairs_of_views(seed):
            low, high = sorted((first.as_of, second.as_of))
            try:
                parts = walked(participant, first, second, found).parts
            except CalendarTooShort:
                continue
            for part in parts:
                assert all(any(amounts) for amounts in part.moved.values())
                assert part.moved
                assert low <= min(part.since, part.until) <= max(part.since, part.until) <= high


@each_world
def test_the_way_back_is_the_way_there_with_its_signs_turned(seed):
    """What moved from one view to another moves back, the same rupiah by the same events."""
    found = world(seed)
    for participant in found.register.participants:
        first, second = views_of(seed)[0], views_of(seed)[-1]
        try:
            there = walked(participant, first, second, found).moved()
            back = walked(participant, second, first, found).moved()
        except CalendarTooShort:
            continue
        assert back == {
            line: tuple(-amount for amount in amounts) for line, amounts in there.items()
        }


@each_world
def test_back_through_the_same_days_each_event_takes_back_what_it_moved(seed):
    """With one K, the walk back has the same parts in the other order, with their signs turned."""
    found = world(seed)
    first, second = (View(as_of=views_of(seed)[n].as_of) for n in (0, -1))
    for participant in found.register.participants:
        try:
            there = walked(participant, first, second, found).parts
            back = walked(participant, second, first, found).parts
        except CalendarTooShort:
            continue
        assert [(part.event, part.moved) for part in reversed(back)] == [
            (
                part.event,
                {line: tuple(-n for n in amounts) for line, amounts in part.moved.items()},
            )
            for part in there
        ]


def test_nothing_moved_between_a_view_and_itself():
    for seed in SEEDS:
        for participant in world(seed).register.participants:
            for seen in views_of(seed):
                try:
                    assert walked(participant, seen, seen, world(seed)).parts == []
                except CalendarTooShort:
                    continue


# --- wire form ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FACTS.values(), ids=FACTS)
def test_what_is_written_is_read_back_as_the_same_event(kind):
    """Every kind of fact, any field values: an equal fact under equal clocks and identity."""

    @settings(max_examples=25)
    @given(strategies.events(kind))
    def law(event):
        again = read_event(write_event(event), event.position, KARTU_PRAKERJA)
        assert not isinstance(again, Refusal), str(again)
        assert same_content(again, event)
        assert (again.identity, again.recorded_at, again.position) == (
            event.identity,
            event.recorded_at,
            event.position,
        )

    law()


@settings(max_examples=60)
@given(strategies.events())
def test_writing_what_was_read_back_gives_the_same_bytes(event):
    line = write_event(event)
    assert write_event(read_event(line, 1, KARTU_PRAKERJA)) == line


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_no_bytes_at_all_make_reading_raise(line):
    """Any line is an event or a refusal that says so."""
    found = read_event(line, 1, KARTU_PRAKERJA)
    assert isinstance(found, Refusal)
    assert str(found)


# --- voids -------------------------------------------------------------------------------------


AROUND = Surroundings(programme=KARTU_PRAKERJA, offered_packages={"PK-1", "PK-2", "PK-3", "PK-4"})


def battery(participant: Participant) -> list[f.Fact]:
    """Facts about everything that the participant's record names, and about something else."""
    accounts = [*participant.accounts, "elsewhere"]
    transfers = [*participant.disbursements, "none"]
    given = {"reason": "technical"}
    facts: list[f.Fact] = [
        f.ParticipationRevoked(reason="fraud"),
        f.ParticipationReinstated(reason="x"),
        *(f.SurveySubmitted(survey=n) for n in range(1, 5)),
    ]
    for account in accounts:
        facts += [f.AccountVerified(account=account), f.AccountUnlinked(account=account)]
    for name, bought in [*participant.purchases.items(), ("none", None)]:
        left = max(1, bought.price - bought.refunded) if bought else 1
        facts += [f.PurchaseRefunded(purchase=name, amount=n) for n in (1, left, left + 1)]
        facts.append(
            f.TrainingPurchased(
                purchase=name, platform="tokopedia", price=1, method="prakerja",
                courses=[{"course": "C", "institution": "I"}],
            )
        )  # fmt: skip
    for course in [*participant.courses, "none"]:
        facts += [
            f.CourseCompleted(course=course),
            f.CertificateIssued(course=course, certificate="N"),
            f.CourseRated(course=course, programme=1, reviewed=False),
        ]
    for name in transfers:
        at = participant.disbursements.get(name)
        references = [*at.references, "new"] if at else ["new"]
        facts += [f.DisbursementSettled(disbursement=name, reference=r) for r in references]
        facts.append(f.DisbursementFailed(disbursement=name, **given))
        for amount in (None, 1, *([at.left, at.left + 1] if at and at.left else [])):
            facts.append(f.DisbursementReturned(disbursement=name, amount=amount, **given))
        facts.append(
            f.DisbursementInstructed(
                disbursement=name, component="survey", instalment=3, amount=1, provider="ovo"
            )
        )
    for name in [*participant.complaints, "none"]:
        facts += [
            f.ComplaintFiled(complaint=name),
            f.ComplaintResolved(complaint=name, outcome="paid"),
        ]
    return facts


def never_voided(participant: Participant) -> Participant:
    """The same record folded without the voided events; what they are referred to by is kept."""
    found = Participant(participant.id)
    for event in participant.events:
        if isinstance(event.fact, f.EventVoided):
            continue
        if event.position not in participant.voids or type(event.fact) in REFERENCE_ONLY:
            found.apply(event)
        elif isinstance(event.fact, f.AccountLinked):
            found.accounts.add(event.fact.account)
    return found


@each_world
def test_after_a_void_everything_is_as_legal_as_if_the_event_had_never_been(seed):
    """Taking one event out of the states equals folding without it; references stay."""
    found = read(told_without_ties(seed))
    for participant in found.register.participants:
        bare = never_voided(participant)
        for fact in battery(participant):
            assert decide(participant, fact, AROUND) == decide(bare, fact, AROUND), fact


def test_the_worlds_of_these_laws_do_void_events():
    """Else the law before says nothing."""
    voids = [
        type(participant.at(position).fact)
        for seed in SEEDS
        for participant in world(seed).register.participants
        for position in participant.voids
    ]
    assert len(set(voids)) > 8


@each_world
def test_a_stream_restored_from_its_events_decides_as_the_one_that_lived(seed):
    """Nothing is judged again when an old record is loaded, and nothing is forgotten."""
    for participant in world(seed).register.participants:
        restored = Participant(participant.id)
        half = len(participant.events) // 2
        restored.restore(participant.events[:half])
        restored.restore(participant.events[half:])
        assert restored.voids == participant.voids
        for fact in battery(participant):
            assert decide(restored, fact, AROUND) == decide(participant, fact, AROUND)


# --- time passes -------------------------------------------------------------------------------


def quiet_days(seed: int):
    """Each day after a participant's events on which nothing happened: the eve's amounts, its own."""
    found = world(seed)
    for participant in found.register.participants:
        days = {event.occurred_on for event in participant.events}
        for quiet in {day + timedelta(days=1) for day in days if day.year < 2027} - days:
            try:
                eve, own = (
                    measured(participant, View(as_of=on), found)
                    for on in (quiet - timedelta(days=1), quiet)
                )
            except CalendarTooShort:
                continue
            yield eve, own


@each_world
def test_a_day_on_which_nothing_happened_pays_nothing_and_sends_nothing(seed):
    for eve, own in quiet_days(seed):
        for name in ("paid", "in_flight"):
            index = MEASURES.index(name)
            assert {line: amounts[index] for line, amounts in eve.items()} == {
                line: amounts[index] for line, amounts in own.items()
            }


@each_world
def test_a_day_on_which_nothing_happened_overpays_nothing(seed):
    """It may earn what was paid ahead of it: overpaid falls with the calendar and never rises."""
    index = MEASURES.index("overpaid")
    for eve, own in quiet_days(seed):
        assert all(own[line][index] <= amounts[index] for line, amounts in eve.items())


def test_the_registers_ports_list_subjects_by_code_point():
    register = Register(KARTU_PRAKERJA)
    for name in ("é", "P-10", "𝓐", "P-2", "～5"):
        register.participants.add(Participant(name))
        register.packages.add(Package(name))
    expected = ["P-10", "P-2", "é", "～5", "𝓐"]
    assert [one.id for one in register.participants] == expected
    assert [one.id for one in register.packages] == expected
    assert isinstance(register.programme_stream, ProgrammeStream)
