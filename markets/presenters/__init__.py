"""Rows as JSON: amounts as decimal strings, times as RFC 3339.

The selectors load all that a presenter reads, so presenters run no queries.
"""
