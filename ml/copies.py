"""Whether one picture is a modified copy of another: cropped, resized, recoloured, mirrored,
bordered, or several of these.

Two pictures are laid over each other, by the whole frame first, then by local features (SIFT,
Lowe, IJCV 60, 2004; descriptors rooted as in Arandjelović and Zisserman, CVPR 2012) whose matches
agree on one scaling, turn and shift (RANSAC). What lies over each other is then compared grey
level by grey level: features alone would call two goods with one logo copies.
"""

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 320  # pixels of the longer side, for features and comparison alike
RATIO = 0.8  # a match must be so much nearer than the next best (Lowe)
LEAST_MATCHES = 8
REPROJECTION = 4.0  # pixels
LEAST_OVERLAP = 0.2  # of the smaller frame
LEAST_SCALE = 0.25
# Of what lies over each other. Chosen on generated pictures: docs/benchmarks.md.
LEAST_SIMILARITY = 0.75
BLOCK = 32  # pixels
EVEN = 2.5  # levels of spread below which a block shows nothing
STRONG = 12.0  # levels of spread from which more counts no more
LEAST_BLOCKS = 6
RECOLOURED = 8.0  # mean difference of levels, of 255, in what overlaps
WHOLE = 0.93  # less of a frame seen: cropped or bordered
BORDER_LEVELS = 24  # difference from the corner's colour, of 255, that ends a border
BORDER_SPECKS = 0.03  # share of a row that may differ all the same
BORDER_SPREAD = 9.0  # levels: outside of the copy, an even surface is a border


@dataclass(frozen=True)
class Match:
    """How a picture was changed into the other, most telling first, and how alike what they share
    is, 0 to 1."""

    changes: tuple[str, ...]
    similarity: float


@dataclass(frozen=True)
class Prepared:
    """A picture made ready once for many comparisons: `grey` and `colour` uint8, the longer side
    SIDE; the original's size in pixels; keypoints float32 [n, 2], descriptors float32 [n, 128] of
    the picture and of its mirror image; `inside`: x1, y1, x2, y2 of what an even border leaves."""

    colour: np.ndarray
    grey: np.ndarray
    size: tuple[int, int]
    points: tuple[np.ndarray, np.ndarray]
    descriptors: tuple[np.ndarray, np.ndarray]
    inside: tuple[int, int, int, int]


def prepare(picture: np.ndarray) -> Prepared:
    """`picture` as uint8 RGB [height, width, 3]."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    colour = cv2.resize(picture, size, interpolation=way)
    grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    plain, mirrored = _features(grey), _features(cv2.flip(grey, 1))
    return Prepared(
        colour=colour,
        grey=grey,
        size=(width, height),
        points=(plain[0], mirrored[0]),
        descriptors=(plain[1], mirrored[1]),
        inside=_inside(colour),
    )


def _inside(colour: np.ndarray) -> tuple[int, int, int, int]:
    """What is left of a picture without rows and columns of its corner's colour at its edges; the
    whole when nothing would be."""
    height, width = colour.shape[:2]
    corner = np.median(colour[:3, :3].reshape(-1, 3), axis=0)
    differs = np.abs(colour.astype(np.int16) - corner).max(axis=2) > BORDER_LEVELS
    rows = np.flatnonzero(differs.mean(axis=1) > BORDER_SPECKS)
    columns = np.flatnonzero(differs.mean(axis=0) > BORDER_SPECKS)
    if not len(rows) or not len(columns):
        return 0, 0, width, height
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _features(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Its stubs lack what the library has.
    sift = cv2.SIFT_create(nfeatures=800, contrastThreshold=0.02)  # type: ignore[attr-defined]
    keypoints, found = sift.detectAndCompute(grey, None)
    if found is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    points = np.array([keypoint.pt for keypoint in keypoints], np.float32)
    rooted = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-7))
    return points, rooted.astype(np.float32)


def compare(one: Prepared, other: Prepared) -> Match | None:
    """How `other` was made from `one`, or the other way round; None when they are no copies."""
    best: tuple[float, bool, np.ndarray] | None = None
    for mirrored in (False, True):
        for placed in (_whole_frame(one, other), _by_features(one, other, mirrored)):
            if placed is None:
                continue
            similarity = _similarity(one, other, placed, mirrored)
            if similarity is not None and (best is None or similarity > best[0]):
                best = similarity, mirrored, placed
    if best is None or best[0] < LEAST_SIMILARITY:
        return None
    similarity, mirrored, placed = best
    return Match(_changes(one, other, placed, mirrored), round(float(similarity), 4))


def _whole_frame(one: Prepared, other: Prepared) -> np.ndarray:
    """[2, 3]: the frame of `one` stretched to that of `other`."""
    (height, width), (to_height, to_width) = one.grey.shape, other.grey.shape
    return np.array([[to_width / width, 0, 0], [0, to_height / height, 0]], np.float64)


def _by_features(one: Prepared, other: Prepared, mirrored: bool) -> np.ndarray | None:
    """[2, 3]: the scaling, turn and shift that the features' matches agree on."""
    theirs, ours = other.descriptors[0], one.descriptors[int(mirrored)]
    if len(ours) < LEAST_MATCHES or len(theirs) < LEAST_MATCHES:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(ours, theirs, k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < RATIO * p[1].distance]
    if len(good) < LEAST_MATCHES:
        return None
    source = one.points[int(mirrored)][[match.queryIdx for match in good]]
    target = other.points[0][[match.trainIdx for match in good]]
    cv2.setRNGSeed(0)  # the same pictures, the same answer
    placed, inliers = cv2.estimateAffinePartial2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=REPROJECTION, maxIters=2000
    )
    if placed is None or int(inliers.sum()) < LEAST_MATCHES:
        return None
    scale = float(np.hypot(placed[0, 0], placed[1, 0]))
    return placed if LEAST_SCALE < scale < 1 / LEAST_SCALE else None


def _laid_over(
    one: Prepared, other: Prepared, placed: np.ndarray, mirrored: bool, *, colour: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`one` in the frame of `other`, `other` itself, and a mask of where both are."""
    source, target = (one.colour, other.colour) if colour else (one.grey, other.grey)
    if mirrored:
        source = cv2.flip(source, 1)
    height, width = target.shape[:2]
    moved = cv2.warpAffine(source, placed, (width, height), flags=cv2.INTER_AREA)
    mask = cv2.warpAffine(_frame(one, mirrored), placed, (width, height), flags=cv2.INTER_NEAREST)
    mask = cv2.erode(mask & _frame(other, False), np.ones((5, 5), np.uint8))
    return moved, target, mask > 0


def _frame(picture: Prepared, mirrored: bool) -> np.ndarray:
    """uint8 [height, width]: 1 inside of the picture's border."""
    frame = np.zeros(picture.grey.shape, np.uint8)
    left, top, right, bottom = picture.inside
    frame[top:bottom, left:right] = 1
    return cv2.flip(frame, 1) if mirrored else frame


def _similarity(one: Prepared, other: Prepared, placed: np.ndarray, mirrored: bool) -> float | None:
    """How alike what both show is: the correlation of the fine structure, so that a change of
    light, contrast or colour costs little; None when they share too little to tell."""
    moved, target, mask = _laid_over(one, other, placed, mirrored, colour=False)
    scale = abs(np.linalg.det(placed[:, :2]))
    smaller = min(_frame(other, False).sum(), _frame(one, False).sum() * scale)
    if mask.sum() < LEAST_OVERLAP * smaller:
        return None
    return _correlation(_structure(moved, mask), _structure(target, mask), mask)


def _structure(grey: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What is left of a picture without its light: each level against its surroundings."""
    levels = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.5)
    weight = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 16.0)
    around = cv2.GaussianBlur(levels * mask, (0, 0), 16.0) / np.maximum(weight, 1e-3)
    return levels - around


def _correlation(one: np.ndarray, other: np.ndarray, mask: np.ndarray) -> float | None:
    """The mean over blocks of how their structure correlates, whichever way round: other colours
    may turn dark on light into light on dark. By blocks, because the outline of a common good
    would else outweigh that only one of two pictures has a print on it."""
    height, width = mask.shape
    found, weights = [], []
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            block = np.s_[top : top + BLOCK, left : left + BLOCK]
            inside = mask[block]
            if inside.sum() < BLOCK * BLOCK / 2:
                continue
            a, b = one[block][inside], other[block][inside]
            a, b = a - a.mean(), b - b.mean()
            energy = float(np.sqrt(max((a * a).mean(), (b * b).mean())))
            if energy < EVEN:
                continue
            spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
            found.append(abs(float((a * b).sum())) / spread if spread else 0.0)
            weights.append(min(energy, STRONG))
    if len(found) < LEAST_BLOCKS:  # plain surfaces are copies of nothing
        return None
    return float(np.average(found, weights=weights))


def _changes(one: Prepared, other: Prepared, placed: np.ndarray, mirrored: bool) -> tuple[str, ...]:
    """What was done, as far as the overlay shows it."""
    said = ["mirrored"] if mirrored else []
    moved, target, mask = _laid_over(one, other, placed, mirrored, colour=True)
    back = cv2.invertAffineTransform(placed)
    source = cv2.flip(one.colour, 1) if mirrored else one.colour
    there = cv2.warpAffine(
        mask.astype(np.uint8), back, source.shape[1::-1], flags=cv2.INTER_NEAREST
    )
    left_out = [_left_out(target, mask), _left_out(source, there > 0)]
    if "scene" in left_out:
        said.append("cropped")
    # A plain ground that both have round the product is no border of one of them.
    if "border" in left_out and left_out != ["border", "border"]:
        said.append("bordered")
    difference = np.abs(moved[mask].astype(np.int16) - target[mask].astype(np.int16)).mean()
    if difference > RECOLOURED:
        said.append("recoloured")
    if _resized(one, other, placed):
        said.append("resized")
    return tuple(said) or ("same",)


def _left_out(picture: np.ndarray, seen: np.ndarray) -> str:
    """What the overlay leaves out of a picture: nothing, an even `border`, or some of its
    `scene`."""
    if seen.mean() >= WHOLE:
        return ""
    return "border" if _is_even(picture, ~seen) else "scene"


def _is_even(picture: np.ndarray, where: np.ndarray) -> bool:
    """Whether a part is one even surface: a border somebody put round it."""
    part = picture[cv2.erode(where.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0]
    return bool(len(part)) and float(part.std(axis=0).mean()) < BORDER_SPREAD


def _resized(one: Prepared, other: Prepared, placed: np.ndarray) -> bool:
    """Whether a pixel of one is not a pixel of the other."""
    inside = float(np.sqrt(abs(np.linalg.det(placed[:, :2]))))
    reduced = max(one.grey.shape) / max(one.size)
    theirs = max(other.grey.shape) / max(other.size)
    return not 0.95 < inside * reduced / theirs < 1.05
