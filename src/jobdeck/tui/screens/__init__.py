"""Screens: the deck, and what comes in front of it."""
