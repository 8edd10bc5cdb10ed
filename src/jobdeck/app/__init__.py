"""Assembles the parts: context, sessions of the screen, hooks and notifications, tickets."""
