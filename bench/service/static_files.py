"""`python -m bench.service.static_files DIRECTORY PORT`: files served by Starlette alone."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

if __name__ == "__main__":
    app = Starlette(routes=[Mount("/", StaticFiles(directory=sys.argv[1]))])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
