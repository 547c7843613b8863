"""Earnings dates: what an announcement is, whose word counts, where they are kept and come from."""
