"""Screens: widgets put together, and the keys that work on them."""
