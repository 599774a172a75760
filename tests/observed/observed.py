"""Has a real Prometheus watch the real daemon: the team's configuration, in observe mode, on the simulated providers, with a token before its metrics.

Then everything in deploy/ and on the pages that speaks of metrics is held against what is served; last it watches the demonstration, and counts what that
releases. Loopback only; every process ends with this one.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import names
from promql import served

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
TOKEN = "a-token-of-this-test"
PAGES = ["README.md", "ARCHITECTURE.md", "deploy/README.md", "deploy/RUNBOOK.md", "deploy/TEAM.md"]
# What Grafana puts in for its variables.
VARIABLES = {"$__rate_interval": "1m", "$account": ".+"}


def check(holds, what):
    if not holds:
        sys.exit(f"failed: {what}")


def eventually(what, attempt):
    """Tries until there is something, which it gives."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := attempt()):
        check(time.monotonic() < deadline, f"not within {PATIENCE_SECONDS}s: {what}")
        time.sleep(0.05)
    return found


def get(url, token=None):
    """The body; nothing where nobody answers well."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.read().decode() if refused.headers.get_content_type() == "application/json" else None
    except OSError:
        return None


class Process:
    """A program whose lines are read from a file; killed at the end."""

    def __init__(self, stack, folder, name, *command, **environment):
        self.said = folder / f"{name}.said"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SESSION_REAPER")}
        with open(self.said, "w") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL, env=clean | environment)
        stack.callback(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()

    def line(self, pattern):
        """What the first line with this pattern has in its group."""
        def look():
            check(self.process.poll() is None, f"it ended by itself:\n{self.said.read_text()}")
            return re.search(pattern, self.said.read_text())
        return eventually(f"a line with {pattern} in {self.said.name}", look)[1]


class Prometheus:
    def __init__(self, address):
        self.url = f"http://{address}/api/v1"

    def ask(self, path, **parameters):
        body = get(f"{self.url}/{path}?{urllib.parse.urlencode(parameters)}")
        return json.loads(body) if body else {"status": "error", "error": "no answer"}

    def query(self, expression):
        return self.ask("query", query=expression)

    def data(self, path):
        return self.ask(path).get("data")


def promtool(binaries, *arguments, given=None):
    run = subprocess.run([binaries / "promtool", *arguments], input=given, capture_output=True, text=True)
    check(run.returncode == 0, f"promtool {' '.join(map(str, arguments))}:\n{run.stdout}{run.stderr}")


def configure(folder, provider):
    """config/team.toml as it stands, but for where the providers are and where to listen, and with somebody who is told, so that those metrics are served."""
    text = (ROOT / "config/team.toml").read_text()
    for name, path in (("browserbase", ""), ("browser-use", "/api/v2")):
        text = text.replace(f'provider = "{name}"', f'provider = "{name}"\nbase_url = "{provider}{path}"')
    text = text.replace("127.0.0.1:9753", "127.0.0.1:0").replace('# token_file = "token"', 'token_file = "token"')
    text += f'\n[[notifications]]\nname = "nobody"\nkind = "webhook"\nurl = "{provider}/nowhere"\n'
    (folder / "token").write_text(TOKEN)
    (folder / "session-reaper.toml").write_text(text)


def create(provider, metadata):
    """A session of the world that is alive from the start, in which nobody names a team and nothing else."""
    headers = {"X-BB-API-Key": "bb_demo", "Content-Type": "application/json"}
    body = json.dumps({"userMetadata": metadata}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{provider}/v1/sessions", body, headers), timeout=10).close()


def start_daemon(stack, folder, program):
    simulate = Process(stack, folder, "simulate", program, "simulate", "--listen", "127.0.0.1:0")
    provider = simulate.line(r"Browserbase at (http://[^\s]+)")
    create(provider, {"team": "growth"})
    configure(folder, provider)
    run = [program, "run", "--config", folder / "session-reaper.toml"]
    daemon = Process(stack, folder, "daemon", *run, BROWSERBASE_API_KEY="bb_demo", BROWSER_USE_API_KEY="bu_demo")
    address = daemon.line(r"watching in [^\n]*?(127\.0\.0\.1:\d+)")
    eventually("the daemon is ready", lambda: '"ok"' in (get(f"http://{address}/readyz") or ""))
    return daemon, address


def start_prometheus(stack, folder, binaries, address):
    """With deploy/prometheus as it stands, but for the target, the token's file and the pace."""
    home = folder / "prometheus"
    shutil.copytree(ROOT / "deploy/prometheus", home)
    text = (home / "prometheus.yml").read_text()
    wanted = {"127.0.0.1:9753": address, "/etc/prometheus/session-reaper.token": str(folder / "token"), "_interval: 15s": "_interval: 1s"}
    for old, new in wanted.items():
        check(old in text, f"prometheus.yml has {old}")
        text = text.replace(old, new)
    (home / "prometheus.yml").write_text(text)
    return serve(stack, folder, binaries, home)


def serve(stack, folder, binaries, home):
    """Prometheus itself, by the configuration in this folder."""
    promtool(binaries, "check", "config", home / "prometheus.yml")
    storage, listen = f"--storage.tsdb.path={folder}/data-{home.name}", "--web.listen-address=127.0.0.1:0"
    process = Process(stack, folder, f"server-{home.name}", binaries / "prometheus", f"--config.file={home}/prometheus.yml", storage, listen)
    return Prometheus(process.line(r'msg="?Listening on"? address=(127\.0\.0\.1:\d+)'))


def watches_the_demonstration(stack, folder, program, binaries):
    """What the demonstration releases is what Prometheus has counted."""
    demo = Process(stack, folder, "demo", program, "demo", "--for", "2m")
    address = demo.line(r"metrics\s+http://(127\.0\.0\.1:\d+)/metrics")
    home = folder / "demonstration"
    home.mkdir()
    jobs = f"scrape_configs: [{{ job_name: session-reaper, scrape_interval: 1s, static_configs: [{{ targets: ['{address}'] }}] }}]\n"
    (home / "prometheus.yml").write_text(jobs)
    prometheus = serve(stack, folder, binaries, home)
    promtool(binaries, "check", "metrics", given=eventually("the demonstration has metrics", lambda: get(f"http://{address}/metrics")))
    released = "sum(session_reaper_sessions_released_total) > 0 and sum(session_reaper_saved_cost_total) > 0"
    eventually("Prometheus has counted releases", lambda: (prometheus.query(released).get("data") or {}).get("result"))


def offline(binaries):
    rules = sorted((ROOT / "deploy/prometheus").glob("*.yml"))
    promtool(binaries, "check", "rules", *(path for path in rules if path.name != "prometheus.yml"))
    promtool(binaries, "test", "rules", *sorted((ROOT / "deploy/prometheus/tests").glob("*.yml")))


def scraped(prometheus, metrics):
    """Every metric that is served is one that Prometheus has."""
    def missing():
        return set(metrics) - set(prometheus.data("label/__name__/values") or [])
    eventually(f"Prometheus has what is served, and not without {missing()}", lambda: not missing())
    eventually("the scrape is up", lambda: [row["value"][1] for row in prometheus.query("up")["data"]["result"]] == ["1"])


def rules_of(prometheus):
    """Every rule, once each has been evaluated; all must be well."""
    # The rules for a day's savings are evaluated every five minutes, the first time within that.
    quick = {group["name"] for group in prometheus.data("rules")["groups"] if group["interval"] < 60}
    def evaluated():
        groups = prometheus.data("rules")["groups"]
        ready = all(rule["health"] != "unknown" for group in groups if group["name"] in quick for rule in group["rules"])
        return [rule for group in groups for rule in group["rules"]] if ready else None
    rules = eventually("every rule is evaluated", evaluated)
    for rule in rules:
        check(rule["health"] != "err", f"{rule['name']}: {rule.get('lastError')}")
    return rules


def panels():
    """Each query of the dashboard with the title that it stands under."""
    dashboard = json.loads((ROOT / "deploy/grafana/session-reaper.json").read_text())
    shown = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    check(len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]), "every panel has an id of its own")
    for panel in shown:
        check(panel["description"] and panel["fieldConfig"]["defaults"]["unit"], f"{panel['title']} has a description and a unit")
        check(panel["datasource"]["uid"] == "${datasource}", f"{panel['title']} asks the chosen source")
    corners = [tuple(panel["gridPos"][key] for key in "xywh") for panel in dashboard["panels"]]
    check(all(x + w <= 24 for x, _, w, _ in corners), "no panel is wider than the page")
    apart = lambda a, b: a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]
    check(all(apart(a, b) for n, a in enumerate(corners) for b in corners[n + 1:]), "no panel lies on another")
    return [(panel["title"], filled(target["expr"])) for panel in shown for target in panel["targets"]]


def filled(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    check("$" not in expression, f"a variable that nobody sets in {expression}")
    return expression


def answered(prometheus, place, expression):
    answer = prometheus.query(expression)
    check(answer["status"] == "success", f"{place}: {expression}: {answer.get('error')}")
    return len(answer["data"]["result"])


def every_name(rules, metrics, shown):
    known = names.SCRAPED | metrics | names.recorded(rules)
    alerts = [rule for rule in rules if rule["type"] == "alerting"]
    said = [fault for rule in rules for fault in names.faults(rule["name"], rule["query"], known)]
    said += [fault for alert in alerts for fault in names.alert_faults(alert, known)]
    said += [fault for title, expression in shown for fault in names.faults(title, expression, known)]
    pages = {place: (ROOT / place).read_text() for place in PAGES}
    said += [fault for place, page in pages.items() for fault in names.page_faults(place, page, known)]
    said += names.runbook_faults(pages["deploy/RUNBOOK.md"], alerts)
    said += names.untried("".join(path.read_text() for path in (ROOT / "deploy/prometheus/tests").glob("*.yml")), alerts)
    check(not said, "\n".join(said))
    return [(place, expression) for place, page in pages.items() for expression in names.expressions(page)]


def tells_a_bad_reload(prometheus, daemon, folder):
    """From a broken file to an alert that waits for its minute to pass."""
    active = lambda: [alert["labels"]["alertname"] for alert in prometheus.data("alerts")["alerts"]]
    # Before the first scrape there is no target yet, which begins to count as a daemon that is gone.
    eventually("a daemon that is well has no alerts", lambda: not active())
    with open(folder / "session-reaper.toml", "a") as configuration:
        configuration.write("\n[nonsense]\n")
    daemon.process.send_signal(signal.SIGHUP)
    eventually("Prometheus tells a reload that failed", lambda: active() == ["SessionReaperReloadFailed"])


def main(program, binaries):
    binaries = Path(binaries)
    offline(binaries)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        daemon, address = start_daemon(stack, folder, program)
        text = eventually("the metrics have a budget", lambda: (text := get(f"http://{address}/metrics", TOKEN)) and "budget_left_seconds{" in text and text)
        promtool(binaries, "check", "metrics", given=text)
        metrics = served(text)
        prometheus = start_prometheus(stack, folder, binaries, address)
        scraped(prometheus, metrics)
        rules, shown = rules_of(prometheus), panels()
        asked = every_name(rules, metrics, shown) + shown
        results = [answered(prometheus, place, expression) for place, expression in asked + [(rule["name"], rule["query"]) for rule in rules]]
        tells_a_bad_reload(prometheus, daemon, folder)
        watches_the_demonstration(stack, folder, program, binaries)
    print(f"{len(metrics)} metrics, {len(rules)} rules, {len(asked)} expressions of panels and pages, {sum(map(bool, results))} with an answer already")
    print("observed: everything holds")


if __name__ == "__main__":
    main(*sys.argv[1:])
