# The API: FastAPI, Redis and a tokenizer, without torch.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS package
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements.lock ./
RUN pip install -c requirements.lock setuptools
COPY pyproject.toml README.md ./
COPY contract contract
COPY palimpsest palimpsest
COPY app app
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheel .

FROM ${PYTHON_IMAGE}
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN groupadd --gid 10001 palimpsest \
    && useradd --uid 10001 --gid 10001 --create-home palimpsest \
    && install --directory --owner=10001 --group=10001 /data
WORKDIR /srv
# The dependencies are a layer of their own, which a change of our code leaves alone.
COPY pyproject.toml requirements.lock ./
RUN python -c "import tomllib; \
project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*project['dependencies'], *project['optional-dependencies']['api'], sep='\n')" > wanted.txt \
    && pip install -c requirements.lock -r wanted.txt
COPY --from=package /wheel /srv/wheel
RUN pip install --no-deps --no-index wheel/*.whl

ENV PALIMPSEST_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os; \
port = int(os.environ.get('PALIMPSEST_PORT') or 8000); \
api = http.client.HTTPConnection('127.0.0.1', port, timeout=4); \
api.request('GET', '/readyz'); \
raise SystemExit(api.getresponse().status != 200)"]
CMD ["python", "-m", "app"]
