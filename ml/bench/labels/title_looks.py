"""Titles as points beside the images' embeddings, for campaigns on goods that have both."""

import math
from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

DIMENSIONS = 128


def title_looks(titles: Sequence[str]) -> np.ndarray:
    """(n, d) float32, L2-normalised, zeros where there is no title; d is 0 where there are too few
    of them to tell apart. Character n-grams, brought to their main directions; no label has a part
    in them (latent semantic analysis, Deerwester et al. 1990)."""
    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    if len(set(titles) - {""}) < 2:
        return np.zeros((len(titles), 0), np.float32)
    found = words.fit_transform(titles)
    dimensions = min(DIMENSIONS, *(side - 1 for side in found.shape))
    main = TruncatedSVD(dimensions, random_state=0).fit_transform(found)
    return np.asarray(normalize(main), np.float32)


def beside(looks: np.ndarray, titles: np.ndarray) -> np.ndarray:
    """Each image's look and its title's as one, both of the same weight: of length one, and shorter
    where there is no title, so that an image weighs the same whether it has one or not."""
    return np.asarray(np.concatenate([looks, titles], axis=1) / math.sqrt(2), np.float32)
