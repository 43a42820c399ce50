# The pipeline in its locked environment. The sources lie in /ncfl, where a checkout of one's own may be mounted over
# them; the environment lies elsewhere, so that it is not hidden then.
FROM python:3.11-slim

# git tells which commit made a result; DVC needs it, too.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg git make \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /ncfl

RUN useradd --create-home --uid 1000 ncfl \
    && mkdir /ncfl /opt/venv \
    && chown ncfl:ncfl /ncfl /opt/venv
USER ncfl
WORKDIR /ncfl
COPY --chown=ncfl:ncfl . .
RUN make VENV=/opt/venv /opt/venv/ready \
    && rm -rf ~/.cache

# Whoever it runs as, known to the system or not, has a place for what programs keep.
ENV PATH=/opt/venv/bin:$PATH \
    USER=ncfl \
    XDG_CACHE_HOME=/tmp/ncfl/cache \
    XDG_CONFIG_HOME=/tmp/ncfl/config \
    MLFLOW_DISABLE_TELEMETRY=true \
    DVC_NO_ANALYTICS=true
CMD ["snakemake"]
