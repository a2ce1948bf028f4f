"""Rewrites the trimmed definitions: ``python -m fhir_gateway.fhir.definitions PACKAGE``."""

import sys
from pathlib import Path

from fhir_gateway.fhir.definitions.build import build

if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(__file__).parents[2])
