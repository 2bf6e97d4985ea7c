import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { loadSettings } from './platform/config/index.ts';

// For a container's health check: ends with 0 when the Cardea on this machine says that it is ready.

const { host, port, tls } = loadSettings().server;
const request = tls.certFile ? requestHttps : requestHttp;
request(
  {
    host: host === '0.0.0.0' || host === '::' ? 'localhost' : host,
    port,
    path: '/health/ready',
    timeout: 2_000,
    // The certificate is for the public name; we ask ourselves.
    rejectUnauthorized: false,
  },
  (response) => process.exit(response.statusCode === 200 ? 0 : 1),
)
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1))
  .end();
