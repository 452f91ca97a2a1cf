"""The page of a report."""

from collections.abc import Mapping
from typing import Any

from ml.evaluate.pages.charts import (
    confusion_chart,
    has_curve,
    reliability_chart,
    spread_chart,
    sweep_chart,
)  # fmt: skip
from ml.evaluate.pages.markup import Markup, tag
from ml.evaluate.pages.parts import (
    bar_row,
    between,
    figure,
    headline,
    legend,
    named,
    number,
    page,
    panel,
    table,
)  # fmt: skip

Report = Mapping[str, Any]
SLICES = {
    "has_logo": "visible mark",
    "logo_size": "size of mark",
    "attack": "attack",
    "source": "source",
    "category": "category",
    "variation": "arrangement",
}
WORDS = {True: "yes", False: "no", None: "not known"}


def report_page(report: Report) -> str:
    """A report of `ml.evaluate.run.evaluate`, of one model or of several."""
    reports = report.get("models") or {report["kind"]: report}
    kinds = ", ".join(reports)
    return page(f"Evaluation: {kinds}", [_model(own, len(reports) > 1) for own in reports.values()])


def _model(report: Report, several: bool) -> Markup:
    left = [part(report) for part in (_sweep, _thresholds, _brands)]
    right = [part(report) for part in (_calibration, _confusion, _risks)]
    stacks = [[part for part in side if part] for side in (left, right)]
    return tag(
        "article",
        _head(report),
        tag("ul", _headlines(report), class_="figures"),
        tag("div", [tag("div", side, class_="stack") for side in stacks if side], class_="columns"),
        tag("div", _slices(report), class_="columns"),
        class_="model" if several else None,
    )


def _head(report: Report) -> Markup:
    closed, opened = report.get("closed", {}), report.get("open", {})
    said = []
    if "n" in closed:
        said.append(f"{closed['n']:,} closed images in {closed['groups']:,} groups")
    if opened:
        said.append(f"{opened['n']:,} open images")
        said.append(f"threshold {opened['threshold']:.4f}")
    if "manifest" in report:
        said.append(f"manifest {report['manifest'][:12]}")
    said.append("intervals are of 95%")
    return tag(
        "header",
        tag("h1", f"{report['kind'].capitalize()}: what it reaches on the test sets"),
        tag("p", " · ".join(said), class_="quiet"),
        class_="head",
    )


def _headlines(report: Report) -> list[Markup]:
    closed, opened = report.get("closed"), report.get("open")
    found = []
    if closed:
        over = len(closed.get("per_brand") or closed.get("per_class") or ())
        names = "brands" if "per_brand" in closed else "kinds"
        mean = number(closed["mean_recall"])
        found.append(headline("closed mean recall", mean, closed["interval"], of=f"{over} {names}"))
    if opened:
        ratio = number(opened["flag_ratio"], True)
        of = f"of {opened['n']:,} open images"
        found.append(headline("flag ratio", ratio, opened["interval"], of=of, share=True))
    if opened and (precision := opened.get("precision")):
        ends = [precision["low"], precision["high"]]
        of = f"{precision['n']:,} of {precision['flagged']:,} flags known"
        found.append(headline("precision of flags", number(precision["value"]), ends, of=of))
    business = report.get("business", {})
    for key, name in (("recall_logo", "with logo"), ("recall_no_logo", "no logo")):
        if key in business:
            ends, n = business["intervals"][key], business["n"][key]
            of = f"{n:,} images"
            found.append(headline(f"business, {name}", number(business[key]), ends, of=of))
    for key, name in (("map50", "mAP@0.5"), ("map50_95", "mAP@0.5:0.95")):
        if key in report:
            found.append(headline(name, number(report[key]), None, of="closed set, boxes"))
    if "closed" in (calibration := report.get("calibration", {})):
        error = number(calibration["closed"]["ece"])
        found.append(headline("calibration error", error, None, of="closed set, 10 bins"))
    return found


def _sweep(report: Report) -> Markup | None:
    if not has_curve(report.get("sweep", ())):
        return None
    marks = [
        {
            "flag_ratio": line["flag_ratio"]["value"],
            "recall": line["recall"]["value"],
            "name": f"{line['threshold']:g}",
        }
        for line in report.get("fixed_thresholds", ())
        if line.get("flag_ratio", {}).get("value")
    ]
    opened, closed = report["open"], report["closed"]
    if opened["flag_ratio"]:
        marks.append(
            {
                "flag_ratio": opened["flag_ratio"],
                "recall": closed["mean_recall"],
                "interval": closed["interval"],
                "name": "in use",
            }
        )
    note = (
        "What more recall costs in flags to review, as one threshold for all brands moves. "
        "The band is the interval of the recall; small points are the thresholds 0.5, 0.9, 0.99."
    )
    return panel("Recall against flag ratio", sweep_chart({"": report["sweep"]}, marks), note=note)


def _thresholds(report: Report) -> Markup | None:
    lines = report.get("fixed_thresholds")
    if not lines:
        return None
    rows = [
        tag(
            "tr",
            tag("th", f">\N{NO-BREAK SPACE}{line['threshold']:g}", scope="row"),
            figure(line.get("recall")),
            figure(line.get("flag_ratio"), share=True),
            figure(line.get("precision")),
        )
        for line in lines
    ]
    head = ("score", "recall", "flagged", "precision")
    note = (
        "Closed mean recall, open flag ratio, and precision of the open flags whose truth is known."
    )
    compact = tag("div", table(head, rows), class_="stacked")
    return panel("At fixed thresholds", compact, note=note)


def _brands(report: Report) -> Markup | None:
    closed = report.get("closed", {})
    by_name = closed.get("per_brand") or closed.get("per_class")
    if not by_name:
        return None
    ordered = sorted(by_name.items(), key=lambda item: (item[1]["recall"], item[0]))
    rows = [bar_row(name, _figure(found)) for name, found in ordered]
    what = "brand" if "per_brand" in closed else "arrangement"
    head = (what, "", "recall", "images")
    return panel(f"Recall by {what}", table(head, rows), note="Weakest first.")


def _figure(found: Mapping[str, Any]) -> dict[str, Any]:
    low, high = found["interval"]
    return {"value": found["recall"], "low": low, "high": high, "n": found["n"]}


def _confusion(report: Report) -> Markup | None:
    found = report.get("confusion")
    if not found or not found["pairs"]:
        return None
    rows = [
        tag(
            "tr",
            named(f"{pair['true']} → {pair['said']}", most=36),
            tag("td", f"{pair['n']:,}", class_="number"),
            tag("td", f"{pair['share']:.0%}", class_="number"),
            tag("td", f"{pair['flagged']:,}", class_="number"),
        )
        for pair in found["pairs"][:8]
    ]
    head = ("shown → taken for", "images", "of the brand", "flagged")
    note = (
        "Closed images by the brand shown (rows) and the brand with the highest score (columns), "
        "at any threshold; the brands most often mixed up. Tint: share of the row."
    )
    return panel("Brands taken for others", confusion_chart(found), table(head, rows), note=note)


def _risks(report: Report) -> Markup | None:
    found = report.get("risks")
    if not found:
        return None
    right, alone = found["right"], found["by_price_alone"]
    said = (
        f"Of {right['n']:,} found items the risk was right in {right['value']:.1%} "
        f"({between((right['low'], right['high']), share=True)}); by licence and price alone in "
        f"{alone['value']:.1%}."
    )
    told = [
        f"{name} ranked above neither in {one['auc']:.0%} of pairs "
        f"({between(one['interval'], share=True)})"
        for name, one in report.get("attacks", {}).items()
    ]
    rows = [
        tag(
            "tr",
            named(f"{pair['true']} → {pair['said']}", most=36),
            tag("td", f"{pair['n']:,}", class_="number"),
        )
        for pair in sorted(found["pairs"], key=lambda pair: -pair["n"])
    ]
    note = " ".join([said, *([f"By the picture: {'; '.join(told)}."] if told else [])])
    return panel("Which risk it is", table(("risk → proposed", "images"), rows), note=note)


def _calibration(report: Report) -> Markup | None:
    found = report.get("calibration")
    if not found:
        return None
    names = [f"{name} set, error {part['ece']:.3f}" for name, part in found.items()]
    note = (
        "Of the images with such a score, how many do show the brand named. On the diagonal a "
        "score means what it says; below it the model is too sure."
    )
    charts = (legend(names), reliability_chart(found), spread_chart(found))
    return panel("Do scores mean what they say?", *charts, note=note)


def _slices(report: Report) -> list[Markup]:
    titles = {
        "closed": ("Closed recall by kind of image", "recall"),
        "business": ("Business recall by kind of image", "recall"),
        "open": ("Open flag ratio by kind of image", "flagged"),
    }
    found = report.get("slices", {})
    return [
        panel(title, [_slice(by, lines, what) for by, lines in found[name].items()])
        for name, (title, what) in titles.items()
        if found.get(name)
    ]


def _slice(by: str, lines: list[Mapping[str, Any]], what: str) -> Markup:
    share = what == "flagged"
    # Flag ratios are small: the longest bar takes a third of the width.
    largest = max(line["value"] for line in lines) if share else 0.0
    reach = min(1.0, 3 * largest) or 1.0
    rows = [bar_row(_word(line["of"]), line, share=share, reach=reach) for line in lines]
    return table((SLICES[by], "", what, "images"), rows)


def _word(value: object) -> str:
    return WORDS[value] if value is None or isinstance(value, bool) else str(value)
