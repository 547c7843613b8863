"""One cell at a time: parameters, equations, gates, gradients, cost."""
