"""Tests speak in facts: `support` tells histories, `worlds` invents them, `oracle` judges them twice."""
