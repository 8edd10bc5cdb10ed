"""Widgets: each draws one thing and knows neither screens nor the app."""
