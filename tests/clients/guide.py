"""Runs the samples of deploy/TEAM.md as they stand, with a provider's own client, and has the program say which policies of config/team.toml govern what
they made.

Only where to find the provider is put in: one client takes it from the environment, the other as an argument.
"""

import os
import sys
from importlib.util import find_spec

from checks import check
from governed import KEYS, governed_by, samples

MODULES = {"browserbase": "browserbase", "browser_use": "browser_use_sdk"}
# What each sample makes, in their order: the name that it gives it, and the policy that must govern that.
EXPECTED = {"browserbase": [("session", "id", "ci")], "browser_use": [("browser", "id", "development"), ("task", "session_id", "teams")]}


def run(sample, provider):
    """What the sample's names stand for afterwards."""
    names = {}
    exec(sample.replace("BrowserUse()", f'BrowserUse(base_url="{provider}/api/v2")'), names)
    return names


def main(provider, program):
    client = next(name for name, module in MODULES.items() if find_spec(module))
    os.environ |= KEYS | {"BROWSERBASE_BASE_URL": provider}
    mine = [sample for sample in samples("python") if f"from {MODULES[client]} import" in sample]
    check(len(mine) == len(EXPECTED[client]), f"the guide has a sample for each thing that can be tagged, and not {len(mine)}")
    made = {str(getattr(run(sample, provider)[name], field)): policy for sample, (name, field, policy) in zip(mine, EXPECTED[client])}
    found = governed_by(program, provider, made)
    check(found == made, f"{made} was expected instead of {found}")
    print(f"guide, {client}: governed as promised")


if __name__ == "__main__":
    main(*sys.argv[1:])
