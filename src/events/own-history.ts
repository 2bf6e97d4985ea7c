import type { AuditRecord } from './audit.ts';

/**
 * An event as the owner of the account it happened to may read it. Whoever else did it, whether they look after accounts,
 * manage an organisation or are a program, is told by kind alone: not by name, nor where they sit, nor why they did it.
 * Somebody nobody knows may be an attacker, so from where they came is told.
 */
export function asToldToOwner(record: AuditRecord, ownerId: string): AuditRecord {
  const { kind, id } = record.actor;
  if (id === ownerId || kind === 'anonymous') return record;
  return { ...record, actor: { kind }, ip: undefined, userAgent: undefined, reason: undefined };
}
