"""The schedule: a run every so many minutes, and metrics for Prometheus."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

import psycopg
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fhirstack_sync import sync
from fhirstack_sync.config import Config
from fhirstack_sync.load import Emit
from fhirstack_sync.store import BusyError, connect, last_runs


class Records(Collector):
    """Figures of all runs, from their records: those that a person began count too."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def collect(self) -> Iterator[Metric]:
        """Return the figures by now; ``fhirstack_sync_up`` 0 when there are none to read."""
        up = GaugeMetricFamily("fhirstack_sync_up", "Whether the warehouse's records can be read")
        try:
            with connect(self._config.warehouse) as connection:
                last = last_runs(connection)
        except psycopg.Error:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        runs = CounterMetricFamily("fhirstack_sync_runs", "Runs by their status", labels=["status"])
        for status, count in last.by_status.items():
            runs.add_metric([status], count)
        yield runs
        for name, text in (
            ("resources", "Resources written to the warehouse"),
            ("deleted", "Resources deleted from the warehouse"),
            ("rejected", "Resources that could not be carried as they are"),
            ("bytes", "Bytes of resources"),
        ):
            yield CounterMetricFamily(f"fhirstack_sync_{name}", text, value=getattr(last, name))
        gauges = (
            ("last_success_timestamp_seconds", "When a run last ended well", last.last_success),
            ("watermark_timestamp_seconds", "All changes before are there", last.watermark),
        )
        for name, text, moment in gauges:
            if moment is not None:
                yield GaugeMetricFamily(f"fhirstack_sync_{name}", text, value=moment.timestamp())
        yield GaugeMetricFamily(
            "fhirstack_sync_last_duration_seconds", "The last run", value=last.last_seconds
        )


def keep_running(config: Config, emit: Emit, stop: threading.Event) -> None:
    """Run, wait, run again, until ``stop`` is set. A run that fails is tried at the next turn."""
    registry = CollectorRegistry()
    registry.register(Records(config))
    server, thread = start_http_server(
        config.metrics_port, addr=config.metrics_host, registry=registry
    )
    try:
        while not stop.is_set():
            began = time.monotonic()
            # An unreachable warehouse and a run that a person began are for the next turn.
            with contextlib.suppress(BusyError, psycopg.OperationalError):
                sync.run(config, emit, wait_seconds=1)
            stop.wait(max(config.every_minutes * 60 - (time.monotonic() - began), 1))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        sys.stdout.flush()
