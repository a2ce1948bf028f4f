import pytest
from datetime import datetime, timedelta, timezone
import time
from fhir_gateway.store.port import *
pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
async def test_x(store):
    n=0
    for rounds in range(60):
        ch=[]
        for i in range(500):
            n+=1
            ch.append(Change(Version("Patient" if i%2 else "Observation", f"p{n}", 1, NOON+timedelta(seconds=rounds), b'{"a":1}'*50, readers=("h",)), 0, {"keys":["a","b"],"patients":["Patient/x"]}))
        await store.commit(Commit(tuple(ch)))
    c=store._database.resources
    D=datetime(1970,1,1,tzinfo=timezone.utc)
    async def tm(label, f):
        t=time.time(); r=await f; print(label, r if isinstance(r,int) else [(x["_id"],x.get("updated")) for x in r][:2], round((time.time()-t)*1000,1),"ms")
    q={"updated":{"$gte":D}}
    await tm("nosort", c.find(q).limit(20).to_list(20))
    await tm("nosort proj", c.find(q,{"updated":1}).limit(20).to_list(20))
    await tm("hint", c.find(q,{"updated":1}).hint("written").limit(20).to_list(20))
    await tm("count", c.count_documents(q))
    await tm("agg nosort limit", c.aggregate([{"$match":q},{"$limit":20}]).to_list(20))
    await tm("agg max", c.aggregate([{"$match":q},{"$group":{"_id":1,"updated":{"$max":"$updated"}}}]).to_list(20))
    await tm("find one sort", c.find({},{"updated":1}).sort([("updated",-1)]).limit(1).to_list(1))
    await tm("type q, sort type,updated,_id hint", c.find({"type":"Patient"},{"updated":1}).sort([("updated",1)]).hint("updated").limit(20).to_list(20))
    await c.create_index([("updated",-1),("_id",-1)], name="desc")
    await tm("desc", c.find({},{"updated":1}).sort([("updated",-1),("_id",-1)]).hint("desc").limit(20).to_list(20))
    await tm("desc q", c.find(q,{"updated":1}).sort([("updated",-1),("_id",-1)]).limit(20).to_list(20))
    await tm("desc nosort", c.find(q,{"updated":1}).hint("desc").limit(20).to_list(20))
