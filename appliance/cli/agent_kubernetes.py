"""`appliance agent start kubernetes`: takes due runs and starts each as a job of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from appliance import config
from appliance.cli.agent_docker import is_loopback
from appliance.cli.agent_run import run_detached
from appliance.cli.options import agent_options, env_name_option
from appliance.kit import logs
from appliance.kit.distribution import MissingExtra, install, is_installed
from appliance.protocol.containers import bytes_in, cores_in, label_problem

F = TypeVar("F", bound=Callable[..., Any])
EPILOG = """\b
Examples:
  appliance agent start kubernetes --image etl:3 --namespace flows
  appliance agent start kubernetes --image etl:3 --template job.yaml --allow-image 'registry.example/etl/*' --memory 4Gi --cpu 2

Create the token with `appliance token create NAME --scope agent`. `appliance agent install kubernetes` prints the manifests of an agent in the cluster."""


def _amount(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    measured = bytes_in if parameter.name == "memory" else cores_in
    if value is not None and not measured(value):
        raise click.BadParameter(
            f"{value[:80]!r} is not an amount; write a number and a unit, as in --memory 2Gi or --cpu 500m."
        )
    return value


def namespace_of_option(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """The callback of options whose values are namespaces."""
    problem = label_problem("namespace", [value] if isinstance(value, str) else value)
    if problem:
        raise click.BadParameter(problem)
    return value


def _template(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Mapping[str, Any]:
    """The manifest in a file."""
    if value is None:
        return {}
    _require()
    import yaml

    from appliance.agents.job_template import prepared

    try:
        content = yaml.safe_load(Path(value).read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("kind") != "Job":
            raise click.BadParameter(
                f"{value} is not the manifest of a job; it begins with apiVersion: batch/v1 and kind: Job."
            )
        prepared(content)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise click.BadParameter(f"{value} can't be used: {error}") from error
    return content


def _require() -> None:
    if not is_installed("kubernetes"):
        raise MissingExtra(f"This needs the client of Kubernetes; run: {install('kubernetes')}")


def _allow(what: str, metavar: str, text: str) -> Callable[[F], F]:
    return click.option(
        f"--allow-{what}",
        f"{what.replace('-', '_')}s",
        multiple=True,
        metavar=metavar,
        help=f"{text} (repeatable) [none].",
    )


@click.command(epilog=EPILOG)
@agent_options
@click.option("--image", required=True, help="The image of runs that name none. It has Python and the appliance's SDK.")
@click.option(
    "--namespace",
    default="default",
    show_default=True,
    callback=namespace_of_option,
    help="The namespace of runs that name none.",
)
@click.option(
    "--template",
    metavar="FILE",
    callback=_template,
    help="The manifest of a job in YAML, into which runs are put [an empty one].",
)
@click.option(
    "--allow-image",
    "images",
    multiple=True,
    metavar="PATTERN",
    help="Images that flows may name: * matches all but a slash, ** everything (repeatable) [the one of --image].",
)
@click.option(
    "--allow-namespace",
    "namespaces",
    multiple=True,
    callback=namespace_of_option,
    help="Namespaces that flows may name (repeatable) [the one of --namespace].",
)
@_allow("service-account", "NAME", "Service accounts that flows may name")
@_allow("pull-secret", "NAME", "Pull secrets that flows may name")
@_allow("field", "PATH", "Fields that a flow's job_template may have, as in spec.template.spec.tolerations")
@click.option(
    "--memory", callback=_amount, help="What a run gets at most, and by default, as in 512Mi or 4Gi [no limit]."
)
@click.option("--cpu", callback=_amount, help="Cores that it gets at most, and by default, as in 500m or 2 [no limit].")
@click.option(
    "--start-timeout",
    type=click.FloatRange(1),
    default=600,
    show_default=True,
    help="Seconds in which the pod of a run has to start.",
)
@click.option(
    "--context", default="", help="The context of KUBECONFIG [in a pod, its own cluster; elsewhere, the current one]."
)
@click.option("--server-url", metavar="URL", help="Where pods reach the server [APPLIANCE_URL].")
@env_name_option
def kubernetes(
    name: str,
    labels: tuple[str, ...],
    projects: tuple[str, ...],
    capacity: int,
    state_dir: str | None,
    listen: tuple[str, int] | None,
    server_url: str | None,
    env: dict[str, str],
    env_names: tuple[str, ...],
    start_timeout: float,
    context: str,
    **rules: Any,
) -> int:
    """Start each run as a job of the cluster in which the agent is a pod, or of the one that KUBECONFIG names. On SIGTERM, the agent stops taking
    runs; active runs continue."""
    _require()
    from appliance.agents.kubernetes import KubernetesAgent
    from appliance.agents.kubernetes_cluster import Cluster, ClusterAway, ClusterRefused
    from appliance.agents.kubernetes_rules import KubernetesRules

    settings = config.load(agent_env_names=",".join(env_names) or None)
    logs.configure(settings.log_level, settings.log_format)
    check_url(server_url or config.client_address()[0])
    cluster = Cluster(context)
    try:
        cluster.check()
    except (ClusterAway, ClusterRefused) as error:
        raise click.ClickException(str(error)) from error
    return run_detached(
        partial(KubernetesAgent, cluster=cluster, rules=KubernetesRules(**rules), start_timeout=start_timeout),
        settings,
        "pods",
        name=name,
        labels=labels,
        projects=projects,
        capacity=capacity,
        env=env,
        state_dir=state_dir,
        listen=listen,
        server_url=server_url,
    )


def check_url(url: str) -> None:
    """A pod's own loopback is not that of this machine. Raises UsageError."""
    if is_loopback(url):
        raise click.UsageError(
            f"Pods don't reach the server at {url}; say where they do, as in --server-url http://appliance.example:4200, and have the server "
            "listen there (APPLIANCE_HOST)."
        )
