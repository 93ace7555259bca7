"""The law a second time, as set operations in embedded DuckDB: for a whole history at once.

The fold in `reading` is the law. What stands here reads the contract independently of it, shares its
data (schemes, holidays, causes, owners) and none of its functions; tests hold the two equal byte for byte.
"""
