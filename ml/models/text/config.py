"""Configuration of the text model."""

from dataclasses import dataclass

from ml.errors import InputError


@dataclass(frozen=True)
class Config:
    """Attributes:

    brands: the brand list; every brand with a training title when None.
    brands_file: JSON list of `{key, name_en, name_zh, aliases}`; the `brands.json` beside the
        manifest when None, and the brands' keys alone where there is none.
    bits: character n-grams are hashed into 2^bits buckets.
    orders: lengths of the n-grams, characters, ascending.
    balance: 0 shows each title equally often, 1 each class.
    negatives_per_brand, hard_share: as the classifier's.
    epochs, warm_epochs: passes over the training rows, from nothing or from `--init`.
    least_steps: as many more passes are made as it takes to reach so many batches.
    holdout: share of `train` groups kept for calibration when there are no `val` rows.
    penalty: of large weights of n-grams and names: half its product with their sum of squares is
        weighed against the sum of the rows' losses (1 / C of scikit-learn's logistic regression).
    checkpoint_seconds: a checkpoint is written at least this often.
    """

    brands: tuple[str, ...] | None = None
    brands_file: str | None = None
    bits: int = 15
    orders: tuple[int, ...] = (2, 3, 4)
    balance: float = 0.0
    negatives_per_brand: float | None = None
    hard_share: float = 0.5
    epochs: int = 20
    warm_epochs: int = 8
    least_steps: int = 400
    batch_size: int = 128
    learning_rate: float = 0.05
    penalty: float = 0.1
    warmup: float = 0.05
    label_smoothing: float = 0.0
    holdout: float = 0.1
    checkpoint_seconds: float = 10.0
    seed: int = 0
    threads: int | None = 1


def check(config: Config) -> None:
    """Raise InputError for a value out of its range."""
    for name in ("epochs", "warm_epochs", "batch_size", "learning_rate"):
        if getattr(config, name) <= 0:
            raise InputError(f"config: {name} must be above 0")
    for name in ("holdout", "label_smoothing", "warmup"):
        if not 0 <= getattr(config, name) < 1:
            raise InputError(f"config: {name} must be at least 0 and below 1")
    if not 8 <= config.bits <= 24:
        raise InputError("config: bits must be between 8 and 24")
    orders = list(config.orders)
    if not orders or orders != sorted(set(orders)) or orders[0] < 2 or orders[-1] > 8:
        raise InputError("config: orders must be ascending lengths between 2 and 8")
