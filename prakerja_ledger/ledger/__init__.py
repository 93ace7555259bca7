"""The ledger: facts recorded durably, once, in an order that never changes.

This package and `stores` are the only ones that know `eventsourcing`.
"""
