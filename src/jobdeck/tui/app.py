"""The application: parts of the screen put together on one engine."""
