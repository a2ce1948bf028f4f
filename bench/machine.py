"""The machine a figure was taken on, named beside it: a number without its machine says nothing."""

import os
import platform
from pathlib import Path
from typing import Any

KILOBYTE = 1024


def machine() -> dict[str, Any]:
    """Processor, cores, memory, kernel, Python, and how busy it was before we began."""
    return {
        "processor": _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mb": _kilobytes("/proc/meminfo", "MemTotal") // KILOBYTE,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def peak_memory_mb(pid: int) -> float:
    """The most memory a running program ever held in RAM; 0 where the system does not tell."""
    return round(_kilobytes(f"/proc/{pid}/status", "VmHWM") / KILOBYTE, 1)


def memory_mb(pid: int) -> float:
    """The memory a running program holds in RAM now; 0 where the system does not tell."""
    return round(_kilobytes(f"/proc/{pid}/status", "VmRSS") / KILOBYTE, 1)


def processor_seconds(pid: int | None) -> float:
    """The processor time a running program has used with all its threads; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """The programs that a program started and that still run; none where the system does not tell."""
    return [int(child) for child in _text(f"/proc/{pid}/task/{pid}/children").split()]


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _kilobytes(file: str, name: str) -> int:
    return int((_line(file, name) or "0").split()[0])


def _line(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
