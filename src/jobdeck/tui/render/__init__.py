"""Pure functions that turn state into lines of spans, without widgets or markup."""
