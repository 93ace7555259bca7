"""History format 1, columnar: Parquet files as a source, and a source as a Parquet file.

The modules here import pyarrow, the extra `parquet`; nothing else of the package does. Whoever may
not need them asks `sniffing` first, which imports nothing.
"""
