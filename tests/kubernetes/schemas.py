"""Kubernetes' own schemas, those of one version, and one for the operator's kind that we use."""

import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate

VERSION = "1.37"

# Strict: what the operator knows beyond what we write would be a mistake of ours.
SERVICE_MONITOR = json.loads((Path(__file__).parent / "servicemonitor.schema.json").read_text())


def has_only_what_kubernetes_knows(rendering):
    for found in rendering.objects:
        where = f"{rendering.name}: {found['kind']} {found['metadata']['name']}"
        try:
            if found["apiVersion"] == "monitoring.coreos.com/v1":
                jsonschema.validate(found, SERVICE_MONITOR)
            else:
                kubernetes_validate.validate(found, VERSION, strict=True)
        except (jsonschema.ValidationError, kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as fault:
            sys.exit(f"failed: {where}: {getattr(fault, 'message', fault)}")
