"""Live streams: from an event to every open screen.

After a commit, `doorbell` announces the event. The `relay` of each process passes it to the `hub`,
with its topics: each watched `market`, the `lobby` of all, each `person`. A topic puts the encoded
frame into the feed of each `viewer`. The database is the log: what the doorbell lost, doubled or
delayed, a topic notices by `seq` and reads there.
"""
