"""Checkov, with all of its policies. What it finds is explained here, and an explanation that explains nothing is a fault too."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

# What every rendering shows, but for those below.
EXPLAINED = {
    "CKV_K8S_43": "a digest names one build of one's own: `images` of an overlay and `image.digest` of the chart take it, no default can",
    "CKV_K8S_15": "a tag names one build: a pod that starts anew while the registry is down must find the one that its node has",
    "CKV_K8S_40": "the values are those of OpenShift, which gives each namespace its own high numbers",
}
ONLY_IN = {"CKV_K8S_40": ["helm/raw-values"]}
# The values of a team that enforces name a digest, and an image that is pulled always.
NOT_IN = {"CKV_K8S_43": ["helm/enforce-values"], "CKV_K8S_15": ["helm/enforce-values"]}


def has_no_finding_that_is_not_explained(renderings):
    found = findings(renderings)
    names = [rendering.name for rendering in renderings]
    expected = {(name, check) for check in EXPLAINED for name in ONLY_IN.get(check, names) if name not in NOT_IN.get(check, [])}
    if found != expected:
        sys.exit(f"failed: checkov finds, unexplained: {sorted(found - expected)}\nexplained and not found: {sorted(expected - found)}")
    return len(found)


def findings(renderings):
    with tempfile.TemporaryDirectory() as folder:
        for rendering in renderings:
            (Path(folder) / f"{rendering.name.replace('/', '--')}.yaml").write_text(rendering.text)
        options = ["--framework", "kubernetes", "--directory", folder, "--compact", "--quiet", "--skip-download", "--output", "json", "--soft-fail"]
        run = subprocess.run([sys.executable, "-m", "checkov.main", *options], capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"failed: checkov ends with {run.returncode}\n{run.stdout}{run.stderr}")
        report = json.loads(run.stdout)
    summary = report["summary"]
    if summary["parsing_errors"] or summary["passed"] < 50 * len(renderings):
        sys.exit(f"failed: checkov did not look: {summary}")
    return {(Path(one["file_path"]).stem.replace("--", "/"), one["check_id"]) for one in report["results"]["failed_checks"]}
