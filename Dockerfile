FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 UV_SYSTEM_PYTHON=1 UV_NO_CACHE=1
RUN useradd --create-home touchstone && install -d -o touchstone /data
WORKDIR /app

# The lock file alone first: a change of the code does not install everything anew.
COPY requirements.lock .
# Compiled now: a container's user cannot write, and would compile 2,000 modules at each start.
RUN pip install --no-cache-dir uv \
    && uv pip install --compile-bytecode --no-deps --require-hashes -r requirements.lock

COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

COPY manage.py ./
COPY ml ml
COPY annotation annotation
COPY active_learning active_learning
COPY webapp webapp
COPY templates templates
COPY static static
RUN python -m compileall -q ml annotation active_learning webapp

USER touchstone
VOLUME /data
ENV TOUCHSTONE_HOME=/data
EXPOSE 8000 8081
CMD ["gunicorn", "webapp.wsgi", "--bind=0.0.0.0:8000", "--worker-class=gthread", "--workers=2", "--threads=4", "--timeout=60", "--no-control-socket", "--access-logfile=-"]
