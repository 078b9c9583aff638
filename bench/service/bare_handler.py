"""A bare handler to measure the service against.

It writes what a submission writes, fsynced, in one MULTI, and neither checks nor decides anything.
"""

import json
import os
import sys
import time
from typing import Any

import uvicorn
from fastapi import FastAPI
from redis import Redis

from contract.wire.ids import new_edit_id

PREFIX = "bare:"


def create_app(redis: Redis, record: dict[str, str], job: dict[str, str]) -> FastAPI:
    """`record` and `job` have the fields of a submission, in number and size."""
    app = FastAPI()

    @app.post("/bare", status_code=202)
    def bare(body: dict[str, Any]) -> dict[str, Any]:
        edit_id = new_edit_id(now_s=time.time())
        with redis.pipeline(transaction=True) as pipe:
            pipe.hset(f"{PREFIX}{edit_id}", mapping=record)
            for index in range(4):
                pipe.zadd(f"{PREFIX}index:{index}", {edit_id: 0})
            pipe.xadd(f"{PREFIX}{edit_id}:events", {"type": "queued", "at": "", "data": "{}"})
            pipe.hset(f"{PREFIX}{edit_id}:job", mapping=job)
            pipe.sadd(f"{PREFIX}queues", "queue")
            pipe.rpush(f"{PREFIX}queue", edit_id)
            pipe.execute()
        return body | {"id": edit_id}

    return app


def main() -> None:
    redis = Redis.from_url(os.environ["REDIS_URL"])
    app = create_app(redis, **json.loads(os.environ["BARE_FIELDS"]))
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None, access_log=False)


if __name__ == "__main__":
    main()
