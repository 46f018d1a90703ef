"""Live streams: from an event to every open screen.

After a commit, `doorbell` announces the event. The `relay` of each process passes it to the `hub`,
which has a topic for each watched market (`market`), one for all markets (`lobby`) and one for each
person (`person`). A topic puts the encoded frame into the feed of each `viewer`. The database is
the log: a topic notices by `seq` what the doorbell lost, doubled or delayed, and reads it there.
"""
