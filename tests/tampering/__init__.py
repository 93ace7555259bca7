"""Sealed ledgers and packs changed at random: each change is told, with its place, by both verifiers."""
