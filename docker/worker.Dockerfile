# The worker with its resident model. The CPU build of torch is the default; for a GPU, compose.gpu.yml
# empties TORCH_INDEX_URL, and the CUDA build comes from PyPI.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS package
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements.lock ./
RUN pip install -c requirements.lock setuptools
COPY pyproject.toml README.md ./
COPY contract contract
COPY palimpsest palimpsest
COPY worker worker
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheel .

FROM ${PYTHON_IMAGE}
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN groupadd --gid 10001 palimpsest \
    && useradd --uid 10001 --gid 10001 --create-home palimpsest \
    && install --directory --owner=10001 --group=10001 /data
# The index of torch's CPU builds mirrors few other packages: torch comes from it alone.
ARG TORCH=torch==2.13.0
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
RUN pip install --no-deps ${TORCH_INDEX_URL:+--index-url "${TORCH_INDEX_URL}"} "${TORCH}"
WORKDIR /srv
COPY pyproject.toml requirements.lock ./
# Without torch's pin, so that another TORCH stays as it was installed.
RUN python -c "import tomllib; \
project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*project['dependencies'], *project['optional-dependencies']['worker'], sep='\n')" > wanted.txt \
    && grep -v '^torch==' requirements.lock > constraints.txt \
    && pip install -c constraints.txt -r wanted.txt
COPY --from=package /wheel /srv/wheel
RUN pip install --no-deps --no-index wheel/*.whl

# A model is a local directory: nothing is looked up elsewhere.
ENV PALIMPSEST_DATA_DIR=/data HF_HUB_OFFLINE=1
USER 10001:10001
VOLUME /data
HEALTHCHECK --interval=10s --timeout=10s --start-period=2m --retries=3 CMD ["python", "-m", "worker.health"]
CMD ["python", "-m", "worker"]
