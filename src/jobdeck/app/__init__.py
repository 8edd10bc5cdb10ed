"""Puts the parts together: context, sessions of the screen, hooks and notifications, tickets."""
