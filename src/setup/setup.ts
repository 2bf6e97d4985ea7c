import Router from '@koa/router';
import type { ClientMetadata, Clients } from '../clients/index.ts';
import type { PasswordPolicy, Passwords } from '../credentials/index.ts';
import type { Events } from '../events/index.ts';
import { BrandingFault } from '../platform/branding.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Db } from '../platform/db/index.ts';
import { type AppContext, type Csrf, type Form, type Presenter, readForm } from '../platform/http/index.ts';
import { type Clock, newId, Refusal } from '../platform/index.ts';
import { isEmail, type Users } from '../users/index.ts';
import { isApplicationKind, metadataOf } from './applications.ts';
import type { CurrentBranding } from './branding.ts';
import { createSetupLinks, type SetupLink, type Stage } from './link.ts';
import { administratorPage, applicationPage, finishedPage, organisationPage, setupLinkPage } from './pages.ts';

export interface SetupPorts {
  db: Db;
  clock: Clock;
  settings: Settings;
  users: Users;
  passwords: Passwords;
  policy: PasswordPolicy;
  clients: Clients;
  events: Pick<Events, 'record'>;
  present: Presenter;
  csrf: Csrf;
  branding: CurrentBranding;
  validateClient: (metadata: ClientMetadata) => void;
}

interface Problem {
  field: string;
  code: string;
  params?: Record<string, unknown>;
}

const text = (value: string | undefined) => (value ?? '').trim();

/** The wizard. {@link link} is for the terminal only. */
export function createSetup(ports: SetupPorts) {
  const { db, clock, settings, users, passwords, policy, clients, events, present, csrf, branding } = ports;
  const links = createSetupLinks({ db, clock, seconds: settings.tokens.setupLink });
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

  /** A stage: the posted form is refused with its problems, or moves the link on and shows the next page. */
  const stage = (
    name: Exclude<Stage, 'finished'>,
    answer: (
      ctx: AppContext,
      link: SetupLink,
      form: Form,
    ) => Promise<{ problems: Problem[] } | { page: object & { page: string; title: string } } | { next: Stage }>,
  ) =>
    router.post(
      `/${name}`,
      csrf.guard,
      withLink(async (ctx, link, token, form) => {
        // A page posted again after the stage is done shows where things stand.
        if (link.stage !== name) return present.page(ctx, pageOf(link.stage, token));
        const outcome = await answer(ctx, link, form);
        if ('page' in outcome) return present.page(ctx, outcome.page);
        if ('next' in outcome) return present.page(ctx, pageOf(outcome.next, token));
        const { password: _, ...values } = form;
        present.page(ctx, pageOf(name, token, { values, problems: outcome.problems }), { status: 422 });
      }),
    );

  router.get(
    '/',
    withLink(async (ctx, link, token) => present.page(ctx, pageOf(link.stage, token))),
  );

  stage('organisation', async (_ctx, link, form) => {
    const name = text(form.name);
    if (!name || name.length > 60) return { problems: [{ field: 'name', code: 'field.missing' }] };
    try {
      await db.transact(async () => {
        await branding.change({ name, colour: text(form.colour) || undefined, logo: text(form.logo) || undefined });
        await links.advance(link, 'administrator');
      });
    } catch (error) {
      if (!(error instanceof BrandingFault)) throw error;
      const field = error.faults.some((fault) => fault.includes('logo')) ? 'logo' : 'colour';
      return { problems: [{ field, code: `branding.${field}_refused` }] };
    }
    return { next: 'administrator' };
  });

  stage('administrator', async (_ctx, link, form) => {
    const [name, email, password] = [text(form.name), text(form.email), form.password ?? ''];
    const problems: Problem[] = [];
    if (!isEmail(email)) problems.push({ field: 'email', code: email ? 'identifier.malformed' : 'identifier.missing' });
    const assessment = await policy.assess(password, { email, names: [name] });
    if (!assessment.ok) {
      problems.push({
        field: 'password',
        code: assessment.reason,
        params: { min: assessment.minimum, max: assessment.maximum },
      });
    }
    if (problems.length > 0) return { problems };
    const prepared = await passwords.prepare(password);
    try {
      await db.transact(async () => {
        const id = newId();
        await links.advance(link, 'application', id);
        await users.create(
          { id, email, emailVerified: true, state: 'Active', administrator: true, name: name || undefined },
          { actor: { kind: 'system' }, reason: 'setup' },
        );
        await passwords.store(id, prepared);
        await events.record({ type: 'setup.completed', actor: { kind: 'administrator', id } });
      });
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'user.email_taken') throw error;
      return { problems: [{ field: 'email', code: 'user.email_taken' }] };
    }
    return { next: 'application' };
  });

  stage('application', async (_ctx, link, form) => {
    const administrator = (await users.byId(link.administratorId!))?.email ?? '';
    const finished = (client?: Parameters<typeof finishedPage>[0]['client']) => ({
      page: finishedPage({ issuer: settings.issuer, organisation: branding().name, administrator, client }),
    });
    if (form.skip !== undefined) {
      await links.advance(link, 'finished');
      return finished() as never;
    }
    const name = text(form.name);
    const kind = isApplicationKind(form.kind) ? form.kind : 'web';
    const redirectUris = text(form.redirect_uris).split(/\s+/).filter(Boolean);
    const metadata = metadataOf({ name, kind, redirectUris });
    const problems: Problem[] = [];
    if (!name) problems.push({ field: 'name', code: 'field.missing' });
    if (kind !== 'service' && redirectUris.length === 0)
      problems.push({ field: 'redirect_uris', code: 'field.missing' });
    if (problems.length > 0) return { problems };
    try {
      ports.validateClient({ ...metadata, client_id: newId() });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return {
        problems: [
          { field: 'redirect_uris', code: 'client.redirect_uris_refused', params: { problem: error.details.problem } },
        ],
      };
    }
    const { clientId, secret } = await db.transact(async () => {
      await links.advance(link, 'finished');
      return clients.add(metadata, { actor: { kind: 'administrator', id: link.administratorId }, reason: 'setup' });
    });
    return finished({ id: clientId, secret, name, kind, redirectUris }) as never;
  });

  return {
    router,
    /** A fresh one-time link while there is no administrator; none afterwards. */
    async link(): Promise<string | undefined> {
      if (await users.hasAdministrator()) return undefined;
      return `${settings.issuer}/setup?token=${await links.issue()}`;
    },
  };
}
