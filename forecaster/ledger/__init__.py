"""Recorded forecasts, scored when their target dates have closed: live scores and alarms."""
