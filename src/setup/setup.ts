import Router from '@koa/router';
import { type AppContext, type Form, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { createSetupLinks, type SetupLink, type Stage } from './link.ts';
import { administratorPage, applicationPage, organisationPage, setupLinkPage } from './pages.ts';
import type { SetupPorts } from './ports.ts';
import { createStages, text } from './stages.ts';

/** The wizard. {@link link} is for the terminal only. */
export function createSetup(ports: SetupPorts) {
  const { settings, users, policy, present, csrf, branding } = ports;
  const links = createSetupLinks({ ...ports, seconds: settings.tokens.setupLink });
  const router = new Router({ prefix: '/setup' });
  const { minimum: minLength } = policy.lengths();

  const pageOf = (stage: Stage, token: string, more: object = {}) => {
    if (stage === 'organisation')
      return organisationPage({ token, values: { name: branding().name, colour: branding().brand }, ...more });
    if (stage === 'administrator') return administratorPage({ token, minLength, ...more });
    return applicationPage({ token, ...more });
  };

  /** Whoever still holds a link when an administrator has come otherwise, by a command or a file, holds nothing. */
  const open = async (token: string): Promise<SetupLink> => {
    const link = await links.open(token);
    if (!link.administratorId && (await users.hasAdministrator()))
      throw new Refusal('setup.link_used', { kind: 'forbidden' });
    return link;
  };

  /** Runs with the link that the request carries; one that is spent gets a page that says what to do. */
  const withLink =
    (work: (ctx: AppContext, link: SetupLink, token: string, form: Form) => Promise<void>) => async (koa: unknown) => {
      const ctx = koa as AppContext;
      const form = readForm(ctx);
      const token = text(form.token) || text([ctx.query.token].flat()[0]);
      try {
        await work(ctx, await open(token), token, form);
      } catch (error) {
        if (!(error instanceof Refusal) || !error.code.startsWith('setup.link_')) throw error;
        present.page(ctx, setupLinkPage({ state: error.code === 'setup.link_expired' ? 'expired' : 'used' }), {
          status: 403,
        });
      }
    };

  router.get(
    '/',
    withLink(async (ctx, link, token) => present.page(ctx, pageOf(link.stage, token))),
  );

  const stages = createStages(ports, links);
  for (const name of ['organisation', 'administrator', 'application'] as const) {
    router.post(
      `/${name}`,
      csrf.guard,
      withLink(async (ctx, link, token, form) => {
        // A page posted again after the stage is done shows where things stand.
        if (link.stage !== name) return present.page(ctx, pageOf(link.stage, token));
        const outcome = await stages[name](link, form);
        if ('page' in outcome) return present.page(ctx, outcome.page);
        if ('next' in outcome) return present.page(ctx, pageOf(outcome.next, token));
        const { password: _, ...values } = form;
        present.page(ctx, pageOf(name, token, { values, problems: outcome.problems }), { status: 422 });
      }),
    );
  }

  return {
    router,
    /** A fresh one-time link while there is no administrator; none afterwards. */
    async link(): Promise<string | undefined> {
      if (await users.hasAdministrator()) return undefined;
      return `${settings.issuer}/setup?token=${await links.issue()}`;
    },
  };
}
