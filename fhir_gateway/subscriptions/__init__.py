"""Subscriptions: whoever asked is told of every change they may see, once, in order, for as long as it takes.

https://hl7.org/fhir/uv/subscriptions-backport/

Read ``README.md`` here, then ``topics`` (what can be watched), ``terms`` (what one Subscription asks), ``watch`` (the
change is noted in the commit that makes it), ``counting`` (notes become numbered events), ``sending`` and ``stream``
(events leave).
"""
