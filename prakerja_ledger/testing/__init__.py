"""For the tests of those who embed the ledger: fixtures, a bank that lies, and Hypothesis strategies.

The fixtures are there as soon as the package is installed beside pytest (`plugin`). Strategies need
Hypothesis; both are the extra `testing`.
"""
