"""What a recurrent network can honestly say about a stock."""

__version__ = "0.1.0"
