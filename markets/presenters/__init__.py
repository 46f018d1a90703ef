"""Rows as the public sees them, a file a noun. API, streams, webhooks, reports and pages all use these.

Each function takes a row that a selector has read whole, costs no statement, and returns what JSON can hold: amounts and
probabilities as decimal strings, times as RFC 3339.
"""
