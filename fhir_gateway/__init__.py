"""The FHIR gateway: what lives where, and the order to read it in.

1. ``problem`` and ``settings``: every way to fail, every knob.
2. ``adapters/contract.py``: all that a hospital's format and the gateway share.
3. ``store/port.py``: the eight promises everything else stands on.
4. ``exchange/inbox`` → ``worker`` → ``translation`` → ``filing``: a message on its way into the records.
5. ``identity/link``: whose record it is.
6. ``exchange/workflow``, ``referral``, ``teleconsult``, ``cases``: what two hospitals may do with a case.
7. ``exchange/outbox`` → ``delivery`` → ``arrivals``: how it travels and what the other side believes.
8. ``api/door``: what every request passes; ``api/routes`` and ``api/exchange``: every address.
9. ``subscriptions``: who asked to be told of changes, and is; its ``README.md`` says what is promised.
10. ``app``: how all of it is put together; ``opening``: the database, and the journal of the audit trail before it.
    ``tests/test_life_of_a_record.py`` walks the same road.

**A module imports only what is below it**; ``tests/test_architecture.py`` holds the drawing.
**Absent on purpose**: per-resource-type code, a mapping language, a message bus, an ORM, a dependency container.
"""
