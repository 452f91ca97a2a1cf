"""The page of a comparison."""

from collections.abc import Mapping
from typing import Any

from ml.evaluate.pages.charts import change_bar, has_curve, sweep_chart
from ml.evaluate.pages.markup import Markup, tag
from ml.evaluate.pages.parts import legend, named, number, page, panel, table

Found = Mapping[str, Any]


def compare_page(found: Found) -> str:
    """A comparison of `ml.evaluate.compare.compare`."""
    names = [f"{side}: {found[side]['scores']} ({found[side]['kind']})" for side in ("a", "b")]
    left = [part for part in (_sweeps(found, names), _images(found)) if part]
    right = [part for part in (_brands(found),) if part]
    return page(
        "Comparison of two models",
        tag(
            "header",
            tag("h1", "Two models on the same images"),
            tag("p", " · ".join([*names, "differences are b − a, intervals of 95%, paired"]),
                class_="quiet"),
            class_="head",
        ),
        tag("ul", [tag("li", said) for said in found["verdict"]], class_="verdict"),
        _changes(found),
        tag("div", *(tag("div", part, class_="stack") for part in (left, right) if part),
            class_="columns"),
    )  # fmt: skip


def _changes(found: Found) -> Markup:
    business = found.get("business", {})
    lines = {
        "closed mean recall": found.get("closed"),
        "open flag ratio": found.get("open"),
        "business recall": business.get("recall"),
        "business, with logo": business.get("recall_logo"),
        "business, no logo": business.get("recall_no_logo"),
    }
    rows = [_row(name, line, "flag" in name) for name, line in lines.items() if line]
    head = ("", "a", "b", "change", "", "interval", "a only", "b only", "p", "")
    note = (
        "“a only” and “b only” count groups of near-duplicates on which just one model has more "
        "hits (or flags); p is the exact sign test on them."
    )
    return panel("What changed", table(head, rows), note=note)


def _row(name: str, line: Found, ratio: bool) -> Markup:
    low, high = line["interval"]
    reach = max(abs(low), abs(high), 0.02)
    bar = change_bar(line["difference"], low, high, reach=reach, neutral=ratio)
    return tag(
        "tr",
        tag("th", name, scope="row"),
        *(tag("td", number(line[side], ratio), class_="number") for side in ("a", "b")),
        tag("td", _signed(line["difference"], ratio), class_="number"),
        tag("td", bar, class_="bars"),
        tag("td", f"{_signed(low, ratio)} to {_signed(high, ratio)}", class_="number interval"),
        *(tag("td", f"{line[key]:,}", class_="number") for key in ("a_only", "b_only")),
        tag("td", "< 0.001" if line["p"] < 0.001 else f"{line['p']:.3f}", class_="number"),
        tag("td", _chip(line, ratio)),
    )


def _chip(line: Found, ratio: bool = False) -> Markup:
    if not line["a_only"] and not line["b_only"]:
        return tag("span", "no change", class_="chip")
    if not line["distinguishable"]:
        return tag("span", "could be chance", class_="chip")
    up = line["difference"] > 0
    word = "higher" if up else "lower"
    # More flags are neither good nor bad by themselves.
    colour = "" if ratio else (" better" if up else " worse")
    return tag("span", word, class_=f"chip{colour}")


def _signed(value: float, ratio: bool = False) -> str:
    return (f"{value:+.2%}" if ratio else f"{value:+.3f}").replace("-", "−")


def _sweeps(found: Found, names: list[str]) -> Markup | None:
    curves = {side: found[side]["sweep"] for side in ("a", "b") if "sweep" in found[side]}
    if len(curves) < 2 or not all(map(has_curve, curves.values())):
        return None
    note = "Each model's recall at any flag ratio, whatever thresholds they run with."
    return panel("Recall against flag ratio", legend(names), sweep_chart(curves), note=note)


def _images(found: Found) -> Markup | None:
    if "closed" not in found:
        return None
    counts = found["closed"]["images"]
    rows = [
        tag("tr", tag("th", f"a {name}", scope="row"),
            *(tag("td", f"{counts[key]:,}", class_="number") for key in keys))
        for name, keys in (("finds it", ("both", "a_only")), ("misses it", ("b_only", "neither")))
    ]  # fmt: skip
    return panel("Closed images", table(("", "b finds it", "b misses it"), rows))


def _brands(found: Found) -> Markup | None:
    by_brand = found.get("closed", {}).get("per_brand")
    if not by_brand:
        return None
    ordered = sorted(by_brand.items(), key=lambda item: (-abs(item[1]["difference"]), item[0]))
    reach = max(max(abs(x) for x in row["interval"]) for row in by_brand.values()) or 1.0
    rows = [
        tag(
            "tr",
            named(name, most=22),
            tag("td", number(row["a"]), class_="number"),
            tag("td", number(row["b"]), class_="number"),
            tag("td", change_bar(row["difference"], *row["interval"], reach=reach), class_="bars"),
            tag("td", _signed(row["difference"]), class_="number"),
            tag("td", f"{row['n']:,}", class_="number"),
            tag("td", _chip(row) if row["distinguishable"] else None),
        )
        for name, row in ordered
    ]
    note = (
        "Largest change first. A brand is marked only where its change holds against the number of "
        "brands looked at (Holm)."
    )
    left_out = found.get("not_shared") or ()
    said = tag("p", f"Known to one model only: {', '.join(left_out)}", class_="quiet")
    head = ("brand", "a", "b", "", "change", "images", "")
    return panel("Recall by brand", table(head, rows), said if left_out else None, note=note)
