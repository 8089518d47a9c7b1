"""Gauges for Prometheus, by way of a Pushgateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Unpack

from appliance.tasks.catalogue import require

require("prometheus")

from appliance.tasks.http import HttpOptions, HttpTask, requests_to  # noqa: E402 - says what to install
from appliance.tasks.library.arguments import defaults_from_attrs, needed  # noqa: E402
from appliance.tasks.library.errors import Refused, first_line  # noqa: E402

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["PushAddGaugeToGateway", "PushGaugeToGateway"]

Labels = Mapping[str, str]


class _PushTask(HttpTask):
    _method: ClassVar[str] = ""

    def __init__(
        self,
        pushgateway_url: str | None = None,
        counter_name: str | None = None,
        counter_description: str | None = None,
        grouping_key: Sequence[str] | None = None,
        job_name: str | None = None,
        **options: Unpack[HttpOptions],
    ) -> None:
        """Takes `headers`, `auth`, `ca_file`, `request_timeout`, and the options of Task, too."""
        super().__init__(**options)
        self.pushgateway_url, self.counter_name, self.job_name = pushgateway_url, counter_name, job_name
        self.counter_description, self.grouping_key = counter_description, grouping_key

    @defaults_from_attrs("pushgateway_url", "counter_name", "counter_description", "grouping_key", "job_name")
    def run(
        self,
        values: Sequence[float],
        labels: Sequence[Labels] | None = None,
        pushgateway_url: str | None = None,
        counter_name: str | None = None,
        counter_description: str | None = None,
        grouping_key: Sequence[str] | None = None,
        job_name: str | None = None,
    ) -> int:
        """`labels` has a dict for each of the `values`. Raises Unreachable, ConnectionLost, AccessDenied or Refused, also for labels that don't fit."""
        gateway, name = needed(self, "pushgateway_url", pushgateway_url), needed(self, "counter_name", counter_name)
        if not values:
            return 0
        places: Sequence[Labels] = [{}] * len(values) if labels is None else labels
        registry = _registry(name, counter_description or name, values, places)
        self._push(gateway, job_name or name, _group(places, grouping_key or ()), registry)
        return len(values)

    def _push(self, gateway: str, job: str, groups: Labels, registry: CollectorRegistry) -> None:
        from prometheus_client import push_to_gateway, pushadd_to_gateway

        def send(
            url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
        ) -> Callable[[], None]:
            def ask() -> None:
                with requests_to(self, url) as requests:
                    requests.ask(method, url, dict(headers), content=data)

            return ask

        push = push_to_gateway if self._method == "PUT" else pushadd_to_gateway
        push(gateway, job, registry, dict(groups), handler=send)


class PushGaugeToGateway(_PushTask):
    """Pushes values of a gauge to a Pushgateway, and removes all else that was pushed for the same job and group. The result is their number.

    The job is `job_name`, or the name of the gauge. `grouping_key` names labels whose values make the group; they must be the same in all `labels`.
    """

    _method = "PUT"


class PushAddGaugeToGateway(_PushTask):
    """The same, but other gauges of the job and group stay."""

    _method = "POST"


def _registry(name: str, about: str, values: Sequence[float], labels: Sequence[Labels]) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, Gauge

    if len(values) != len(labels):
        raise Refused(f"There are {len(values)} values and {len(labels)} labels; each value needs a dict of its own.")
    registry = CollectorRegistry()
    try:
        gauge = Gauge(name, about, list(labels[0]), registry=registry)
        for value, own in zip(values, labels, strict=True):
            (gauge.labels(**own) if own or labels[0] else gauge).set(value)
    except (TypeError, ValueError) as error:
        raise Refused(f"Prometheus can't take the gauge {name!r}: {first_line(error)}.") from None
    return registry


def _group(labels: Sequence[Labels], keys: Sequence[str]) -> Labels:
    for key in keys:
        if len({own.get(key) for own in labels}) != 1 or key not in labels[0]:
            raise Refused(f"The label {key!r} of the grouping_key must have the same value in all labels.")
    return {key: labels[0][key] for key in keys}
