# Shiwu in a container:
#
#   docker build -t shiwu .
#   docker run --read-only --tmpfs /tmp -p 5000:5000 shiwu
#
# The image holds one network, compiled; nothing is fetched when it runs. Another one than that in
# the box is converted while the image is built:
#
#   docker build -t shiwu --build-arg MODEL=MobileNetV2 .
#
# MODEL        a published network, or a network folder in weights/
# WEIGHTS      weights/, or a file in it; without it they are fetched
# MIRROR       address of a folder to fetch weights from, before the published address
# EVERY_LAYER  1 for /features of every layer, for as many bytes as the network once more
# TRACES       1 for what SHIWU_TRACES needs: 11 MB
#
# No step needs BuildKit.

ARG PYTHON=3.11


# What serving needs, in a virtual environment without pip.
FROM python:${PYTHON}-slim AS packages
RUN python -m venv --without-pip /venv
COPY requirements-serving.txt requirements-traces.txt requirements.lock /build/
ARG TRACES=
RUN pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check \
    -r /build/requirements-serving.txt ${TRACES:+-r /build/requirements-traces.txt} \
    -c /build/requirements.lock


# The network, compiled: /network. TensorFlow comes here, if it is needed, and no further.
FROM packages AS network
ARG MODEL=ShiwuNet
COPY requirements.txt /build/
RUN test "$MODEL" = ShiwuNet \
    || pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check \
    -r /build/requirements.txt -c /build/requirements.lock
ARG WEIGHTS=
ARG MIRROR=
ARG EVERY_LAYER=
WORKDIR /app
COPY . .
RUN /venv/bin/python -m engines.pack --model "$MODEL" --out /network \
    ${WEIGHTS:+--weights "$WEIGHTS"} ${MIRROR:+--mirror "$MIRROR"} \
    ${EVERY_LAYER:+--every-layer} \
    && chmod -R a+rX,go-w /network


# The environment and the code, without what serving on a CPU never opens.
FROM packages AS lean
# OpenVINO's other processors and file formats and its C++ headers (90 MB), and its converter, which
# reports to its makers whenever OpenVINO is imported.
RUN cd /venv/lib/python*/site-packages/openvino \
    && rm -rf ../openvino_telemetry tools include \
    frontend/jax frontend/onnx frontend/paddle frontend/pytorch frontend/tensorflow \
    libs/cache.json \
    libs/libopenvino_intel_gpu_plugin.so \
    libs/libopenvino_intel_npu_plugin.so \
    libs/libopenvino_gguf_frontend.so.* \
    libs/libopenvino_jax_frontend.so.* \
    libs/libopenvino_onnx_frontend.so.* \
    libs/libopenvino_paddle_frontend.so.* \
    libs/libopenvino_pytorch_frontend.so.* \
    libs/libopenvino_tensorflow_frontend.so.* \
    libs/libopenvino_tensorflow_lite_frontend.so.*
# NumPy's own tests: 17 MB.
RUN find /venv/lib/python*/site-packages/numpy -type d -name tests -prune -exec rm -r {} +
COPY . /app
# Bytecode is made here, as the image is read-only later; unchecked, as its sources are, too. The
# network that is served lies in /network, whichever it is.
RUN rm -rf /app/weights /app/requirements* /app/models/bundled/compiled \
    /app/models/bundled/layers \
    && chmod -R a+rX,go-w /app \
    && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /app


# A font for the Chinese names on photos: 4 MB, and the smallest that has all of them.
FROM python:${PYTHON}-slim AS font
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-droid-fallback \
    && mkdir /font \
    && cp /usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf \
    /usr/share/doc/fonts-droid-fallback/copyright /font


FROM python:${PYTHON}-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Shiwu" \
    org.opencontainers.image.description="Photo in, names out: an image classification service" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0"
# /tmp is all that is written to, also as a home for an unnamed user.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    SHIWU_MODEL=/network \
    SHIWU_HOST=0.0.0.0 \
    SHIWU_PORT=5000
COPY --from=lean /venv /venv
COPY --from=lean /app /app
COPY --from=network /network /network
COPY --from=font /font /usr/local/share/fonts/droid
WORKDIR /app
USER 10001:10001
EXPOSE 5000
# http.client, as urllib would ask a proxy where one is set.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "import os; from http.client import HTTPConnection as H; h = H('127.0.0.1', int(os.environ['SHIWU_PORT']), timeout=4); h.request('GET', '/readyz'); raise SystemExit(h.getresponse().status != 200)"]
ENTRYPOINT ["python", "app.py"]
