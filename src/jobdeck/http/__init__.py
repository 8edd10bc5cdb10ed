"""The HTTP client that all APIs share: requests, bounded and redacted answers, and the problems of those that fail."""
