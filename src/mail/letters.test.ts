import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createBranding } from '../platform/branding.ts';
import { createViews } from '../platform/views.ts';
import type { LetterName, Letters } from './catalogue.ts';

const dir = join(import.meta.dirname, '../../views');
const proof = { code: '482913', link: 'https://house.example/verify?token=a&x=1', minutes: 15 };
const samples: { [L in LetterName]: Letters[L] } = {
  'verify-address': proof,
  'account-exists': { link: proof.link },
  'reset-password': proof,
  'choose-password': { link: proof.link },
  'organisation-invitation': { place: 'Acme', link: proof.link, until: new Date('2026-01-02T00:00:00Z') },
  'domain-lost': { place: 'Acme', domain: 'acme.example', link: proof.link },
  welcome: { link: proof.link },
  'password-changed': { when: new Date('2026-03-04T05:06:00Z'), link: proof.link },
  'change-address': proof,
  'signin-code': { code: '482913', minutes: 10, ip: '203.0.113.7', device: 'Firefox' },
  'address-taken': { link: proof.link },
  'address-changed': { when: new Date('2026-03-04T05:06:00Z'), link: proof.link, minutes: 20_160 },
  'security-notice': {
    what: 'totp-added',
    when: new Date('2026-03-04T05:06:00Z'),
    ip: '203.0.113.7',
    device: 'Firefox',
    link: proof.link,
  },
};

describe('the catalogue of letters', () => {
  it('has a form for each letter, and a letter for each form', () => {
    expect(readdirSync(join(dir, 'mail')).toSorted()).toEqual(Object.keys(samples).toSorted());
  });

  const branding = createBranding({ name: 'The <House>', colour: '#3155c6' });
  const views = createViews({ dir, branding, strict: true });

  for (const locale of views.locales) {
    it.each(Object.entries(samples))(`${locale}: %s says all it should`, (letter, params) => {
      const { subject, text, html } = views.renderLetter(letter, { ...params }, locale);
      expect(subject).toMatch(/^\S.*\S$/);
      if ('link' in params) {
        expect(text).toContain(proof.link);
        expect(html).toContain(proof.link.replace('&', '&amp;'));
      }
      if ('code' in params) expect([text.includes(params.code), html.includes(params.code)]).toEqual([true, true]);
      expect(`${subject}${text}${html}`).not.toMatch(/undefined|\[object|Invalid Date|\{\w+[,}]/);
      expect(html).not.toContain('<House>');
    });
  }
});
