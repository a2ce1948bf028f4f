"""The sender's own count, MSH-13."""

import pytest

from adapters.hl7v2 import sequence


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"MSH|^~\\&|HIS|22T01|||||ADT^A01|1|P|2.5|17\rPID|1\r", "HIS|22T01#17"),
        (b"\x0bMSH|^~\\&|HIS|22T01|||||ADT^A01|1|P|2.5|017|x\rPID|1\r\x1c\r", "HIS|22T01#17"),
        (b"\xef\xbb\xbfMSH#^~\\&#HIS#A#####ADT^A01#1#P#2.5#-1\nPID#1\n", "HIS|A#-1"),
        (b"FHS|^~\\&\rMSH|^~\\&|L|A|||||X|1|P|2.5|1\rMSH|^~\\&|L|A|||||X|2|P|2.5|2\r", "L|A#1,2"),
        (b"MSH|^~\\&|HIS|22T01|||||ADT^A01|1|P|2.5|\r", ""),
        (b"MSH|^~\\&|HIS|22T01|||||ADT^A01|1|P|2.5|a17\r", ""),
        (b"PID|1\r", ""),
        (b"MSH", ""),
    ],
)
def test_the_count_is_read_from_every_header(body, expected):
    assert sequence(body) == expected
