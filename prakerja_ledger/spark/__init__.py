"""The same answers beyond one machine: the bulk engine's SQL, run by Apache Spark part by part.

Participants are independent of each other but for a few facts, so a cluster needs little of what it
is good at: Spark deals out ranges of participants, each executor reads its own from the Parquet files
and answers with embedded DuckDB, and only what several participants have to do with each other is
shuffled. Decision 0015 argues it.
"""
