"""Everything that deploys to Kubernetes, as a cluster would be given it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KUSTOMIZE = DEPLOY / "kubernetes"
CHART = DEPLOY / "helm" / "session-reaper"


class Rendering:
    """One way to deploy: its name, its objects, and the mode that the daemon is to run in."""

    def __init__(self, name, text, mode):
        self.name = name
        self.text = text
        self.mode = mode
        self.objects = [found for found in yaml.safe_load_all(text) if found]

    def all_of(self, kind):
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind):
        found = self.all_of(kind)
        if len(found) != 1:
            sys.exit(f"failed: {self.name} has {len(found)} objects of kind {kind}")
        return found[0]

    @property
    def pod(self):
        return self.one("Deployment")["spec"]["template"]["spec"]

    @property
    def container(self):
        (container,) = self.pod["containers"]
        return container


def output(*command):
    """What a program prints; its complaint ends the test."""
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{run.stdout}{run.stderr}")
    return run.stdout


def kustomized(folder):
    return output("kubectl", "kustomize", folder)


def with_component(overlay, component):
    """An overlay as a team writes it, which takes a component too. Kustomize wants paths that are relative."""
    with tempfile.TemporaryDirectory() as folder:
        up = Path(os.path.relpath(KUSTOMIZE, Path(folder).resolve()))
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": "session-reaper",
            "resources": [str(up / "overlays" / overlay)],
            "components": [str(up / "components" / component)],
        }
        (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return kustomized(folder)


def templated(*options):
    return output("helm", "template", "session-reaper", CHART, "--namespace", "session-reaper", "--kube-version", "1.34", *options)


def everything():
    overlays = sorted(folder.name for folder in (KUSTOMIZE / "overlays").iterdir())
    values = sorted((CHART / "ci").glob("*-values.yaml"))
    components = sorted(folder.name for folder in (KUSTOMIZE / "components").iterdir())
    return [
        *(Rendering(f"overlays/{name}", kustomized(KUSTOMIZE / "overlays" / name), name) for name in overlays),
        *(Rendering(f"components/{name}", with_component("observe", name), "observe") for name in components),
        Rendering("helm", templated(), "observe"),
        *(Rendering(f"helm/{path.stem}", templated("--values", path), "enforce" if "enforce" in path.name else "observe") for path in values),
    ]
