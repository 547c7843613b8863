"""Models in service: registry and prediction."""
