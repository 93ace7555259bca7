"""Measurements beside peers, in one run, as ratios; printed, never asserted by time."""
