"""Which policy of config/team.toml governs a session, by the program's own word; and the samples of the guide."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"BROWSERBASE_API_KEY": "bb_demo_guide", "BROWSER_USE_API_KEY": "bu_demo_guide"}


def samples(language):
    """The guide's code in this language, in its order."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "deploy/TEAM.md").read_text(), re.DOTALL)


def configuration(provider):
    """config/team.toml as it stands, but for where the providers are."""
    text = (ROOT / "config/team.toml").read_text()
    for name, path in (("browserbase", ""), ("browser-use", "/api/v2")):
        text = text.replace(f'provider = "{name}"', f'provider = "{name}"\nbase_url = "{provider}{path}"')
    return text


def governed_by(program, provider, ids):
    """The policy of each of these sessions, as a plan shows it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "session-reaper.toml").write_text(configuration(provider))
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SESSION_REAPER")}
        plan = [program, "--config", f"{folder}/session-reaper.toml", "plan", "--format", "json"]
        shown = subprocess.run(plan, env=clean | KEYS, stdout=subprocess.PIPE, check=True).stdout
    return {row["id"]: row["policy"] for row in json.loads(shown)["sessions"] if row["id"] in ids}
