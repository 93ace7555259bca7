"""What follows from the facts: statements, findings, totals, differences. Pure, like the domain."""
