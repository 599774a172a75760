"""Runs the TypeScript samples of deploy/TEAM.md with the official clients, and has the program say which policies of config/team.toml govern what they made.

The samples name no types, so that they are JavaScript as they stand and need no compiler. Only where to find the provider is put in, where the client does
not take it from the environment.
"""

import os
import subprocess
import sys
from pathlib import Path

from checks import check
from governed import KEYS, governed_by, samples

# For each sample, in their order: what it makes, and the policy that must govern that.
EXPECTED = [{"session.id": "ci"}, {"browser.id": "development", "task.sessionId": "teams"}]


def run(environment, sample, made, provider):
    """The sample as a module beside the clients; gives the ids of what it made."""
    module = Path(environment, f"sample-{os.getpid()}.mjs")
    sample = sample.replace("new BrowserUse()", f'new BrowserUse({{ baseUrl: "{provider}/api/v2" }})')
    module.write_text(f"{sample}\nconsole.log([{', '.join(made)}].join('\\n'));\n")
    try:
        node = subprocess.run(["node", module], env=os.environ | KEYS | {"BROWSERBASE_BASE_URL": provider}, stdout=subprocess.PIPE, text=True)
    finally:
        module.unlink()
    check(node.returncode == 0, "a sample that runs")
    return node.stdout.split()


def main(environment, provider, program):
    found = samples("typescript")
    check(len(found) == len(EXPECTED), f"{len(found)} samples")
    made = {}
    for sample, expected in zip(found, EXPECTED):
        made |= zip(run(environment, sample, expected, provider), expected.values())
    governed = governed_by(program, provider, made)
    check(governed == made, f"{made} was expected instead of {governed}")
    print("guide, typescript: governed as promised")


if __name__ == "__main__":
    main(*sys.argv[1:])
