"""The identity vault: who a participant is, apart from the history, and able to be forgotten."""
