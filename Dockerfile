# The page: docker build -t captioner . && docker run --rm -p 7860:7860 captioner
FROM python:3.13-slim AS packages
COPY requirements.lock /tmp/
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r /tmp/requirements.lock

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 captioner
COPY --from=packages /venv /venv
WORKDIR /app
COPY captioner captioner
COPY demo demo
COPY models models
USER 10001
ENV PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["/venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/', timeout=4)"]
# From outside the page is reached by the names of this machine; --allow-host NAME adds another.
ENTRYPOINT ["/venv/bin/python", "-m", "demo", "--host", "0.0.0.0"]
