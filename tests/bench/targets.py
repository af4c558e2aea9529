# SPDX-License-Identifier: MIT
"""What minats is to reach, and whether it does: a table of the bench's own lines."""

from fractions import Fraction

KB = 1000

# (case, figure): the ratio to nats-server's median, and to the relay's; None: no such target.
RATIOS = {
    ("publish-16", "cpu_ns_per_message"): (Fraction(1, 6), 4),
    ("one-to-one-16", "cpu_ns_per_message"): (Fraction(1, 6), 4),
    ("one-to-one-128", "cpu_ns_per_message"): (Fraction(1, 5), 2.5),
    ("one-to-one-1024", "cpu_ns_per_message"): (Fraction(1, 5), 1.5),
    ("one-to-one-65536", "cpu_ns_per_message"): (Fraction(1, 5), 1.5),
    ("one-to-ten-128", "cpu_ns_per_message"): (Fraction(1, 5), 2.5),
    ("one-to-hundred-128", "cpu_ns_per_message"): (Fraction(1, 5), 2.5),
    ("queue-of-ten-128", "cpu_ns_per_message"): (Fraction(1, 8), None),
    ("publish-over-200000", "cpu_ns_per_message"): (Fraction(1, 15), None),
    ("request-reply", "cpu_ns_per_message"): (Fraction(10, 23), 1.25),
    ("request-reply", "p50_us"): (1, 1.15),
    ("accept-to-pong", "cpu_ns_per_message"): (Fraction(1, 2), 1.4),
    ("publish-16", "messages_per_s"): (2, None),
    ("one-to-one-16", "messages_per_s"): (2, None),
    ("one-to-one-128", "messages_per_s"): (2, None),
    ("one-to-one-1024", "messages_per_s"): (2, None),
    ("one-to-one-65536", "messages_per_s"): (2, None),
    ("one-to-ten-128", "messages_per_s"): (2, None),
    ("one-to-hundred-128", "messages_per_s"): (2, None),
    ("queue-of-ten-128", "messages_per_s"): (2, None),
    ("publish-over-200000", "messages_per_s"): (2, None),
    ("subscribe", "messages_per_s"): (5, None),
    ("unsubscribe", "messages_per_s"): (5, None),
}
# The share of rounds in which minats is better than nats-server.
WON = {("request-reply", "p99_us"): Fraction(4, 5)}
# At most so much, whatever the others take.
MOST = {
    ("base-memory", "base_bytes"): 400 * KB,
    ("idle", "bytes_per_connection"): 512,
    ("subscription-memory", "bytes_per_subscription"): 120,
    ("recovery", "left_bytes"): 512 * KB,
    ("wake-ups", "wake_ups"): 0,
    ("recovery", "wake_ups"): 0,
}
SAID = {True: "met", False: "NOT MET", None: "-"}
UNITS = {"cpu_ns_per_message": "CPU", "messages_per_s": "per second"}


def format_number(value):
    """Three digits or more, thousands apart."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.1f}"


def format_ratio(value):
    """As 1/5.2 or 2.31 x, as the targets are written."""
    if value is None or value <= 0:
        return "-"
    return f"1/{1 / value:.2f}" if 0 < value < 1 else f"{value:.2f} x"


def entry(line, against, target, measured, met):
    """One comparison; target and measured are text, met is None where nothing was measured."""
    unit = UNITS.get(line["figure"])
    return {"label": f"{line['label']}, {unit}" if unit and unit not in line["label"]
            else line["label"], "case": line["case"], "figure": line["figure"],
            "against": against, "target": target, "measured": measured, "met": met}


def judge_ratio(line, against, limit):
    """Of two medians."""
    ratio = line["ratio"].get(against)
    more = line["better"] == "more"
    met = None if ratio is None else bool(ratio >= limit if more else ratio <= limit)
    sign = "≥" if more else "≤"
    return entry(line, against, f"{sign} {format_ratio(float(limit))}", format_ratio(ratio), met)


def judge_targets(lines):
    """A list of comparisons, in the order of the lines."""
    judged = []
    for line in lines:
        key = line["case"], line["figure"]
        for against, limit in zip(("nats-server", "relay"), RATIOS.get(key, ())):
            if limit is not None:
                judged.append(judge_ratio(line, against, limit))
        if key in WON:
            won, rounds = line["won"], len(line["rounds"].get("minats", []))
            judged.append(entry(line, "nats-server", f"won {WON[key]}",
                                "-" if won is None else f"won {won}/{rounds}",
                                None if won is None else won >= WON[key] * rounds))
        if key in MOST:
            value = line["median"].get("minats")
            judged.append(entry(line, None, f"≤ {format_number(MOST[key])}", format_number(value),
                                None if value is None else value <= MOST[key]))
    return judged


def print_targets(judged):
    """One row for what is compared, the contestants beside each other."""
    ratios, alone = {}, []
    for item in judged:
        cells = [item["measured"], item["target"], SAID[item["met"]]]
        if item["against"]:
            ratios.setdefault(item["label"], {})[item["against"]] = cells
        else:
            alone.append([item["label"]] + cells)
    none = ["", "", ""]
    print_columns(["targets", "to nats-server", "target", "", "to relay", "target", ""],
                  [[label] + cells.get("nats-server", none) + cells.get("relay", none)
                   for label, cells in ratios.items()])
    print_columns(["targets", "minats", "target", ""], alone)
    met = [item["met"] for item in judged]
    print(f"\n{met.count(True)} targets met, {met.count(False)} not met"
          + (f", {met.count(None)} not measured" if None in met else ""))


def print_columns(head, rows):
    """Figures to the right; the label and what is said of them to the left."""
    if not rows:
        return
    print()
    widths = [max(len(row[i]) for row in rows + [head]) for i in range(len(head))]
    for row in [head] + rows:
        print("  ".join(cell.ljust(width) if i % 3 == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
