"""Runs under faults: a payment service, an instrument that breaks something, and a verdict."""
