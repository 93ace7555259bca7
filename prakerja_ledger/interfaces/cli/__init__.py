"""The command line: `prakerja-ledger COMMAND …` (contract, section 7)."""
