"""From what is known to what is drawn: pure functions that give lines of spans. No widget, no markup."""
