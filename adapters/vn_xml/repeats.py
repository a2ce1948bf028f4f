"""Fields that a document repeats from XML1: they must be equal, XML1 is the truth, a difference is told.

The official check says of the shared fields of XML13 and XML14 that they must equal XML1 where both are present.
"""

from adapters.vn_xml.episode import Episode
from adapters.vn_xml.records import Record

SHARED = (
    "HO_TEN", "SO_CCCD", "NGAY_SINH", "GIOI_TINH", "MA_QUOCTICH", "MA_DANTOC", "MA_NGHE_NGHIEP", "DIA_CHI",
    "MA_THE_BHYT", "GT_THE_DEN", "NGAY_VAO", "NGAY_VAO_NOI_TRU", "NGAY_RA", "CHAN_DOAN_VAO", "CHAN_DOAN_RV",
    "MA_BENH_CHINH", "MA_BENH_KT", "MA_BENH_YHCT", "MA_LOAI_RV", "MA_DOITUONG_KCB", "MA_LOAI_KCB", "KET_QUA_DTRI",
    "MA_CSKCB", "MA_NOI_DI", "MA_NOI_DEN", "MA_BN", "MA_DKBD", "GT_THE_TU", "LY_DO_VNT", "MA_LY_DO_VNT",
    "MATINH_CU_TRU", "MAHUYEN_CU_TRU", "MAXA_CU_TRU",
)  # fmt: skip

#: The name in a document, and the name that XML1 has for the same thing.
RENAMED = (
    ("MA_YTE", "MA_BN"),
    ("PP_DIEUTRI", "PP_DIEU_TRI"),
    ("MA_CSKCB_DI", "MA_NOI_DI"),
    ("MA_CSKCB_DEN", "MA_NOI_DEN"),
)


def repeats(episode: Episode, record: Record, but: tuple[str, ...] = ()) -> None:
    """Account for every field that repeats the head row; nothing to do for the head row itself."""
    if record is episode.head:
        return
    for name, original in (*((name, name) for name in SHARED), *RENAMED):
        if name not in but:
            _repeat(episode, record, name, original)


def _repeat(episode: Episode, record: Record, name: str, original: str) -> None:
    text = record.text(name)
    if not text:
        return
    truth = episode.head.text(original)
    if text == truth or text in episode.head.many(original):
        for target in episode.head.targets(original):
            record.take(name, target)
        return
    if not truth and (record.targets(name) or episode.head.table != "XML1"):
        return
    source = f"{episode.head.table}.{original}"
    record.note(name, f"differs from {source}, which is taken as the truth")
    record.ignore(name, f"differs from {source}, which is taken as the truth")
