"""The metrics page: rows as the daemon tells them, in the text format that Prometheus reads."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_FAMILIES: Final = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class _Rows(Collector):
    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Metric]:
        for row in self._rows:
            names = list(row["samples"][0]["labels"])
            family = _FAMILIES[row["kind"]](row["name"], row["help"], labels=names)
            for sample in row["samples"]:
                family.add_metric([sample["labels"][name] for name in names], sample["value"])
            yield family


def metrics_page(rows: Iterable[Mapping[str, Any]]) -> str:
    """The page."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Rows(rows))
    return generate_latest(registry).decode()
