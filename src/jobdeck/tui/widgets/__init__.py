"""Widgets that draw lines of spans. They are given what they show, and know neither screens nor the app."""
