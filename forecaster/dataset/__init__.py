"""From prices to windows: panel, features, targets, split."""
