"""Keras's own count of the parameters of a stack of recurrent layers."""

from forecaster.network.engine import start_engine


def keras_parameters(
    cell: str,
    features: int,
    units: int,
    layers: int = 1,
    *,
    bidirectional: bool = False,
    reset_after: bool = True,
) -> int:
    """Build the layers with Keras and ask it how many numbers they learn.

    Raises:
        UnavailableError: Keras's engine is not installed.
    """
    start_engine("cpu")
    import keras

    from forecaster.network.keras_network import LAYERS

    form = {"reset_after": reset_after} if cell == "gru" else {}
    inputs = hidden = keras.Input((None, features))
    for _ in range(layers):
        layer = LAYERS[cell](units, return_sequences=True, **form)
        hidden = (keras.layers.Bidirectional(layer) if bidirectional else layer)(hidden)
    return int(keras.Model(inputs, hidden).count_params())
