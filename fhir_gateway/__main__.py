"""``python -m fhir_gateway`` is the command line."""

from fhir_gateway.cli import main

main()
