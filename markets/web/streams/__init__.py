"""Live streams (API.md, Live): server-sent events and a WebSocket.

An open stream is a consumer and its writer task: no thread, no channel of its own.
"""
