"""Teleconsultation (hội chẩn từ xa): one hospital asks another for an opinion; the patient stays where they are.

https://hl7.org/fhir/R4/task.html#statemachine
"""

from fhir_gateway.exchange.workflow import RECEIVER, REQUESTER, Move, Workflow

# fmt: off
TELECONSULT = Workflow("teleconsult", start="requested", moves=(
    #    name        from                                    to             by         needs             business
    Move("receive",  ("requested",),                         "received",    RECEIVER,  (),               "received"),
    Move("schedule", ("received",),                          "accepted",    RECEIVER,  ("appointment",), "scheduled"),
    Move("decline",  ("received", "accepted"),               "rejected",    RECEIVER,  ("reason",),      "declined"),
    Move("start",    ("accepted",),                          "in-progress", RECEIVER,  ("encounter",),   "in-session"),
    Move("pause",    ("in-progress",),                       "on-hold",     RECEIVER,  ("reason",),      "paused"),
    Move("resume",   ("on-hold",),                           "in-progress", RECEIVER,  (),               "in-session"),
    Move("answer",   ("in-progress",),                       "completed",   RECEIVER,  ("opinion",),     "answered"),
    Move("cancel",   ("requested", "received", "accepted"),  "cancelled",   REQUESTER, ("reason",),      "cancelled"),
))
# fmt: on
