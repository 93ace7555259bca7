"""The process of one command, and which installed packages it does without.

pyarrow imports numpy and pandas wherever it finds them, for whoever may want arrays and frames of it:
a third of a second, of which one participant's answer has no use. Only a process that answers and ends
may be treated so. What pyarrow did not find while it was loaded it does not find later, and in somebody
else's program that would be somebody else's loss.
"""

from __future__ import annotations

import sys

_ours = False


def take_over() -> None:
    """Say that this process runs one command and ends with it. Only the console script can."""
    global _ours  # noqa: PLW0603  # a process is one
    _ours = True


def do_without(*packages: str) -> None:
    """Let packages that are not imported yet look as if they were not installed, if we may."""
    if _ours:
        for package in packages:
            sys.modules.setdefault(package, None)  # type: ignore[arg-type]  # how Python says: not to be found
