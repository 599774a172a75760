"""The chart with its defaults is the base with Helm's labels, and its values are held to their schema."""

import copy
import subprocess
import sys
import tomllib

from rendered import CHART

# Helm says who installed what; the base is installed once in a namespace.
OF_HELM = {"helm.sh/chart", "helm.sh/resource-policy", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version"}

REFUSED = {
    "an unknown key": ["--set", "replicas=2"],
    "an unknown key further down": ["--set", "image.tags=1"],
    "a misspelt mode": ["--set", "config.mode=enforced"],
    "a key in the values": ["--set", "config.accounts[0].name=a,config.accounts[0].provider=browserbase,config.accounts[0].api_key=bb_live"],
    "a listener that the probes would not find": ["--set", "config.server.listen=127.0.0.1:9753"],
    "a ledger beside its volume": ["--set", "config.store.path=/tmp/x"],
    "no accounts": ["--set-json", "config.accounts=[]"],
    "root": ["--set", "podSecurityContext.runAsNonRoot=false"],
    "a stop too short to drain": ["--set", "terminationGracePeriodSeconds=5"],
    "a digest that is none": ["--set", "image.digest=latest"],
}


def without(found, names):
    if isinstance(found, dict):
        kept = {key: without(value, names) for key, value in found.items() if key not in names}
        return {key: value for key, value in kept.items() if key not in ("annotations", "labels") or value}
    return [without(value, names) for value in found] if isinstance(found, list) else found


def substance(rendering):
    objects = {}
    for found in rendering.objects:
        if found["kind"] == "Namespace":
            continue
        plain = copy.deepcopy(without(found, OF_HELM))
        if plain["kind"] == "ConfigMap":
            plain["data"] = {name: tomllib.loads(text) for name, text in plain["data"].items()}
        objects[plain["kind"], plain["metadata"]["name"]] = plain
    return objects


def says_what_the_base_says(chart, base):
    ours, theirs = substance(chart), substance(base)
    if ours.keys() != theirs.keys():
        sys.exit(f"failed: the chart and the base differ: {sorted(ours.keys() ^ theirs.keys())}")
    for kind in ours:
        if ours[kind] != theirs[kind]:
            sys.exit(f"failed: {kind} differs:\n{ours[kind]}\n{theirs[kind]}")
    print(f"chart: its {len(ours)} objects say what the base says")


def refuses_what_no_schema_allows():
    helm("lint", "--strict", CHART)
    for what, options in REFUSED.items():
        if helm("template", "session-reaper", CHART, *options, fails=True) == 0:
            sys.exit(f"failed: the chart takes {what}")
    print(f"chart: {len(REFUSED)} mistakes refused")


def helm(*arguments, fails=False):
    run = subprocess.run(["helm", *arguments], capture_output=True, text=True)
    if not fails and run.returncode != 0:
        sys.exit(f"failed: helm {' '.join(map(str, arguments))}\n{run.stdout}{run.stderr}")
    if fails and run.returncode != 0 and "values.schema.json" not in run.stderr and "don't meet the specifications" not in run.stderr:
        sys.exit(f"failed: refused for another reason: {run.stderr}")
    return run.returncode
