"""Checks and runs the TypeScript samples of deploy/TEAM.md with the official clients, and has the program say which policies of config/team.toml govern what
they made.

Only where to find the provider is put in, where the client does not take it from the environment.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from checks import check
from governed import KEYS, governed_by, samples

# For each sample, in their order: what it makes, and the policy that must govern that.
EXPECTED = [{"session.id": "ci"}, {"browser.id": "development", "task.sessionId": "teams"}]


STRICTLY = ["--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"]


def node(*arguments, **environment):
    """What it prints."""
    run = subprocess.run(["node", *arguments], env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    check(run.returncode == 0, f"{arguments[0]} found fault:\n{run.stdout}")
    return run.stdout


def run(environment, sample, made, provider):
    """The sample as a module beside the clients; gives the ids of what it made."""
    sample = sample.replace("new BrowserUse()", f'new BrowserUse({{ baseUrl: "{provider}/api/v2" }})')
    with tempfile.TemporaryDirectory(dir=environment) as folder:
        module = Path(folder, "sample.ts")
        module.write_text(f"{sample}\nconsole.log([{', '.join(made)}].join('\\n'));\n")
        node(f"{environment}/node_modules/typescript/bin/tsc", *STRICTLY, module)
        return node(module.with_suffix(".js"), BROWSERBASE_BASE_URL=provider, **KEYS).split()


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
