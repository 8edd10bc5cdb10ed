"""A session in a file: everything that changed an engine's jobs, in order, so that it can be played back.

A recording is gzip around lines of JSON: a header, then one entry a line. It holds what the screen showed and no more:
no header of any request, no credential. `Recorder` writes one, `read_recording` reads it, `Replay` plays it.
"""
