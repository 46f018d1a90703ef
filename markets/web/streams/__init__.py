"""The doors to live streams (API.md, Live): server-sent events and a WebSocket.

An open stream is one consumer and one task: no thread, no channel of its own.
"""
