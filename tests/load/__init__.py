"""The example service under load: who calls it, where it runs, and the accounts afterwards."""
