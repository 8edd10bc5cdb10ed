"""An HTTP server on loopback that simulates both APIs, with scripted jobs and faults."""
