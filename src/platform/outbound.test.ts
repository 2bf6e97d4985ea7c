import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCall, isSpecialAddress } from './outbound.ts';

const server = createServer((request, response) => {
  if (request.url === '/silent') return;
  if (request.url === '/away') return response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
  if (request.url === '/drip') {
    response.write('x');
    const drip = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(drip));
    return;
  }
  response.end(request.url === '/long' ? 'x'.repeat(3000) : 'ok');
});
let port: number;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe('a call to others', () => {
  const call = createCall({ allowPrivateAddresses: true, timeout: 0.3, most: 2000 });
  it('is bounded in size and time, however slowly it comes', async () => {
    expect(await (await call(`http://127.0.0.1:${port}/`)).text()).toBe('ok');
    await expect(call(`http://127.0.0.1:${port}/long`)).rejects.toThrow('more than 2000');
    await expect(call(`http://127.0.0.1:${port}/silent`)).rejects.toMatchObject({ name: 'TimeoutError' });
    await expect(call(`http://127.0.0.1:${port}/drip`)).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('follows no redirect', async () => {
    expect((await call(`http://127.0.0.1:${port}/away`)).status).toBe(302);
  });
});

describe('addresses of our own network are not called (SSRF)', () => {
  const call = createCall({ allowPrivateAddresses: false, timeout: 2 });
  it.each(['127.0.0.1', '[::1]', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', 'localhost'])(
    'http://%s',
    async (host) => {
      const error = await call(`http://${host}:${port}/`).catch((each: Error) => each);
      expect(error).toBeInstanceOf(Error);
      const said = [error as Error, (error as Error).cause as Error].map((each) => (each as { code?: string })?.code);
      expect(said).toContain('outbound.address_refused');
    },
  );

  it.each([
    ['10.1.2.3', true],
    ['169.254.169.254', true],
    ['100.64.0.1', true],
    ['fd00::1', true],
    ['fe80::1', true],
    ['::ffff:10.0.0.1', true],
    ['::ffff:a00:1', true],
    ['64:ff9b::a00:1', true],
    ['8.8.8.8', false],
    ['2606:4700::1', false],
  ])('%s: %s', (address, special) => expect(isSpecialAddress(address)).toBe(special));
});
