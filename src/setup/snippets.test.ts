import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as oauth from 'oauth4webapi';
import * as openidClient from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SnippetInput, snippets } from './snippets.ts';

/** A provider in plain http, as in development. */
const provider = createServer((request, response) => {
  const issuer = `http://${request.headers.host}`;
  const isToken = request.url === '/token';
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify(
      isToken
        ? { access_token: 'one', token_type: 'bearer', expires_in: 600 }
        : {
            issuer,
            authorization_endpoint: `${issuer}/authorize`,
            token_endpoint: `${issuer}/token`,
            response_types_supported: ['code'],
          },
    ),
  );
});
let issuer: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
});
afterAll(() => void provider.close());

const AsyncFunction = (async () => {}).constructor as FunctionConstructor;

/** Runs the first snippet of the title, up to where somebody comes back, with the library in place of its import. */
const run = (title: string, kind: string, returned: string, libraries: Record<string, unknown>) => {
  const asked: SnippetInput = { issuer, clientId: 'shop', secret: kind === 'spa' ? undefined : 'a secret', kind };
  const { code } = snippets(asked).find((snippet) => snippet.title.includes(title))!;
  const body = code.replace(/^import .*$/m, '').split(/^\/\/ (?:2\. )?They come back.*$/m)[0];
  return new AsyncFunction(...Object.keys(libraries), `${body}\nreturn ${returned};`)(...Object.values(libraries));
};

describe('what the wizard says to paste works as it stands over http', () => {
  it.each(['web', 'spa'])('openid-client, for a %s application', async (kind) => {
    const url = (await run('openid-client', kind, 'url', { client: openidClient })) as URL;
    expect(url.href).toContain(`${issuer}/authorize?`);
    expect(url.searchParams.get('code_challenge_method')).toBe('S256');
  });

  it('openid-client, for a service', async () => {
    expect(await run('openid-client', 'service', 'access_token', { client: openidClient })).toBe('one');
  });

  it('oauth4webapi', async () => {
    expect(await run('oauth4webapi', 'web', 'as', { oauth })).toMatchObject({ issuer });
  });
});

it('nothing allows plain http where the issuer has TLS', () => {
  const secure = { issuer: 'https://id.example.com', clientId: 'shop', secret: 'a secret' };
  for (const kind of ['web', 'service']) expect(JSON.stringify(snippets({ ...secure, kind }))).not.toMatch(/insecure/i);
});
