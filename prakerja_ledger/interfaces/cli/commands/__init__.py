"""One module a family of commands; each is imported when it is called."""
