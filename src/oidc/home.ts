import Router from '@koa/router';
import type { Provider } from 'oidc-provider';
import type { AppContext, Presenter } from '../platform/http/index.ts';
import type { Users } from '../users/index.ts';
import { routes } from './configuration.ts';
import { homePage } from './pages.ts';

/** `/`: whoever comes here without an application is told whose house it is. */
export function home(ports: { present: Presenter; provider: () => Provider; users: Pick<Users, 'byId'> }): Router {
  const router = new Router();
  router.get('/', async (ctx) => {
    const session = await ports.provider().Session.get(ctx as never);
    const user = session.accountId ? await ports.users.byId(session.accountId) : undefined;
    ports.present.page(
      ctx as unknown as AppContext,
      homePage({ account: user?.email ?? undefined, signOut: user ? routes.end_session : undefined }),
    );
  });
  return router;
}
