import { randomToken } from '../../platform/index.ts';
import type { Sessions } from '../../sessions/index.ts';

/** Seconds in which the person has to answer; the recommendation of WebAuthn Level 3, section 15.1. */
export const ceremonyLife = 5 * 60;

/** What a challenge was made for. */
export interface Challenge {
  for: 'create' | 'get';
  /** Whose passkey it has to be, or for whom one is made. */
  userId?: string | undefined;
  /** Made without asking, right after a sign-in (conditional create): the person need not be seen again. */
  conditional?: boolean | undefined;
}

const kind = 'passkey-challenge';

/**
 * Random, good once, for five minutes, and only in the place it was made for: one sign-in or one session. The place
 * is part of the name it is kept under, so that a forged, a replayed and somebody else's challenge are all the
 * same: none. Several may be open at once, as a page that waits for autofill has a button as well.
 */
export function createChallenges({ fleeting }: { fleeting: Sessions['fleeting'] }) {
  const idOf = (scope: string, challenge: string) => `${scope} ${challenge}`;
  return {
    async make(scope: string, about: Challenge): Promise<string> {
      const challenge = randomToken();
      await fleeting.put(kind, idOf(scope, challenge), about, ceremonyLife);
      return challenge;
    },
    /** Uses it up, whatever becomes of what was signed with it. */
    take: (scope: string, challenge: string) => fleeting.take<Challenge>(kind, idOf(scope, challenge)),
  };
}
