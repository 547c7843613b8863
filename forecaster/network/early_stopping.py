"""When to stop training, and which epoch's weights to keep."""

import math
from dataclasses import dataclass, field


@dataclass
class EarlyStopping:
    """Keeps the best validation loss, and stops after `patience` epochs without a better one."""

    patience: int
    best_loss: float = math.inf
    best_epoch: int = -1
    losses: list[float] = field(default_factory=list)

    def record(self, validation_loss: float) -> bool:
        """Take in one epoch's loss; true if it is the best so far, whose weights are to be kept."""
        self.losses.append(validation_loss)
        better = validation_loss < self.best_loss
        if better:
            self.best_loss, self.best_epoch = validation_loss, len(self.losses) - 1
        return better

    @property
    def exhausted(self) -> bool:
        """Whether `patience` epochs have passed since the best one."""
        return len(self.losses) - 1 - self.best_epoch >= self.patience
