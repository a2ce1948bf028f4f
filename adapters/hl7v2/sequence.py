"""MSH-13, where a sender counts its messages: what shows that one of them never came.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading41
"""

import re

_HEADER = re.compile(rb"(?:^|[\r\n\x0b])(?:\xef\xbb\xbf)?(MSH[^\r\n]+)")


def sequence(body: bytes) -> str:
    """``HIS|22T01#17``: the counter's name (MSH-3, MSH-4) and its numbers; empty where the sender does not count.

    Of a batch all numbers, divided by commas.
    """
    headers = [found[1].split(found[1][3:4]) for found in _HEADER.finditer(body)]
    counted = [fields for fields in headers if len(fields) > 12 and fields[12].strip().lstrip(b"-").isdigit()]
    if not counted:
        return ""
    name = b"|".join(counted[0][2:4]).decode("utf-8", "replace")
    return f"{name}#{','.join(str(int(fields[12])) for fields in counted)}"
