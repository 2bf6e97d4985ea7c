import * as oidc from 'openid-client';
import { describe, expect, it } from 'vitest';
import { discover } from '../support/oidc.ts';
import { ADA, clients } from '../support/seeds.ts';
import { MODES } from '../support/walker.ts';
import { setStage } from './stage.ts';

const stage = setStage();

describe.each(MODES)('with a %s', (mode) => {
  it('a television is signed in with a code', async () => {
    const config = await discover(stage.cardea, clients.device);
    const device = await oidc.initiateDeviceAuthorization(config, { scope: 'openid email' });
    const walker = await stage.walk(mode);
    let view = await walker.open(device.verification_uri);
    expect(view.status).toBe(200);
    view = await walker.submit({ user_code: 'WRNG-CODE' });
    expect(view.status).toBe(400);
    expect(view.html).toContain('aria-describedby');
    // As people type: small letters, no dash.
    await walker.submit({ user_code: device.user_code.toLowerCase().replace('-', ' ') });
    await walker.submit({}, { button: 'Connect' });
    await walker.submit({ identifier: ADA.email });
    view = await walker.submit({ password: ADA.password });
    if (view.url.pathname.endsWith('/consent')) view = await walker.submit({}, { button: 'allow' });
    expect(view.status).toBe(200);
    expect(walker.faults).toEqual([]);
    const tokens = await poll(config, device.device_code);
    expect(await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims()!.sub)).toMatchObject({
      email: ADA.email,
    });
    await walker.close();
  });

  it('a person can refuse', async () => {
    const config = await discover(stage.cardea, clients.device);
    const device = await oidc.initiateDeviceAuthorization(config, { scope: 'openid' });
    const walker = await stage.walk(mode);
    let view = await walker.open(device.verification_uri_complete!);
    // Without JavaScript a button stands between.
    if (!view.text.includes(device.user_code)) view = await walker.submit({}, { button: 'Continue' });
    expect(view.text).toContain(device.user_code);
    const refused = await walker.submit({}, { button: 'abort' });
    expect(refused.status).toBeLessThan(500);
    await expect(poll(config, device.device_code)).rejects.toMatchObject({ error: 'access_denied' });
    expect(walker.faults).toEqual([]);
    await walker.close();
  });
});

const poll = (config: oidc.Configuration, device_code: string) =>
  oidc.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:device_code', { device_code });
