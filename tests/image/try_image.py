"""Builds the image around a binary and runs it, read-only, by nobody, with no capabilities, beside a simulated provider."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PATIENCE_SECONDS = 60
NOBODY = "65532"

# What is in the image, beside time zones. What the engine itself mounts is not of it.
FILES = {"usr/bin/session-reaper", "etc/ssl/certs/ca-certificates.crt", "etc/passwd", "etc/group"}
OF_THE_ENGINE = {"etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "run/.containerenv"}

CONFIGURATION = """
mode = "observe"
[server]
listen = "127.0.0.1:0"
[[accounts]]
name = "growth"
provider = "browserbase"
api_key_file = "browserbase.key"
base_url = "{simulator}"
[[policies]]
name = "all"
match = "all"
max_age = "1m"
"""


def check(holds, what):
    if not holds:
        sys.exit(f"failed: {what}")


def eventually(attempt, what):
    """Tries until there is something, which it gives; fails with `what` when there is nothing in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := attempt()):
        check(time.monotonic() < deadline, what() if callable(what) else what)
        time.sleep(0.05)
    return found


class Engine:
    """Podman with a store of its own, through deploy/image.sh where that has a word for it."""

    def __init__(self, podman, folder):
        self.command = [podman, "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver=vfs"]
        self.command += ["--cgroup-manager=cgroupfs", "--events-backend=file"]
        self.environment = os.environ | {"ENGINE": " ".join(self.command), "IMAGE": "session-reaper:test", "BUILDAH_ISOLATION": "chroot"}

    def script(self, *arguments, **variables):
        command = ["sh", DEPLOY / "image.sh", *arguments]
        return said(command, self.environment | variables)

    def __call__(self, *arguments):
        return said([*self.command, *arguments], self.environment)


def said(command, environment):
    run = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
    check(run.returncode == 0, f"{' '.join(map(str, command))}\n{run.stdout}{run.stderr}")
    return run.stdout


@contextmanager
def simulator(program):
    """A simulated provider on loopback; gives its address."""
    with subprocess.Popen([program, "simulate", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield next(word for word in process.stdout.readline().split() if word.startswith("http://"))
        finally:
            process.kill()


def holds_what_it_should(engine):
    config = json.loads(engine("image", "inspect", "session-reaper:test"))[0]["Config"]
    check(config["User"] == f"{NOBODY}:{NOBODY}", "the user has no number")
    check(config["Entrypoint"] == ["/usr/bin/session-reaper"] and config["Cmd"] == ["run"], "it starts something else")
    check("/var/lib/session-reaper" in config["Volumes"], "the ledger has no volume")
    version = engine("run", "--rm", "--network=none", *LIMITS, "session-reaper:test", "--version").split()[1]
    check(config["Labels"]["org.opencontainers.image.version"] == version, "the label's version is another")
    container = engine("create", "--network=none", *LIMITS, "session-reaper:test").strip()
    exported = subprocess.run([*engine.command, "export", container], env=engine.environment, capture_output=True, check=True).stdout
    engine("rm", container)
    members = tarfile.open(fileobj=io.BytesIO(exported)).getmembers()
    files = {member.name for member in members if not member.isdir()} - OF_THE_ENGINE
    zones = {name for name in files if name.startswith("usr/share/zoneinfo/")}
    check({"usr/share/zoneinfo/Europe/London", "usr/share/zoneinfo/America/New_York"} <= zones, "there are no time zones")
    check(files - zones == FILES, f"the image holds {sorted(files - zones)}")
    check(not any(member.mode & 0o6000 for member in members), "something runs as another user")
    print(f"image: {len(FILES)} files and {len(zones)} time zones")


# Where a hard limit cannot be raised, the engine's own wish is not fulfilled.
LIMITS = ["--pull=never", "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"]


class Running:
    """The container as deploy/image.sh runs it, in the foreground; what it says is kept."""

    def __init__(self, engine, folder):
        self.engine = engine
        self.name = f"session-reaper-test-{os.getpid()}"
        self.log = Path(folder).with_name("log")
        options = [f"{folder}/session-reaper.toml", "--name", self.name, *LIMITS]
        command = ["sh", DEPLOY / "image.sh", "run", *options]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=engine.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([*self.engine.command, "rm", "--force", self.name], env=self.engine.environment, capture_output=True)
        self.process.wait()

    def inspect(self, template):
        return self.engine("inspect", "--format", template, self.name).strip()

    def said(self):
        return self.log.read_text()

    def address(self):
        """Where it says that it listens."""
        check(self.process.poll() is None, f"it has ended:\n{self.said()}")
        return next((word.removeprefix("listen=") for word in self.said().split() if word.startswith("listen=")), None)


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return None


def is_confined(container):
    pid = container.inspect("{{.State.Pid}}")
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    check(set(status["Uid"].split()) == {NOBODY} and set(status["Gid"].split()) == {NOBODY}, f"it runs as {status['Uid']}")
    capabilities = {key: status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    check(all(int(value, 16) == 0 for value in capabilities.values()), f"it has capabilities: {capabilities}")
    check((status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), "it may gain rights, or call what it likes")
    roots = [fields for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines() if (fields := line.split())[4] == "/"]
    check(roots and all("ro" in root[5].split(",") for root in roots), "its root can be written")


def observes(container, address):
    eventually(lambda: get(f"http://{address}/readyz"), lambda: f"it is not ready:\n{container.said()}")
    inside = ["/usr/bin/session-reaper", "--config", "/etc/session-reaper/session-reaper.toml"]
    plan = json.loads(container.engine("exec", container.name, *inside, "plan", "--format", "json"))
    due = [session for session in plan["sessions"] if session["verdict"] == "due"]
    check(plan["mode"] == "observe" and due, "nothing is due")
    check(total(address, "session_reaper_would_release_total") > 0, "it would release nothing")
    check(total(address, "session_reaper_release_requests_total") == 0, "it released something")
    print(f"running: ready, {len(plan['sessions'])} sessions, {len(due)} of them due and none asked for")


def total(address, metric):
    series = [line.rsplit(" ", 1) for line in get(f"http://{address}/metrics").splitlines() if line.startswith(f"{metric}{{")]
    check(series, f"there is no {metric}")
    return sum(float(value) for _, value in series)


def stops(container):
    store = container.inspect('{{range .Mounts}}{{if eq .Destination "/var/lib/session-reaper"}}{{.Source}}{{end}}{{end}}')
    container.process.terminate()
    ended = container.process.wait(PATIENCE_SECONDS)
    check(ended == 0, f"it stopped with {ended}:\n{container.said()}")
    ledger = (Path(store) / "session-reaper.db").stat()
    check(str(ledger.st_uid) == NOBODY and ledger.st_size > 0, "the ledger is not on its volume")
    print("stopped: exit status 0, and the ledger is on its volume")


def main(program, binary, podman):
    with tempfile.TemporaryDirectory() as folder, simulator(program) as base_url:
        os.chmod(folder, 0o755)
        engine = Engine(podman, folder)
        engine.script("build", BINARY=binary)
        holds_what_it_should(engine)
        configured = Path(folder) / "configured"
        configured.mkdir()
        (configured / "session-reaper.toml").write_text(CONFIGURATION.format(simulator=base_url))
        (configured / "browserbase.key").write_text("bb_demo\n")
        with Running(engine, configured) as container:
            address = eventually(container.address, lambda: f"it does not listen:\n{container.said()}")
            is_confined(container)
            observes(container, address)
            stops(container)


main(*sys.argv[1:])
