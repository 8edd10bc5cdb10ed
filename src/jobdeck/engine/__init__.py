"""The engine: it sends the requests that the schedulers choose, and publishes what they change."""
