"""What a forecast is worth: baselines, metrics, significance, comparison."""
