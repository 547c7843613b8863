"""Prices: where they come from, what a price table is, and the store they live in."""
