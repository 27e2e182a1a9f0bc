"""The observer that traces: one OpenTelemetry span a call, a child of the caller's where its metadata names one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from recocore.errors import UnsupportedError
from recocore.service.observe.families import FAULTS
from recocore.service.observe.observer import CallObserver

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from recocore.service.call import Call
    from recocore.service.observe.config import TracingConfig
    from recocore.service.observe.observer import ServedBy

# A collector that hangs holds up a server's end no longer than this.
_SEND_SECONDS = 2
_SERVICE = "recocore.v1.RecommendationService"


class Tracing(CallObserver):
    """Makes the span of a call when it has ended, and hands it to a thread that sends many at once.

    Args:
        config: where to, how many.
        exporter: what takes the spans; by default OTLP over HTTP to `config.endpoint`.

    Raises:
        UnsupportedError: OpenTelemetry is not installed.
    """

    def __init__(self, config: TracingConfig, exporter: SpanExporter | None = None) -> None:
        try:
            # Here, since a service that does not trace needs none of it.
            from opentelemetry import trace  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

            if exporter is None:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

                exporter = OTLPSpanExporter(endpoint=config.endpoint, timeout=_SEND_SECONDS)
        except ImportError as error:
            raise UnsupportedError(
                f"tracing.endpoint: {config.endpoint!r} needs OpenTelemetry ({error}); install 'recocore[otel]'"
            ) from error
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": config.service_name}),
            sampler=ParentBased(TraceIdRatioBased(config.sample)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("recocore")
        self._propagator = TraceContextTextMapPropagator()
        self._server_kind = trace.SpanKind.SERVER
        self._error = trace.StatusCode.ERROR

    def finished(self, method: str, status: str, seconds: float, hosted: ServedBy | None, call: Call) -> None:
        """See CallObserver."""
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{_SERVICE}/{method}",
            context=self._propagator.extract({"traceparent": call.traceparent}) if call.traceparent else None,
            kind=self._server_kind,
            start_time=end - int(seconds * 1e9),
        )
        if span.is_recording():
            span.set_attributes(
                {
                    "rpc.system.name": "grpc",
                    "rpc.method": f"{_SERVICE}/{method}",
                    "rpc.response.status_code": status,
                    "recocore.request_id": call.request_id,
                }
            )
            if hosted is not None:
                span.set_attributes(
                    {
                        "recocore.model.version": hosted.version,
                        "recocore.model.alias": hosted.alias,
                        "recocore.experiment": hosted.experiment,
                        "recocore.variant": hosted.variant,
                    }
                )
            if status in FAULTS:
                span.set_status(self._error)
        span.end(end)

    def close(self) -> None:
        """Send what is left, and end the thread."""
        self._provider.shutdown()
