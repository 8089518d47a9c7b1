"""`appliance agent install kubernetes`: manifests that keep an agent running in the cluster in which it starts jobs, with no more permissions than it needs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from appliance.cli.agent_install_options import give, install_options, one_line, start_command
from appliance.cli.agent_kubernetes import check_url, namespace_of_option

EPILOG = """\b
Examples:
  appliance agent install kubernetes --name cluster-01 --namespace flows --image etl:3 --server-url http://appliance.example:4200
  appliance agent install kubernetes --name cluster-01 --image etl:3 --label gpu --slots 32 --output agent.yaml"""
PORT = 9100

_MANIFESTS = """\
# Keeps Kubernetes agent {name} running in namespace {namespace}, where it starts jobs.
#   1. kubectl create namespace {namespace}
#   2. appliance token create {object} --scope agent > {object}.token
#   3. kubectl -n {namespace} create secret generic {object} --from-file=token={object}.token && rm {object}.token
#   4. kubectl apply -f FILE, where this is, after a look at the template of jobs in it
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {object}, namespace: {namespace}}}
automountServiceAccountToken: false
---
# All that the agent may do, and only here: it writes secrets, one for each run, and reads none.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {object}, namespace: {namespace}}}
rules:
  - apiGroups: [batch]
    resources: [jobs]
    verbs: [create, get, list, watch, patch, delete]
  - apiGroups: [""]
    resources: [pods]
    verbs: [list, watch]
  - apiGroups: [""]
    resources: [pods/log]
    verbs: [get]
  - apiGroups: [""]
    resources: [secrets]
    verbs: [create]
  - apiGroups: [""]
    resources: [events]
    verbs: [list]
  - apiGroups: [metrics.k8s.io]
    resources: [pods]
    verbs: [list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {object}, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {object}}}
subjects:
  - {{kind: ServiceAccount, name: {object}, namespace: {namespace}}}
---
# The template into which each run is put: tolerations, node selectors, volumes, config maps, secrets, security contexts.
apiVersion: v1
kind: ConfigMap
metadata: {{name: {object}, namespace: {namespace}}}
data:
  job.yaml: |
    apiVersion: batch/v1
    kind: Job
    spec:
      template:
        spec:
          containers:
            - name: run
              resources:
                requests: {{cpu: 100m, memory: 128Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {object}, namespace: {namespace}}}
spec:
  replicas: 1
  strategy: {{type: Recreate}}
  selector:
    matchLabels: {{app.kubernetes.io/name: appliance-agent, app.kubernetes.io/instance: {object}}}
  template:
    metadata:
      labels: {{app.kubernetes.io/name: appliance-agent, app.kubernetes.io/instance: {object}}}
    spec:
      serviceAccountName: {object}
      automountServiceAccountToken: true
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
        seccompProfile: {{type: RuntimeDefault}}
      containers:
        - name: agent
          image: {agent_image}
          command: [appliance]
          args: [{arguments}]
          env:
            - {{name: APPLIANCE_URL, value: {url}}}
            - {{name: APPLIANCE_TOKEN_FILE, value: /run/appliance/token}}
            - {{name: APPLIANCE_DATA_DIR, value: /agent}}
          ports:
            - {{name: health, containerPort: {port}}}
          livenessProbe:
            httpGet: {{path: /health, port: health}}
            initialDelaySeconds: 30
            periodSeconds: 20
            timeoutSeconds: 5
            failureThreshold: 6
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits: {{memory: 512Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
          volumeMounts:
            - {{name: token, mountPath: /run/appliance, readOnly: true}}
            - {{name: template, mountPath: /etc/appliance, readOnly: true}}
            - {{name: state, mountPath: /agent}}
            - {{name: scratch, mountPath: /tmp}}
      volumes:
        - name: token
          secret: {{secretName: {object}, defaultMode: 288}}
        - name: template
          configMap: {{name: {object}}}
        - {{name: state, emptyDir: {{}}}}
        - {{name: scratch, emptyDir: {{}}}}
"""


@click.command(epilog=EPILOG)
@install_options
@click.option("--image", required=True, callback=one_line, help="The image of runs that name none.")
@click.option(
    "--agent-image",
    default="appliance:local",
    show_default=True,
    callback=one_line,
    help="The image of the agent, such as the appliance's own.",
)
@click.option(
    "--namespace",
    default="flows",
    show_default=True,
    callback=namespace_of_option,
    help="The namespace of the agent and its jobs.",
)
def kubernetes(
    name: str, labels: tuple[str, ...], capacity: int, env: dict[str, str], server_url: str, output: Path | None,
    image: str, agent_image: str, namespace: str,
) -> None:  # fmt: skip
    """Print the manifests of an agent that is a pod of its cluster: its account, role, template of jobs, and deployment."""
    check_url(server_url)
    more = [
        "--image",
        image,
        "--namespace",
        namespace,
        "--template",
        "/etc/appliance/job.yaml",
        "--listen",
        f"0.0.0.0:{PORT}",
    ]
    words = start_command("kubernetes", name, labels, capacity, env, *more)
    give(
        _MANIFESTS.format(
            name=name,
            object=_object(name),
            namespace=namespace,
            agent_image=json.dumps(agent_image),
            arguments=", ".join(
                json.dumps(word.replace("$(", "$$(")) for word in words
            ),  # which Kubernetes would replace
            url=json.dumps(server_url),
            port=PORT,
        ),
        output,
    )


def _object(name: str) -> str:
    """The name of an agent, as objects of Kubernetes can have it."""
    return f"appliance-agent-{re.sub(r'[^a-z0-9]+', '-', name.lower())}"[:63].strip("-")
