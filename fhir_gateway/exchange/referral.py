"""Referral (chuyển cơ sở khám chữa bệnh): one hospital asks another to take a patient over.

https://build.fhir.org/ig/HL7/bser/ - the businessStatus codes are BSeR's.
"""

from fhir_gateway.exchange.workflow import RECEIVER, REQUESTER, Move, Workflow

# fmt: off
REFERRAL = Workflow("referral", start="requested", moves=(
    #    name        from                                    to             by         needs                   business
    Move("receive",  ("requested",),                         "received",    RECEIVER,  (),                     "2.0"),
    Move("accept",   ("received",),                          "accepted",    RECEIVER,  ("appointment",),       "3.0"),
    Move("reject",   ("received", "accepted"),               "rejected",    RECEIVER,  ("reason",),            "4.0"),
    Move("admit",    ("accepted",),                          "in-progress", RECEIVER,  ("encounter",),         "5.1.4"),
    Move("complete", ("accepted", "in-progress"),            "completed",   RECEIVER,  ("discharge-summary",), "7.0"),
    Move("fail",     ("accepted", "in-progress"),            "failed",      RECEIVER,  ("reason",),            "5.1.2"),
    Move("cancel",   ("requested", "received", "accepted"),  "cancelled",   REQUESTER, ("reason",),            "6.0"),
))
# fmt: on
