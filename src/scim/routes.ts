import Router from '@koa/router';
import { scimFaults } from './faults.ts';
import type { ScimPorts } from './ports.ts';

const listSchema = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';

/** Every URL of SCIM. */
export function createScim({ bearer }: ScimPorts): { router: Router } {
  const router = new Router({ prefix: '/scim/v2' });
  router.use(scimFaults);

  router.get('/ResourceTypes', async (ctx) => {
    await bearer(ctx, { scopes: ['scim.read'] });
    ctx.body = JSON.stringify({ schemas: [listSchema], totalResults: 0, Resources: [] });
    ctx.type = 'application/scim+json';
  });
  return { router };
}
