"""The training loop: seeded, resumable, cancellable.

Every random draw of a step comes from (seed, step) alone, so a run that goes on from a checkpoint
takes the same steps as one that was never stopped.
"""

import copy
import io
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ml.errors import Cancelled, InputError
from ml.files import write_atomically
from ml.models.base import ShouldStop
from ml.progress import Progress

log = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Schedule:
    """AdamW with a linear warm-up and a cosine down to zero.

    Attributes:
        steps, epoch_steps: in all, and in one epoch (reported and checkpointed at its end).
        warmup: share of the steps.
        ema: decay of the averaged weights, per step; 0: none.
    """

    steps: int
    epoch_steps: int
    learning_rate: float
    weight_decay: float
    warmup: float
    ema: float
    seed: int
    checkpoint_seconds: float

    def rate(self, step: int) -> float:
        rise = max(1, round(self.steps * self.warmup))
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        done = (step - rise) / max(1, self.steps - rise)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


class Fitting:
    """A network, its optimizer and averaged weights, and where they stand."""

    def __init__(self, net: nn.Module, schedule: Schedule, *, out: Path, identity: str) -> None:
        """Continue from the checkpoint in `out`, if there is one.

        Args:
            identity: a hash of all that decides the outcome (config, data, initial weights).

        Raises:
            InputError: the checkpoint in `out` is of another training.
        """
        self.net, self.schedule, self.step = net, schedule, 0
        self._out, self._identity = out, identity
        self._average = copy.deepcopy(net) if schedule.ema else None
        self._optimizer = _optimizer(net, weight_decay=schedule.weight_decay)
        if (out / CHECKPOINT).is_file():
            self._restore()

    def run(
        self,
        batch_loss: Callable[[nn.Module, int], Tensor],
        *,
        progress: Progress,
        should_stop: ShouldStop,
    ) -> nn.Module:
        """Take the remaining steps; returns the network to keep.

        Raises:
            Cancelled: `should_stop` became true; a checkpoint was written.
            InputError: the loss is no longer a finite number.
        """
        saved, losses = time.monotonic(), []
        while self.step < self.schedule.steps:
            if should_stop():
                self._save()
                raise Cancelled
            losses.append(self._take(batch_loss))
            epoch, within = divmod(self.step, self.schedule.epoch_steps)
            share = self.step / self.schedule.steps
            if within == 0:
                progress.report("train", share, epoch=epoch, loss=sum(losses) / len(losses))
                losses = []
            elif self.step % 10 == 0:
                progress.report("train", share)
            if time.monotonic() - saved > self.schedule.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
        return self._average or self.net

    def _take(self, batch_loss: Callable[[nn.Module, int], Tensor]) -> float:
        torch.manual_seed(self.schedule.seed * 1_000_003 + self.step)
        self.net.train()
        loss = batch_loss(self.net, self.step)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(
                f"training diverged: loss is {value} at step {self.step}; lower learning_rate"
            )
        loss.backward()
        for group in self._optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        self._update_average()
        return value

    @torch.no_grad()
    def _update_average(self) -> None:
        if self._average is None:
            return
        # Early on the average follows closely, or it would keep the random initial weights.
        decay = min(self.schedule.ema, (1 + self.step) / (10 + self.step))
        new = self.net.state_dict()
        for name, kept in self._average.state_dict().items():
            if kept.is_floating_point():
                kept.lerp_(new[name], 1 - decay)
            else:
                kept.copy_(new[name])

    def _save(self) -> None:
        state: dict[str, Any] = {
            "identity": self._identity,
            "step": self.step,
            "net": self.net.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.state_dict() if self._average else None,
        }
        written = io.BytesIO()  # a full disk then fails as a plain OSError, not within torch
        torch.save(state, written)
        write_atomically(self._out / CHECKPOINT, written.getvalue())

    def _restore(self) -> None:
        path = self._out / CHECKPOINT
        state = torch.load(path, weights_only=True, map_location="cpu")
        if state["identity"] != self._identity:
            raise InputError(f"{path}: belongs to another training (config, manifest or --init)")
        self.net.load_state_dict(state["net"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self.step = state["step"]
        log.info("resumed at step %d of %d", self.step, self.schedule.steps)


def _optimizer(net: nn.Module, *, weight_decay: float) -> torch.optim.AdamW:
    """Weight decay applies to parameters of two or more dimensions: not to norms and biases."""
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ],
        foreach=True,
    )


def remove_checkpoint(out: Path) -> None:
    (out / CHECKPOINT).unlink(missing_ok=True)
