"""The configuration of a rendering, as the program sees it in the pod."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rendered import output
from together import environment

KEYS = "/run/secrets/session-reaper/"


def is_accepted_by_the_program(program, rendering):
    image, version = rendering.container["image"], output(program, "--version").split()[1]
    if "@" not in image and not image.endswith(f":{version}"):
        sys.exit(f"failed: {rendering.name}: {image} is not of version {version}")
    effective = checked(program, rendering)
    for what, holds in expectations(rendering, effective).items():
        if not holds:
            sys.exit(f"failed: {rendering.name}: {what}: {json.dumps(effective, indent=1)}")


def expectations(rendering, effective):
    server = effective["server"]
    return {
        f"its mode is {rendering.mode}": effective["mode"] == rendering.mode,
        "every key is one of the Secret's": all(account["api_key_file"].startswith(KEYS) for account in effective["accounts"]),
        "the API wants the token": server["token_file"] == f"{KEYS}token",
        "metrics want none": server["open_metrics"] is True,
        "a stop may take its time": rendering.pod["terminationGracePeriodSeconds"] > seconds(effective["drain_timeout"]) + 2,
    }


def seconds(duration):
    number, unit = duration[:-1], duration[-1]
    return int(number) * {"s": 1, "m": 60}[unit]


def checked(program, rendering):
    """The effective configuration, from the ConfigMap's file and the container's variables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(rendering.one("ConfigMap")["data"]["config.toml"])
        own = {name: value for name, value in os.environ.items() if not name.startswith("SESSION_REAPER")}
        command = [program, "--config", path, "check", "--skip-credentials", "--format", "json"]
        run = subprocess.run(command, capture_output=True, text=True, env=own | environment(rendering))
        if run.returncode != 0:
            sys.exit(f"failed: {rendering.name}: the program refuses its configuration:\n{run.stdout}{run.stderr}")
        return json.loads(run.stdout)["effective"]
