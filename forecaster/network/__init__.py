"""The recurrent networks: equations, likelihood, Keras model, training, files."""
