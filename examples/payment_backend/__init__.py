"""A payment backend on prakerja-ledger: webhooks in, payouts out, statements with reasons."""
