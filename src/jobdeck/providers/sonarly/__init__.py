"""Sonarly: prospecting jobs of an account group."""
