"""The whole story on one machine: two gateways as two processes, played through their real doors."""

from fhir_gateway.demo.play import play

__all__ = ["play"]
