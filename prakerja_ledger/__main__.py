"""`python -m prakerja_ledger`: the command line."""

from __future__ import annotations

from prakerja_ledger.interfaces.cli.entry import main

if __name__ == "__main__":
    main()
