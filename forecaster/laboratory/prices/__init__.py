"""Networks on prices, over data size, lookback, units and layers."""
