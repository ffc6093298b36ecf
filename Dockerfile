# CAMN with all its extras, from requirements.lock. docs/reference/install.md says how to build and use it.
#   CPU:   docker build -t camn .
#   CUDA:  docker build -t camn --build-arg BASE=nvidia/cuda:13.0.2-base-ubuntu24.04 .
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# NVIDIA's images come without Python.
RUN command -v python3 || { \
      apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*; \
    }
RUN python3 -m venv /opt/camn
ENV PATH=/opt/camn/bin:$PATH

# The packages come before the source, so that a change of the source installs none of them again.
WORKDIR /src
COPY requirements.lock requirements-cpu.lock requirements-cuda.lock ./
# NVIDIA's images are told apart by CUDA_VERSION, which they set.
RUN pip install --no-cache-dir --require-hashes -r requirements.lock \
      -r requirements-$([ -z "$CUDA_VERSION" ] && echo cpu || echo cuda).lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && rm -r /src/*

# Whoever runs it, it is never root. Videos, projects and results are in /data.
RUN useradd --create-home camn && mkdir /data && chown camn /data
USER camn
WORKDIR /data
VOLUME /data
# Without it the address of the page would not show in the log.
ENV PYTHONUNBUFFERED=1
EXPOSE 8765
ENTRYPOINT ["camn"]
CMD ["serve", "--host", "0.0.0.0", "--public", "--port", "8765", "--no-browser"]
