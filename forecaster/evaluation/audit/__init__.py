"""Checks for look-ahead and honesty on the user's own prices and settings."""
