"""A discrete-event simulation of jobs, rate-limited servers and the pollers that watch them, in simulated seconds."""
