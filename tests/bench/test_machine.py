"""What is said about the machine is about this one."""

import os

from bench.machine import machine, peak_memory_mb, processor_seconds


def test_the_machine_is_named() -> None:
    named = machine()

    assert named["processor"]
    assert named["cores"] >= 1
    assert named["memory_mb"] > 100


def test_our_own_memory_and_processor_time_are_seen() -> None:
    assert peak_memory_mb(os.getpid()) > 5
    assert processor_seconds(os.getpid()) > 0
    assert processor_seconds(None) == 0
