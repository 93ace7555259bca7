"""Parsers of what strangers hand in, under bytes that a coverage-guided fuzzer makes up."""
