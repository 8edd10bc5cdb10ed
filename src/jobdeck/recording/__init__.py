"""A session on file: everything that entered an engine, in order, so that it can be played back.

A recording is gzip around lines of JSON. The first line is the header; every other is one fact, or one thing that
later lines refer to. It holds what the screen showed and no more: no header of any request, no credential.
"""
