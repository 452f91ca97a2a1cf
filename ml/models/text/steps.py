"""The text model while it is trained: its weights as a torch module, and the loss of each step."""

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from ml.models.brand_rows import BrandRows, excluded, targets
from ml.models.net_training import partial_label_loss
from ml.models.samples import balanced_epoch
from ml.models.text.config import Config
from ml.models.text.features import Features
from ml.models.text.net import Weights
from ml.models.text.search import WAYS


class TitleNet(nn.Module):
    """`Weights.logits` where its gradient is wanted. N-grams and names are one table, of which only
    `used` rows are trained: the rest, most of the buckets, come up in no training title."""

    def __init__(self, start: Weights, used: np.ndarray) -> None:
        super().__init__()
        self._start, self._used = np.concatenate([start.grams, start.names]), used
        self._buckets = len(start.grams)
        table = torch.from_numpy(self._start[used])
        self.table = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum")
        self.ways = nn.Parameter(torch.from_numpy(start.ways.copy()))
        self.bias = nn.Parameter(torch.from_numpy(start.bias.copy()))

    def forward(self, columns: sparse.csr_matrix, ways: sparse.csr_matrix) -> Tensor:
        """Logits [n, k]."""
        found = self.table(
            torch.from_numpy(columns.indices.astype(np.int64)),
            torch.from_numpy(columns.indptr[:-1].astype(np.int64)),
            per_sample_weights=torch.from_numpy(columns.data),
        )
        by_brand = torch.from_numpy(ways.toarray()).reshape(len(found), -1, len(WAYS)) @ self.ways
        return torch.cat([found[:, :-1] + by_brand, found[:, -1:]], dim=1) + self.bias

    def weights(self) -> Weights:
        trained, ways, bias = (
            parameter.detach().numpy() for parameter in (self.table.weight, self.ways, self.bias)
        )
        table = self._start.copy()
        table[self._used] = trained
        return Weights(table[: self._buckets], table[self._buckets :], ways, bias)


class Batches:
    """The loss of any step, from (seed, step) alone."""

    def __init__(self, features: Features, rows: BrandRows, config: Config) -> None:
        columns = sparse.hstack([features.grams, features.names], format="csc")
        self.used = np.flatnonzero(np.diff(columns.indptr))
        self._columns = columns[:, self.used].tocsr()
        self._ways = features.ways
        self._targets = targets(rows.train, rows.labels)
        self._excluded = excluded(rows.train, rows.labels)
        known = self._targets.any(axis=1)
        self._classes = np.where(known, self._targets.argmax(axis=1), -1)
        self._config = config
        self._epoch, self._order = -1, np.empty(0, int)

    def loss(self, net: Any, step: int) -> Tensor:
        rows = self._rows(step)
        loss = partial_label_loss(
            net(self._columns[rows], self._ways[rows]),
            torch.from_numpy(self._targets[rows]),
            torch.from_numpy(self._excluded[rows]),
            smoothing=self._config.label_smoothing,
        )
        squares = net.table.weight.square().sum()
        return loss + self._config.penalty / (2 * len(self._classes)) * squares

    def _rows(self, step: int) -> np.ndarray:
        size = self._config.batch_size
        epoch, within = divmod(step, -(-len(self._classes) // size))
        if epoch != self._epoch:
            rng = np.random.default_rng([self._config.seed, epoch])
            self._epoch = epoch
            self._order = balanced_epoch(self._classes, self._config.balance, rng)
        return self._order[within * size : (within + 1) * size]
