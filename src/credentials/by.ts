import type { Change } from '../users/index.ts';

/** Who does it, why and from where. */
export type By = Omit<Change, 'at'>;

/** The person did it, from this address. */
export const byThemselves = (userId: string, ip: string): By => ({ actor: { kind: 'user', id: userId }, ip });

export const anonymously = (ip: string): By => ({ actor: { kind: 'anonymous' }, ip });
