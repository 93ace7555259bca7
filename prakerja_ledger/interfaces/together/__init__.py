"""A Parquet history read by several processes: shares of its participants, judged and folded at once."""
