"""What no schema sees: whether the objects of one rendering fit each other, and what a daemon that holds a ledger needs."""

import sys

# The parts of the restricted Pod Security Standard that a pod says itself.
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def holds_together(rendering):
    def check(holds, what):
        if not holds:
            sys.exit(f"failed: {rendering.name}: {what}")

    for rule in (one_at_a_time, unprivileged, probed, mounted, reached):
        rule(rendering, check)


def one_at_a_time(rendering, check):
    spec = rendering.one("Deployment")["spec"]
    check((spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"}), "two daemons could run on one ledger")
    check(not rendering.all_of("HorizontalPodAutoscaler"), "something could start a second daemon")


def unprivileged(rendering, check):
    pod, container = rendering.pod, rendering.container
    check(pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False, "the pod is given more than it needs")
    check(pod["securityContext"]["runAsNonRoot"] is True, "it could run as root")
    check(pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, "no seccomp profile")
    check(container["securityContext"] == RESTRICTED, "the container may do more than it needs")
    check(not any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")), "it shares something of the node's")
    for account in rendering.all_of("ServiceAccount"):
        check(account["automountServiceAccountToken"] is False, "the service account hands out its token")
    for namespace in rendering.all_of("Namespace"):
        check(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted", "the namespace admits more")


def probed(rendering, check):
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        check(rendering.container[probe]["httpGet"] == {"path": path, "port": "http"}, f"{probe} does not ask {path}")
    (port,) = rendering.container["ports"]
    listen = environment(rendering)["SESSION_REAPER__SERVER__LISTEN"]
    check(port["name"] == "http" and listen == f"0.0.0.0:{port['containerPort']}", "the probes ask where nobody listens")


def mounted(rendering, check):
    volumes = {volume["name"]: volume for volume in rendering.pod["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in rendering.container["volumeMounts"]}
    check(not any("subPath" in mount for mount in mounts.values()), "a file that is mounted by subPath never changes")
    configured = volumes[mounts["/etc/session-reaper"]["name"]]["configMap"]["name"]
    check(configured == rendering.one("ConfigMap")["metadata"]["name"], "the configuration is mounted from another map")
    check(volumes[mounts["/run/secrets/session-reaper"]["name"]]["secret"]["defaultMode"] == 0o440, "the keys can be read by others")
    store = volumes[mounts["/var/lib/session-reaper"]["name"]]
    claim = store.get("persistentVolumeClaim", {}).get("claimName")
    made = [found["metadata"]["name"] for found in rendering.all_of("PersistentVolumeClaim")]
    check(made in ([claim], []), "a claim is made that is not the one in use")
    path = environment(rendering)["SESSION_REAPER__STORE__PATH"]
    check(path.startswith("/var/lib/session-reaper/"), "the ledger is not on its volume")


def reached(rendering, check):
    labels = rendering.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    service = rendering.one("Service")
    selectors = [rendering.one("Deployment")["spec"]["selector"]["matchLabels"], service["spec"]["selector"]]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in rendering.all_of("NetworkPolicy")]
    check(all(chosen and chosen.items() <= labels.items() for chosen in selectors), "something does not choose the pod")
    check(service["spec"]["publishNotReadyAddresses"] is True, "a daemon that is not ready could not be scraped")
    ports = {port["name"]: port["targetPort"] for port in service["spec"]["ports"]}
    check(ports == {"http": "http"}, "the service leads elsewhere")
    for monitor in rendering.all_of("ServiceMonitor"):
        chosen = monitor["spec"]["selector"]["matchLabels"]
        check(chosen.items() <= service["metadata"]["labels"].items(), "the monitor does not choose the service")
        check([endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ["http"], "the monitor asks another port")


def environment(rendering):
    return {variable["name"]: variable["value"] for variable in rendering.container["env"]}
