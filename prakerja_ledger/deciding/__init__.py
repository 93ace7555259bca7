"""What the programme's rules allow now: commands, the decision on each, and whether a line may be paid.

Pure, like the readings it rests on. A fact that happened elsewhere is observed, whatever rule it
breaks; a command asks first.
"""
