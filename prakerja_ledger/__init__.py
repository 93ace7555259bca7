"""An event-sourced participant ledger: what is owed, what is paid, and why the rest is not.

Importing this package does nothing; each public name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prakerja_ledger.deciding import commands as commands
    from prakerja_ledger.domain import facts as facts
    from prakerja_ledger.domain.errors import Conflict as Conflict
    from prakerja_ledger.domain.errors import InvalidInput as InvalidInput
    from prakerja_ledger.domain.errors import LedgerFault as LedgerFault
    from prakerja_ledger.domain.errors import NotInView as NotInView
    from prakerja_ledger.domain.errors import OutcomeUnknown as OutcomeUnknown
    from prakerja_ledger.domain.errors import PrakerjaLedgerError as PrakerjaLedgerError
    from prakerja_ledger.domain.errors import Refused as Refused
    from prakerja_ledger.domain.errors import TurnLost as TurnLost
    from prakerja_ledger.domain.errors import UnusableConnection as UnusableConnection
    from prakerja_ledger.domain.schemes import KARTU_PRAKERJA as KARTU_PRAKERJA
    from prakerja_ledger.domain.schemes import Instalments as Instalments
    from prakerja_ledger.domain.schemes import Programme as Programme
    from prakerja_ledger.domain.schemes import Scheme as Scheme
    from prakerja_ledger.interfaces.asynchronous import AsyncLedger as AsyncLedger
    from prakerja_ledger.interfaces.source import open_history as open_history
    from prakerja_ledger.ledger.cloudevent import CloudEvent as CloudEvent
    from prakerja_ledger.ledger.ledger import Ledger as Ledger
    from prakerja_ledger.ledger.ledger import Receipt as Receipt
    from prakerja_ledger.projecting.projection import Projection as Projection
    from prakerja_ledger.reading.evaluation import Evaluation as Evaluation
    from prakerja_ledger.reading.permission import May as May
    from prakerja_ledger.reading.permission import Permission as Permission
    from prakerja_ledger.reading.statement import Statement as Statement
    from prakerja_ledger.reading.statement import StatementLine as StatementLine
    from prakerja_ledger.reading.view import View as View

_HOMES = {
    "AsyncLedger": "interfaces.asynchronous",
    "CloudEvent": "ledger.cloudevent",
    "Conflict": "domain.errors",
    "Evaluation": "reading.evaluation",
    "Instalments": "domain.schemes",
    "InvalidInput": "domain.errors",
    "KARTU_PRAKERJA": "domain.schemes",
    "Ledger": "ledger.ledger",
    "LedgerFault": "domain.errors",
    "May": "reading.permission",
    "NotInView": "domain.errors",
    "OutcomeUnknown": "domain.errors",
    "Permission": "reading.permission",
    "PrakerjaLedgerError": "domain.errors",
    "Programme": "domain.schemes",
    "Projection": "projecting.projection",
    "Receipt": "ledger.ledger",
    "Refused": "domain.errors",
    "Scheme": "domain.schemes",
    "Statement": "reading.statement",
    "StatementLine": "reading.statement",
    "TurnLost": "domain.errors",
    "UnusableConnection": "domain.errors",
    "View": "reading.view",
    "open_history": "interfaces.source",
}
_MODULES = {"commands": "deciding.commands", "facts": "domain.facts"}
__all__ = [*_MODULES, *_HOMES]  # noqa: PLE0604  # the names of a literal table


if not TYPE_CHECKING:  # to a type checker, this would be every name there is and is not

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f"prakerja_ledger.{_MODULES[name]}")
        if name in _HOMES:
            return getattr(import_module(f"prakerja_ledger.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
