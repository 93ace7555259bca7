"""Projecting: statements kept as rows, current with the ledger and with the day."""
