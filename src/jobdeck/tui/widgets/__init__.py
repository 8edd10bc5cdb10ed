"""Widgets that draw lines of spans. Their data is passed in; they know neither screens nor the app."""
