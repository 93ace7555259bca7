"""The console script. Says what to install where the command line's extra is missing."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `prakerja-ledger`; ends the process."""
    try:
        from prakerja_ledger.interfaces.cli import process  # noqa: PLC0415
        from prakerja_ledger.interfaces.cli.main import main as run  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        sys.exit(
            f"prakerja-ledger: {missing.name} is not installed. The command line is an extra: "
            "pip install 'prakerja-ledger[cli]'"
        )
    process.take_over()
    run()
