"""From an event to every open screen.

`doorbell` says, after a commit, that something happened. `relay`, one per process, hears it and hands it to the `hub`. The hub
has a topic for each market that somebody watches (`market`), one for all of them (`lobby`) and one for each person (`person`);
a topic puts the one encoded frame into the feed of every `viewer`. The database is the log: whatever the doorbell loses,
doubles or delays is noticed by `seq` and read there.
"""
