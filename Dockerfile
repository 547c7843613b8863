# The wheel in a virtual environment, on a slim Python; prices, models and logs live in the volume /data.
# docs/service.md says how to use it.

# Any image with Python 3.11 to 3.13, for instance one's own copy.
ARG PYTHON=python:3.12-slim

FROM ${PYTHON} AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY forecaster forecaster
# First the wheel, then it alone with the versions that are known to work: no sources reach the image.
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && python -m venv /opt/forecast \
    && /opt/forecast/bin/python -m pip install --no-cache-dir --constraint constraints.txt /wheels/*.whl

FROM ${PYTHON}
RUN groupadd --gid 10001 forecast \
    && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin forecast \
    && install --directory --owner=10001 --group=10001 /data
COPY --from=build /opt/forecast /opt/forecast
ENV PATH="/opt/forecast/bin:${PATH}" \
    FORECAST_HOME=/data \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
# A warning, like prices that are old, is no failure of doctor's.
HEALTHCHECK --interval=30m --timeout=2m --start-period=1m --retries=2 CMD ["forecast", "doctor"]
# What ends `forecast run --at` in order; a process with the number 1 ignores SIGTERM.
STOPSIGNAL SIGINT
ENTRYPOINT ["forecast"]
CMD ["--help"]
