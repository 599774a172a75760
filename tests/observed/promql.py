"""Which metrics, labels and values an expression names. It reads just enough of PromQL for that; whether an expression is one, Prometheus says."""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""\s+
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<range>\[[^\]]*\])
    | (?P<number>(?:\d|\.\d)[\w.]*)
    | (?P<name>[A-Za-z_:][\w:]*)
    | (?P<sign>=~|!~|!=|==|>=|<=|.)""",
    re.VERBOSE | re.DOTALL,
)
# Words that are followed by a list of labels.
LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
# Words that stand alone.
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}


@dataclass
class Named:
    """What an expression names: each metric with its matchers, and the labels that results are grouped or joined by."""

    metrics: list = field(default_factory=list)
    groups: set = field(default_factory=set)


def tokens(expression):
    found = ((match.lastgroup, match.group()) for match in TOKEN.finditer(expression))
    return [token for token in found if token[0]] + [("end", "")] * 2


def inside(rest):
    """The tokens up to the bracket that closes the one at the front, and how many they are with it."""
    closing = {"(": ")", "{": "}"}[rest[0][1]]
    end = next(n for n, token in enumerate(rest) if token[1] == closing or token[0] == "end")
    return rest[1:end], end + 1


def matchers(listed):
    """`name op "value"`, as many as there are."""
    plain = [text for kind, text in listed if text != ","]
    return [(plain[n], plain[n + 1], plain[n + 2][1:-1]) for n in range(0, len(plain) - 2, 3)]


def named(expression):
    rest, found = tokens(expression), Named()
    while rest[0][0] != "end":
        (kind, text), (_, after) = rest[0], rest[1]
        rest = rest[1:]
        if kind != "name" or text.lower() in WORDS:
            continue
        if text in LISTS:
            if after == "(":
                listed, length = inside(rest)
                found.groups |= {name for kind, name in listed if kind == "name"}
                rest = rest[length:]
        elif after == "{":
            listed, length = inside(rest)
            found.metrics.append((text, matchers(listed)))
            rest = rest[length:]
        elif after not in {"(", "by", "without"}:
            found.metrics.append((text, []))
    return found


def served(text):
    """By metric, as `/metrics` has it: by label, the values that it has."""
    metrics = {}
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        name, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})? \S+", line).groups()
        values = metrics.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""):
            values.setdefault(label, set()).add(value)
    return metrics
