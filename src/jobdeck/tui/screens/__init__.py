"""The deck, and the dialogs in front of it."""
