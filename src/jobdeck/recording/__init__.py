"""Recordings of sessions: everything that changed an engine's jobs, in order, for playback.

A recording is gzipped lines of JSON: a header, then one entry per line. It contains what the screen showed and no more:
no request headers, no credentials. `Recorder` writes one, `read_recording` reads it, `ReplayEngine` plays it.
"""
