"""Where lines are kept: one module a database."""
