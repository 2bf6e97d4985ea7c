import { describe, expect, it } from 'vitest';
import type { AuditRecord } from './audit.ts';
import { asToldToOwner } from './own-history.ts';

const owner = 'the-owner';
const record = (actor: AuditRecord['actor']): AuditRecord => ({
  ...{ id: '01900000-0000-7000-8000-000000000001', type: 'user.updated', at: new Date(0), actor, subject: owner },
  ...{ client: undefined, ip: '192.0.2.7', userAgent: 'a browser', reason: 'a complaint', data: { fields: [] } },
});
const told = (actor: AuditRecord['actor']) => asToldToOwner(record(actor), owner);

describe('what owners of an account are told of its history', () => {
  it.each(['administrator', 'client', 'system', 'user'] as const)('hides who, where and why of another %s', (kind) => {
    expect(told({ kind, id: 'another' })).toEqual({
      ...record({ kind }),
      ...{ ip: undefined, userAgent: undefined, reason: undefined },
    });
    expect(told({ kind })).not.toMatchObject({ ip: expect.anything() });
  });

  it('hides nothing of what they did themselves, also as an administrator', () => {
    for (const kind of ['user', 'administrator'] as const)
      expect(told({ kind, id: owner })).toEqual(record({ kind, id: owner }));
  });

  it('says from where somebody unknown came', () => {
    expect(told({ kind: 'anonymous' })).toMatchObject({ ip: '192.0.2.7', userAgent: 'a browser' });
  });
});
