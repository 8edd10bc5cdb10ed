"""The screen for browsers: a small web server on loopback that hands terminals to whoever holds its token."""
