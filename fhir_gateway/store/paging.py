"""How the embedded engine in Rust keeps and writes its pages: keys come in no order, so any of them may be the next.

https://source.wiredtiger.com/develop/tune_cache.html

The more keys there are, the more pages the same number of new ones changes, and a checkpoint writes all that changed.
So there is one for each gigabyte of the log instead of one a minute: what is gone through after a kill stays bounded.
"""

from collections.abc import Mapping
from pathlib import Path

FASTER = "secantusd-rs"
# A key repeats most of the one before it. A folder made by an earlier version keeps its tables as they are.
TABLES = "prefix_compression=true"
CHECKPOINT_SECONDS = 300
LOG = "1GB"
CACHE = ",".join(
    (
        f"checkpoint=(log_size={LOG})",
        # Percent of the cache: pages wait for the checkpoint instead of being written again and again before it.
        "eviction_dirty_target=50",
        "eviction_dirty_trigger=70",
        "eviction_updates_target=30",
        "eviction_updates_trigger=50",
    )
)


def paging(program: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for this program; what an operator set there stays."""
    if program.name != FASTER:
        return dict(environment)
    ours = {
        "SECANTUS_DATA_TABLE_EXTRA": TABLES,
        "SECANTUS_WT_CONFIG_EXTRA": CACHE,
        "SECANTUS_CHECKPOINT_SECONDS": f"{CHECKPOINT_SECONDS}",
    }
    return {**ours, **environment}
