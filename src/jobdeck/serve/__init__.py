"""The screen in browsers: a small web server on loopback that gives terminals to browsers with the token."""
