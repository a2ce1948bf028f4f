"""How search keys lie in the database: records that an earlier version wrote otherwise are found only when made anew.

https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4
"""

from motor.motor_asyncio import AsyncIOMotorDatabase

from fhir_gateway.problem import Unavailable
from fhir_gateway.store.mongo.connection import Document, answering

NAME = "upkeep"
LAYOUT = 2
"""1: keys alone; 2: behind the type of their record.

To be raised when keys are no longer found where they lay, or when an index of keys changes: then they may be taken from
all records before it is built.
"""
CLEARED, REFRESHED = "cleared", "refreshed"
"""Under these names it is told how many records have lost their old keys, and how many have new ones."""


class Layout:
    """How they lie in one database; a search that would miss records is refused, reads by id are not."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._database = database
        self._known = False
        self._told: Document = {}

    async def begin(self) -> None:
        """A database without records has none that lie otherwise."""
        await self._database.leases.update_one({"_id": NAME}, {"$set": {"layout": LAYOUT}}, upsert=True)
        self._known = True

    async def look(self) -> None:
        """See how they lie, until once they lie as they should."""
        if not self._known:
            self._told = await self._database.leases.find_one({"_id": NAME}) or {}
            self._known = self._told.get("layout") == LAYOUT

    async def must_be_current(self) -> None:
        """Raises Unavailable while keys are made anew."""
        async with answering():
            await self.look()
        if not self._known:
            raise Unavailable(f"the search keys of an earlier version are made anew: {self._far()}; see /health/ready")

    def _far(self) -> str:
        doing = str(self._told.get("doing", "")).partition(" ")[0]
        if doing not in (CLEARED, REFRESHED):
            return "it has not begun yet"
        round_ = "old keys are taken from" if doing == CLEARED else "new keys are made for"
        return f"{round_} {self._told.get(doing, 0)} of {self._told.get('records', 0)} records by now"
