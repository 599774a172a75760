"""Every name of a metric, of a label, and of a value that a label can have, in rules, dashboard and pages, is one that is served."""

import re

from promql import named

# What Prometheus adds to what it scrapes.
ADDED = {"job", "instance"}
# Labels with a closed set of values, all of which are served from the start. The values of others depend on the configuration and on providers.
CLOSED = {"hold", "outcome", "verdict", "operation", "finding", "limit", "change", "le"}
SCRAPED = {"up": {"job": set(), "instance": set()}}


def fits(operator, pattern, values):
    """Whether some value that is served can fit. A negation excludes one that must be served as well."""
    if operator in {"=", "!="}:
        return pattern in values
    return any(re.fullmatch(pattern, value) for value in values)


def faults(place, expression, metrics):
    """What an expression names and nobody serves."""
    found, labels = named(expression), set(ADDED)
    said = [] if found.metrics else [f"{place}: no metric in {expression}"]
    for name, matchers in found.metrics:
        if name not in metrics:
            said.append(f"{place}: {name} is not served")
            continue
        labels |= set(metrics[name])
        for label, operator, value in matchers:
            if label not in ADDED | set(metrics[name]):
                said.append(f"{place}: {name} has no label {label}")
            elif label in CLOSED and not fits(operator, value, metrics[name][label]):
                said.append(f"{place}: no {label} of {name} is {value}")
    return said + [f"{place}: nothing here has the label {label}" for label in sorted(found.groups - labels)]


def recorded(rules):
    """What recording rules make, with the labels that they keep."""
    return {rule["name"]: {label: set() for label in named(rule["query"]).groups} for rule in rules if rule["type"] == "recording"}


def shown_labels(rule):
    """The labels that an alert's texts speak of."""
    return set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))


def alert_faults(rule, metrics):
    """The texts of an alert name only labels that its expression keeps."""
    found = named(rule["query"])
    kept = found.groups or ADDED | {label for name, _ in found.metrics for label in metrics.get(name, {})}
    return [f"{rule['name']}: its text speaks of {label}, which it has not" for label in sorted(shown_labels(rule) - kept)]


def expressions(page):
    """The PromQL that a page shows: what stands in fences called promql."""
    return [fence.strip() for fence in re.findall(r"```promql\n(.*?)```", page, re.DOTALL)]


def mentions(page):
    """Metrics within running text and tables: `name`, `name{label}`, `name{label="value"}`, or a whole expression."""
    inline = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    for code in re.findall(r"`([^`]*session_reaper_[^`]*)`", inline):
        listed = re.fullmatch(r"(\w+)\{([\w, ]*)\}", code)
        yield f"sum by ({listed[2]}) ({listed[1]})" if listed else code


def page_faults(place, page, metrics):
    # People call a histogram by the name that its series begin with.
    histograms = {name.removesuffix("_count"): labels for name, labels in metrics.items() if name.endswith("_count")}
    said = [fault for expression in expressions(page) for fault in faults(place, expression, metrics)]
    return said + [fault for mention in mentions(page) for fault in faults(place, mention, metrics | histograms)]


def runbook_faults(runbook, alerts):
    """Every alert has its entry, every entry its alert, and every entry what an entry needs."""
    entries = dict(re.findall(r"^## (Session\w+)\n(.*?)(?=^## |\Z)", runbook, re.DOTALL | re.MULTILINE))
    names = {alert["name"] for alert in alerts}
    said = [f"{name}: no entry in the runbook" for name in sorted(names - set(entries))]
    said += [f"{name}: an entry in the runbook and no alert" for name in sorted(set(entries) - names)]
    for alert in alerts:
        if alert["annotations"].get("runbook_url") != f"deploy/RUNBOOK.md#{alert['name'].lower()}":
            said.append(f"{alert['name']}: its runbook_url does not lead to its entry")
    for name, entry in entries.items():
        said += [f"{name}: its entry lacks {part}" for part in ("**Means**", "**Look at**", "**Do**", "**Nothing to do**") if part not in entry]
    return said


def untried(tests, alerts):
    """Every alert has a unit test in which it fires, and one in which it does not."""
    said = []
    for alert in alerts:
        cases = re.findall(rf"alertname: {alert['name']}\n\s*(exp_alerts:)?", tests)
        said += [] if any(cases) else [f"{alert['name']}: no unit test in which it fires"]
        said += [] if "" in cases else [f"{alert['name']}: no unit test in which it does not"]
    return said
