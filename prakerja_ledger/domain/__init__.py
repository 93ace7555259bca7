"""What the programme is: facts, schemes, the working calendar, and what may be recorded next.

Values in, values out: no clock, file, environment, logging, database or framework.
"""
