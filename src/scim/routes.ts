import Router from '@koa/router';
import type { Context } from 'koa';
import { type Budget, createAllowance, rateLimitHeaders } from '../platform/index.ts';
import type { Answer, Conditions } from './answer.ts';
import { readBody } from './body.ts';
import type { BulkOperation } from './bulk/request.ts';
import { runBulk } from './bulk/run.ts';
import { createDiscovery } from './discovery.ts';
import { bad, ScimFault, scimFaults } from './faults.ts';
import { createScimGroups } from './groups/groups.ts';
import type { Reach, ScimCaller, ScimPorts, ScimScope } from './ports.ts';
import { createPages } from './query/page.ts';
import { checkSelection } from './query/projection.ts';
import { type Query, readQuery, readSearch, readSelection } from './query/request.ts';
import { createRootSearch } from './query/root.ts';
import { reachOf } from './reach.ts';
import { createSecretTokens } from './secret-token.ts';
import { all, conditionsOf, list, openToOrigins, parametersOf, speak, write } from './speak.ts';
import { createScimUsers } from './users/users.ts';

/** Every URL of SCIM (RFC 7644, section 3.2). */
export function createScim(ports: ScimPorts): { router: Router } {
  const base = `${ports.issuer}/scim/v2`;
  const pages = createPages(ports);
  const users = createScimUsers({ ...ports, base, pages });
  const groups = createScimGroups({ ...ports, base, pages });
  const search = createRootSearch({ users, groups, pages });
  const discovery = createDiscovery(base);
  const { points, window: seconds } = ports.settings.limits.scimRequests;
  // Provisioning that stands still for a fault of the counters does more harm than some requests too many.
  const budget: Budget = { name: 'scim.requests', points, seconds, onFault: 'open' };
  const allowance = createAllowance({ ...ports, budget });
  const bySecret = createSecretTokens(ports);

  /** Lets the request in, and says how far it reaches. */
  const enter = async (
    ctx: Context,
    ...scopes: [ScimScope, ...ScimScope[]]
  ): Promise<{ reach: Reach; caller: ScimCaller }> => {
    const [scope, ...or] = scopes;
    const caller =
      (await bySecret(ctx, scopes)) ?? (await ports.bearer(ctx, { scopes: [scope], ...(or.length > 0 && { or }) }));
    ctx.set(rateLimitHeaders(budget, await allowance.demand(caller.clientId)));
    return { caller, reach: reachOf(ctx, caller) };
  };

  const router = new Router({ prefix: '/scim/v2' });
  router.use(openToOrigins, scimFaults);

  const kinds = { Users: users, Groups: groups } as const;
  for (const [name, kind] of Object.entries(kinds)) {
    router.get(`/${name}`, async (ctx) => {
      const { reach } = await enter(ctx, 'scim.read');
      list(ctx, await kind.list(queryOf(ctx), reach));
    });
    router.post(`/${name}`, async (ctx) => {
      const { reach } = await enter(ctx, 'scim.write');
      speak(ctx, await kind.create(await readBody(ctx), reach, selectionOf(ctx)));
    });
    router.post(`/${name}/.search`, async (ctx) => {
      const { reach } = await enter(ctx, 'scim.read');
      list(ctx, await kind.list(checked(readSearch(await readBody(ctx))), reach));
    });
    router.get(`/${name}/:id`, async (ctx) => {
      const { reach } = await enter(ctx, 'scim.read');
      speak(ctx, await kind.read(ctx.params.id!, reach, conditionsOf(ctx), selectionOf(ctx)));
    });
    router.put(`/${name}/:id`, async (ctx) => {
      const { reach } = await enter(ctx, 'scim.write');
      speak(ctx, await kind.replace(ctx.params.id!, await readBody(ctx), reach, conditionsOf(ctx), selectionOf(ctx)));
    });
    router.patch(`/${name}/:id`, async (ctx) => {
      const { reach } = await enter(ctx, 'scim.write');
      speak(ctx, await kind.patch(ctx.params.id!, await readBody(ctx), reach, conditionsOf(ctx), selectionOf(ctx)));
    });
    router.delete(`/${name}/:id`, async (ctx) => {
      const { reach } = await enter(ctx, 'scim.write');
      speak(ctx, await kind.remove(ctx.params.id!, reach, conditionsOf(ctx)));
    });
  }

  // Who is behind the token (RFC 7644, section 3.11).
  const me = async (ctx: Context, ...scopes: [ScimScope, ...ScimScope[]]) => {
    const { reach, caller } = await enter(ctx, ...scopes);
    if (caller.accountId === undefined) throw new ScimFault(404, undefined, 'there is no person behind the token');
    return { id: caller.accountId, reach };
  };
  router.get('/Me', async (ctx) => {
    const { id, reach } = await me(ctx, 'scim.read', 'account.read');
    speak(ctx, await users.read(id, reach, conditionsOf(ctx), selectionOf(ctx)));
  });
  router.put('/Me', async (ctx) => {
    const { id, reach } = await me(ctx, 'scim.write');
    speak(ctx, await users.replace(id, await readBody(ctx), reach, conditionsOf(ctx), selectionOf(ctx)));
  });
  router.patch('/Me', async (ctx) => {
    const { id, reach } = await me(ctx, 'scim.write');
    speak(ctx, await users.patch(id, await readBody(ctx), reach, conditionsOf(ctx), selectionOf(ctx)));
  });
  router.delete('/Me', async (ctx) => {
    const { id, reach } = await me(ctx, 'scim.write');
    speak(ctx, await users.remove(id, reach, conditionsOf(ctx)));
  });

  router.get('/', async (ctx) => {
    const { reach } = await enter(ctx, 'scim.read');
    list(ctx, await search(queryOf(ctx), reach));
  });
  router.post('/.search', async (ctx) => {
    const { reach } = await enter(ctx, 'scim.read');
    list(ctx, await search(checked(readSearch(await readBody(ctx))), reach));
  });

  router.post('/Bulk', async (ctx) => {
    const { reach, caller } = await enter(ctx, 'scim.write');
    const run = async ({ method, path, version, data }: BulkOperation): Promise<Answer> => {
      await allowance.demand(caller.clientId);
      const [, name, id] = /^\/(Users|Groups)(?:\/([^/]+))?$/.exec(path) ?? [];
      const kind = kinds[name as keyof typeof kinds];
      if (!kind || (method === 'POST') !== (id === undefined))
        throw bad('invalidPath', `${method} ${path} means nothing here`);
      const conditions: Conditions = version === undefined ? {} : { ifMatch: version };
      if (method === 'POST') return kind.create(data, reach, { excludedAttributes: ['members'] });
      if (method === 'PUT') return kind.replace(id!, data, reach, conditions, { excludedAttributes: ['members'] });
      if (method === 'PATCH') return kind.patch(id!, data, reach, conditions);
      return kind.remove(id!, reach, conditions);
    };
    write(ctx, 200, await runBulk(await readBody(ctx), { base, run, together: ports.db.transact }));
  });

  // What is offered and how one authenticates must be known before one can (RFC 7644, section 4).
  router.get('/ServiceProviderConfig', (ctx) => {
    refuseFilter(ctx);
    write(ctx, 200, discovery.config());
  });
  const userTypeNow = async (ctx: Context) => {
    await enter(ctx, 'scim.read');
    refuseFilter(ctx);
    return (await users.scheme()).type;
  };
  router.get('/ResourceTypes', async (ctx) => all(ctx, discovery.types(await userTypeNow(ctx))));
  router.get('/ResourceTypes/:name', async (ctx) =>
    write(ctx, 200, discovery.type(await userTypeNow(ctx), ctx.params.name!)),
  );
  router.get('/Schemas', async (ctx) => all(ctx, discovery.schemas(await userTypeNow(ctx))));
  router.get('/Schemas/:id', async (ctx) => write(ctx, 200, discovery.schema(await userTypeNow(ctx), ctx.params.id!)));

  // In SCIM's words, too: what is not there, and what cannot be done with what is.
  const offered = [...router.stack].filter(({ methods }) => methods.length > 0);
  router.all(['/', '/{*rest}'], (ctx) => {
    const methods = [...new Set(offered.filter((route) => route.match(ctx.path)).flatMap((route) => route.methods))];
    if (methods.length === 0) throw new ScimFault(404, undefined, 'there is nothing here');
    ctx.set('allow', [...methods, 'OPTIONS'].join(', '));
    if (ctx.method !== 'OPTIONS') throw new ScimFault(405, undefined, `${ctx.method} cannot be done here`);
    ctx.status = 204;
  });
  return { router };
}

const checked = (query: Query): Query => {
  checkSelection(query);
  return query;
};
const queryOf = (ctx: Context): Query => checked(readQuery(parametersOf(ctx)));
const selectionOf = (ctx: Context) => {
  const selection = readSelection(parametersOf(ctx));
  checkSelection(selection);
  return selection;
};

/** RFC 7644, section 4: a filter is refused where none is observed. */
function refuseFilter(ctx: Context): void {
  if (ctx.query.filter !== undefined) throw new ScimFault(403, undefined, 'what is offered is not filtered');
}
