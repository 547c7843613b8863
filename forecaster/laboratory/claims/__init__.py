"""The claims, the runs behind them, and the verdicts."""
