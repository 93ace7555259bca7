"""The auditor's pack: a sealed history with its answers, in one file that can be checked without us."""
