"""What the numbers in the README come from: ``python -m bench`` prints them as one JSON object.

``messages`` and ``records`` make the material, ``stage`` starts a real gateway, ``load`` is the client, each of
``translating``, ``ingesting``, ``asking`` and ``alone`` measures one thing.
"""
