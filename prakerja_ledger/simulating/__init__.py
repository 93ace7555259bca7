"""Simulated histories: the programme's published numbers, lived through by people who never were."""
