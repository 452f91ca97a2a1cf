"""Points, affine maps and smooth outlines. Points are float arrays [n, 2], y downwards; a map is
an array [2, 3] applied as `points @ map[:, :2].T + map[:, 2]`."""

import numpy as np

Points = np.ndarray
Affine = np.ndarray


def apply(matrix: Affine, points: Points) -> Points:
    return points @ matrix[:, :2].T + matrix[:, 2]


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map that does `inner` first."""
    linear = outer[:, :2] @ inner[:, :2]
    shift = outer[:, :2] @ inner[:, 2] + outer[:, 2]
    return np.column_stack([linear, shift])


def placement(
    *, centre: tuple[float, float], scale: tuple[float, float], degrees: float, shear: float = 0.0
) -> Affine:
    """Scale, shear and turn about the origin, then move the origin to `centre`."""
    turn = np.radians(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotation @ np.array([[1.0, shear], [0.0, 1.0]]) @ np.diag(scale)
    return np.column_stack([linear, np.asarray(centre, dtype=float)])


def smooth(points: Points, rounds: int = 3) -> Points:
    """Round a closed polygon's corners (Chaikin, "An algorithm for high-speed curve generation",
    1974)."""
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0)
        points = np.stack(
            [0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1
        ).reshape(-1, 2)
    return points


def ellipse(cx: float, cy: float, rx: float, ry: float, n: int = 36) -> Points:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], axis=1)


def arc(
    *, outer: float, inner: float, start: float, end: float, centre: tuple[float, float] = (0, 0)
) -> Points:
    """A ring's sector from `start` to `end` degrees, clockwise on the screen."""
    angle = np.radians(np.linspace(start, end, 24))
    rim = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return moved(np.concatenate([rim * outer, rim[::-1] * inner]), *centre)


def moved(points: Points, x: float, y: float) -> Points:
    return points + np.array((x, y))


def rounded(points: Points, radius: float) -> Points:
    """A closed polygon with its corners rounded over `radius` of each side."""
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    steps = np.linspace(0, 1, 5)[:, None, None]
    reach = [
        np.minimum(0.5, radius / np.linalg.norm(other - points, axis=1, keepdims=True))
        for other in (before, after)
    ]
    start = points + (before - points) * reach[0]
    end = points + (after - points) * reach[1]
    curve = (1 - steps) ** 2 * start + 2 * steps * (1 - steps) * points + steps**2 * end
    return curve.transpose(1, 0, 2).reshape(-1, 2)


def regular(n: int, radius: float = 1.0, start: float = -90.0) -> Points:
    angle = np.radians(start) + np.arange(n) * 2 * np.pi / n
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def star(n: int, inner: float) -> Points:
    """A star of `n` points of radius 1, its notches at radius `inner`."""
    return np.stack([regular(n), regular(n, inner, -90 + 180 / n)], axis=1).reshape(-1, 2)


def bounds(points: Points) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 of the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
