"""Every change of the database: a verb, one transaction, one event.

A service locks, checks, changes and records. `actor` is the user who asked for the change, or None
for the clock; the caller passes the time as `now`.
"""
