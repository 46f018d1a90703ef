"""Every change, whoever makes it: a verb, one transaction, one event.

They share a shape: lock, check, change, record. `actor` is the user who does it (None for the clock);
`now` comes from the door.
"""
