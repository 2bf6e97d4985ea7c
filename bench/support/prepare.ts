import { Agent } from 'node:http';
import type { Target } from './place.ts';
import { clients, type Format, people, resources } from './seeds.ts';
import { authorizePath, codeOf, createVisitor, formHeaders, type Jar, redemption, type Visitor } from './visitor.ts';

// What a load needs before it can begin: people who are signed in, and tokens of theirs.

export interface Tokens {
  access_token: string;
  refresh_token: string;
}

interface SignedIn {
  person: (typeof people)[number];
  visitor: Visitor;
}

const signedIn = new WeakMap<Target, Promise<SignedIn[]>>();

/** Sixteen people who are signed in to the target; the same ones whenever they are asked for. */
function visitors(target: Target): Promise<SignedIn[]> {
  const known = signedIn.get(target);
  if (known) return known;
  const agent = new Agent({ keepAlive: true });
  const made = (async () => {
    const all = people.slice(0, 16).map((person) => ({ person, visitor: createVisitor(target.port, agent) }));
    for (const { person, visitor } of all) await visitor.signIn(person);
    return all;
  })();
  signedIn.set(target, made);
  return made;
}

/** New sign-ins: a session of its own for each, as those that a load works with must not be used by others. */
export async function jars(target: Target, count: number): Promise<Jar[]> {
  const agent = new Agent({ keepAlive: true });
  return inTurns(count, async (index) => {
    const visitor = createVisitor(target.port, agent);
    await visitor.signIn(people[index % people.length]!);
    return visitor.jar;
  });
}

/** Tokens of people, each with a code of its own. @param format of access tokens for an API; without it they are for userinfo */
export async function tokens(target: Target, count: number, format?: Format): Promise<Tokens[]> {
  const all = await visitors(target);
  const resource = format && { resource: resources[format] };
  const asked = resource && { ...resource, scope: 'openid offline_access read' };
  // One after the other for each person: a browser's cookies are not two people's.
  const each = await Promise.all(
    all.map(async ({ person, visitor }, index) => {
      const got: Tokens[] = [];
      for (let nth = index; nth < count; nth += all.length) {
        const { headers } = await visitor.send('GET', authorizePath(asked));
        // The reference forgets sessions while it is under load.
        const code = codeOf(headers.location) ?? (await visitor.signIn(person, asked));
        const body = redemption(code, resource);
        const answer = await visitor.send('POST', '/token', { body, headers: formHeaders(clients.web) });
        if (answer.status !== 200) throw new Error(`no tokens from ${target.name}: ${answer.text}`);
        got.push(JSON.parse(answer.text) as Tokens);
      }
      return got;
    }),
  );
  return each.flat();
}

/** Eight at a time. */
async function inTurns<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const loop = async () => {
    while (next < count) {
      const index = next++;
      results[index] = await work(index);
    }
  };
  await Promise.all(Array.from({ length: 8 }, loop));
  return results;
}
