"""From an event to every open screen.

`doorbell` says, after a commit, that something happened. `relay`, one per process, hears it and hands it to the `hub`, which
gives the one encoded frame to the mailbox of every viewer. The database is the log: whatever the doorbell loses, doubles or
delays, the hub notices by `seq` and reads there.
"""
