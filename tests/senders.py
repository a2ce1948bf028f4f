"""Who sends the fixtures of each adapter."""

HOSPITALS = {
    "hl7v2": "qn-general",
    "vn_xml": "bai-chay",
    "vn_record": "bai-chay",
    "cda": "san-nhi",
    "fhir_bundle": "qn-general",
}
