import { calling } from './arctic-calls.ts';
import { apple } from './social/apple.ts';
import { discord } from './social/discord.ts';
import { facebook } from './social/facebook.ts';
import { github } from './social/github.ts';
import { gitlab } from './social/gitlab.ts';
import { google } from './social/google.ts';
import type { Kit, Social } from './social/kit.ts';
import { linkedin } from './social/linkedin.ts';
import { microsoft } from './social/microsoft.ts';
import { AnswerRefused, type Upstream } from './upstream.ts';

/** The kinds of providers whose addresses and manners are known here; arctic knows the endpoints of most. */
const kinds = { google, microsoft, apple, gitlab, github, discord, facebook, linkedin } satisfies Record<
  string,
  (kit: Kit) => Social
>;

export function createSocialUpstream(deps: Omit<Kit, 'get'>): Upstream {
  const { call } = deps;
  const get: Kit['get'] = async (url, tokens) => {
    const response = await call(url, {
      headers: {
        authorization: `Bearer ${tokens.accessToken()}`,
        accept: 'application/json',
        // GitHub answers nobody without.
        'user-agent': 'cardea',
      },
    });
    if (response.status >= 500) throw new TypeError(`${new URL(url).host} answered ${response.status}`);
    if (response.status !== 200) throw new AnswerRefused(`${new URL(url).host} answered ${response.status}`);
    return (await response.json()) as Record<string, unknown>;
  };
  const social = kinds[deps.provider.kind as keyof typeof kinds]({ ...deps, get });

  return {
    async begin(departure) {
      return social.url(departure);
    },
    async finish(answer, departure) {
      const iss = answer.get('iss');
      if (iss !== null && social.iss !== undefined && iss !== social.iss)
        throw new AnswerRefused('the answer is another issuer’s (iss)');
      const code = answer.get('code');
      if (!code) throw new AnswerRefused('the answer has no code');
      const tokens = await calling(call, () => social.redeem(code, departure));
      return social.who(tokens, departure, answer);
    },
  };
}
