"""The shapes of API.md, a file a noun: what comes in is checked strictly, what goes out is described."""
