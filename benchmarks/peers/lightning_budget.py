"""Ends a training by Lightning when its time is up."""

from contest import Budget
from pytorch_lightning import Callback, Trainer


class WithinBudget(Callback):
    """Counts the steps, and stops the trainer once the budget is spent.

    What it has to tell is kept by the class: libraries train with a copy of the callbacks they are given.
    """

    steps = 0
    epochs = 0
    spent = False

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_start(self, *_: object) -> None:
        """The budget begins."""
        self.budget = Budget(self.seconds)

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        """Look at the clock."""
        cls = type(self)
        cls.steps, cls.epochs = trainer.global_step, trainer.current_epoch + 1
        if self.budget.spent:
            cls.spent = True
            trainer.should_stop = True

    @classmethod
    def told(cls, count: str) -> str:
        """How training ended, like "1,200 steps, until its time was up"."""
        return count + (", until its time was up" if cls.spent else ", until it no longer improved")
