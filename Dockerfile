# Build: wheels of the pinned dependencies and of the gateway itself.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY fhir_gateway fhir_gateway
COPY adapters adapters
RUN PIP_CONSTRAINT=/src/constraints.txt pip wheel --wheel-dir /wheels .

# Run: no compiler, no package sources, no root. The embedded engine is left out on purpose: production is MongoDB.
FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/fhir-gateway gateway \
    && install -d -o gateway -g gateway -m 0700 /var/lib/fhir-gateway/data
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links=/wheels fhir-gateway && rm -rf /wheels
USER 10001
WORKDIR /var/lib/fhir-gateway
ENV FHIR_GATEWAY_DATA=/var/lib/fhir-gateway/data \
    FHIR_GATEWAY_HOST=0.0.0.0 \
    FHIR_GATEWAY_PORT=8000 \
    PYTHONUNBUFFERED=1
EXPOSE 8000
VOLUME ["/var/lib/fhir-gateway/data"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["fhir-gateway"]
CMD ["serve"]
