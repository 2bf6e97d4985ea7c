import { BrandingFault } from '../platform/branding.ts';
import type { Problem } from '../platform/form.ts';
import type { Form } from '../platform/http/index.ts';
import { newId, Refusal } from '../platform/index.ts';
import type { Page } from '../platform/views.ts';
import { isEmail } from '../users/index.ts';
import { type ApplicationKind, isApplicationKind, metadataOf } from './applications.ts';
import type { createSetupLinks, SetupLink, Stage } from './link.ts';
import { finishedPage } from './pages.ts';
import type { SetupPorts } from './ports.ts';

/** What becomes of a form: what is wrong with it, the stage that comes after it, or the page at the end. */
export type Outcome = { problems: Problem[] } | { next: Stage } | { page: Page };

type Answer = (link: SetupLink, form: Form) => Promise<Outcome>;

export const text = (value: string | undefined): string => (value ?? '').trim();

/** The forms of the wizard. Each does its work and moves the link on in one transaction: of two at once one does it. */
export function createStages(
  ports: SetupPorts,
  links: Pick<ReturnType<typeof createSetupLinks>, 'advance'>,
): Record<Exclude<Stage, 'finished'>, Answer> {
  return {
    organisation: (link, form) => nameOrganisation(ports, form, () => links.advance(link, 'administrator')),
    administrator: (link, form) => makeAdministrator(ports, form, (id) => links.advance(link, 'application', id)),
    application: (link, form) =>
      registerApplication(ports, form, link.administratorId!, () => links.advance(link, 'finished')),
  };
}

async function nameOrganisation(
  { db, branding }: SetupPorts,
  form: Form,
  advance: () => Promise<void>,
): Promise<Outcome> {
  const name = text(form.name);
  if (!name || name.length > 60) return { problems: [{ field: 'name', code: 'field.missing' }] };
  try {
    await db.transact(async () => {
      await branding.change({ name, colour: text(form.colour) || undefined, logo: text(form.logo) || undefined });
      await advance();
    });
  } catch (error) {
    if (!(error instanceof BrandingFault)) throw error;
    const field = error.faults.some((fault) => fault.includes('logo')) ? 'logo' : 'colour';
    return { problems: [{ field, code: `branding.${field}_refused` }] };
  }
  return { next: 'administrator' };
}

async function makeAdministrator(
  { db, users, passwords, policy, events }: SetupPorts,
  form: Form,
  advance: (administratorId: string) => Promise<void>,
): Promise<Outcome> {
  const [name, email, password] = [text(form.name), text(form.email), form.password ?? ''];
  const problems: Problem[] = [];
  if (!isEmail(email)) problems.push({ field: 'email', code: email ? 'identifier.malformed' : 'identifier.missing' });
  const assessed = await policy.assess(password, { email, names: [name] });
  if (!assessed.ok) {
    const params = { min: assessed.minimum, max: assessed.maximum };
    problems.push({ field: 'password', code: assessed.reason, params });
  }
  if (problems.length > 0) return { problems };
  const prepared = await passwords.prepare(password);
  try {
    await db.transact(async () => {
      const id = newId();
      await advance(id);
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
}

async function registerApplication(
  ports: SetupPorts,
  form: Form,
  administratorId: string,
  advance: () => Promise<void>,
): Promise<Outcome> {
  const { db, settings, users, clients, branding } = ports;
  const administrator = (await users.byId(administratorId))?.email ?? '';
  const finished = (client?: Parameters<typeof finishedPage>[0]['client']) => ({
    page: finishedPage({ issuer: settings.issuer, organisation: branding().name, administrator, client }),
  });
  if (form.skip !== undefined) {
    await advance();
    return finished();
  }
  const asked = {
    name: text(form.name),
    kind: isApplicationKind(form.kind) ? form.kind : ('web' as const),
    redirectUris: text(form.redirect_uris).split(/\s+/).filter(Boolean),
  };
  const problems = problemsOf(ports, asked);
  if (problems.length > 0) return { problems };
  const { clientId, secret } = await db.transact(async () => {
    await advance();
    const by = { actor: { kind: 'administrator' as const, id: administratorId }, reason: 'setup' };
    return clients.add(metadataOf(asked), by);
  });
  return finished({ id: clientId, secret, ...asked });
}

/** What is wrong with an application that is to be. */
function problemsOf(
  { validateClient }: SetupPorts,
  asked: { name: string; kind: ApplicationKind; redirectUris: string[] },
): Problem[] {
  const problems: Problem[] = [];
  if (!asked.name) problems.push({ field: 'name', code: 'field.missing' });
  if (asked.kind !== 'service' && asked.redirectUris.length === 0)
    problems.push({ field: 'redirect_uris', code: 'field.missing' });
  if (problems.length > 0) return problems;
  try {
    validateClient({ ...metadataOf(asked), client_id: newId() });
    return [];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const params = { problem: String(error.details.problem) };
    return [{ field: 'redirect_uris', code: 'client.redirect_uris_refused', params }];
  }
}
