"""Ends a training by Keras when its time is up."""

import keras
from contest import Budget


class WithinBudget(keras.callbacks.Callback):
    """Counts the epochs, and stops the training once the budget is spent."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.epochs, self.spent = 0, False

    def on_train_begin(self, *_: object, **__: object) -> None:
        """The budget begins."""
        self.budget = Budget(self.seconds)

    def on_train_batch_end(self, *_: object, **__: object) -> None:
        """Look at the clock."""
        if self.budget.spent:
            self.spent = True
            self.model.stop_training = True

    def on_epoch_end(self, *_: object, **__: object) -> None:
        """Count."""
        self.epochs += 1

    def told(self) -> str:
        """How training ended."""
        return f"{self.epochs} epochs" + (
            ", until its time was up" if self.spent else ", until it no longer improved"
        )
