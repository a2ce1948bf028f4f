"""A case given back as the slips people know: XML13 and XML14 of the national format, and the printed forms.

``facts`` reads the FHIR records of a case into the elements of the slip; ``xml`` and ``printed`` only write those down.
"""
