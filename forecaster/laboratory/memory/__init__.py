"""How long a lag each cell bridges, on synthetic tasks."""
