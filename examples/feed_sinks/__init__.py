"""Sinks of the feed: recorded events sent on by webhook or to a topic, in order, at least once."""
