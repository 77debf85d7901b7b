"""Values as the text that Prometheus scrapes, with those of the process itself (memory, descriptors, CPU)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.registry import Collector

from jepanet.metrics import chain, machine, rounds
from jepanet.metrics.metric import Metric, Sample

METRICS: Final = {item.name: item for item in (*chain.METRICS, *rounds.METRICS, *machine.METRICS)}
"""Every metric of ours, by name."""


class _Given(Collector):
    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = tuple(samples)

    def collect(self) -> Iterator[Family]:
        by_metric: dict[Metric, list[Sample]] = {}
        for sample in self._samples:
            by_metric.setdefault(sample.metric, []).append(sample)
        for metric, samples in by_metric.items():
            yield _family(metric, samples)


def _family(metric: Metric, samples: list[Sample]) -> Family:
    if metric.kind == "counter":
        counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        for item in samples:
            counter.add_metric(item.labels, item.value)
        return counter
    if metric.kind == "summary":
        summary = SummaryMetricFamily(metric.name, metric.help, labels=metric.labels)
        for item in samples:
            summary.add_metric(item.labels, item.observations, item.value)
        return summary
    if metric.kind == "info":
        info = InfoMetricFamily(metric.name.removesuffix("_info"), metric.help)
        for item in samples:
            info.add_metric((), dict(zip(metric.labels, item.labels, strict=True)))
        return info
    gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for item in samples:
        gauge.add_metric(item.labels, item.value)
    return gauge


def page_of(samples: Iterable[Sample]) -> bytes:
    """The whole page: `samples` and the process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(samples))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
