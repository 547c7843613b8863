"""Terminal charts."""
