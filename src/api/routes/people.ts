import { z } from 'zod';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId } from '../schemas.ts';
import { ownWritable, person, writable } from './person.ts';
import { createWriting } from './person-writing.ts';

const section = 'People';

/** Members that answers have and requests may repeat, so that what was read can be sent back. */
const readOnly = (shape: z.ZodRawShape) =>
  Object.fromEntries(
    Object.keys(person.shape)
      .filter((name) => !(name in shape))
      .map((name) => [name, z.json().optional().meta({ readOnly: true })]),
  );

const patched = { address: z.record(z.string(), z.string().nullable()).nullish() };

const bodies = {
  whole: z.strictObject({ ...writable, ...readOnly(writable) }).meta({ id: 'PersonReplacement' }),
  change: z.strictObject({ ...writable, ...patched }).meta({ id: 'PersonChange' }),
  ownWhole: z.strictObject({ ...ownWritable, ...readOnly(ownWritable) }).meta({ id: 'OwnReplacement' }),
  ownChange: z.strictObject({ ...ownWritable, ...patched }).meta({ id: 'OwnChange' }),
};

type Body = Record<string, unknown>;

/** People one by one: read and changed. */
export function peopleRoutes(ports: ApiPorts): Route[] {
  const { found, reply, write } = createWriting(ports);
  const shared = ['user.unknown', 'user.email_taken', 'user.user_name_taken', 'caller.not_permitted'] as const;
  return [
    route({
      method: 'GET',
      path: '/users/me',
      ...{ section, summary: 'Read yourself', scopes: ['account.read'] },
      answer: person,
      handle: async ({ caller }) => reply(await found(caller.accountId!), caller, true),
    }),
    route({
      method: 'PUT',
      path: '/users/me',
      ...{ section, summary: 'Replace yourself', scopes: ['account.write'] },
      details: 'What is not named is taken away. Members that cannot be changed here may be repeated as they are.',
      body: bodies.ownWhole,
      answer: person,
      ifMatch: 'required',
      handle: async ({ body, caller, ...asked }) =>
        write({ caller, ...asked }, caller.accountId!, true, body as Body, 'replace'),
    }),
    route({
      method: 'PATCH',
      path: '/users/me',
      ...{ section, summary: 'Change yourself', scopes: ['account.write'] },
      body: bodies.ownChange,
      answer: person,
      ifMatch: 'honoured',
      handle: async ({ body, caller, ...asked }) =>
        write({ caller, ...asked }, caller.accountId!, true, body as Body, 'patch'),
    }),
    route({
      method: 'GET',
      path: '/users/{id}',
      ...{ section, summary: 'Read a person', scopes: ['users.read'] },
      params: byId,
      answer: person,
      refusals: ['user.unknown'],
      handle: async ({ params, caller }) => reply(await found(params.id), caller, false),
    }),
    route({
      method: 'PUT',
      path: '/users/{id}',
      ...{ section, summary: 'Replace a person', scopes: ['users.write'] },
      details: 'What is not named is taken away. Members that cannot be changed here may be repeated as they are.',
      params: byId,
      body: bodies.whole,
      answer: person,
      ifMatch: 'required',
      refusals: shared,
      handle: async ({ params, body, ...asked }) => write(asked, params.id, false, body as Body, 'replace'),
    }),
    route({
      method: 'PATCH',
      path: '/users/{id}',
      ...{ section, summary: 'Change a person', scopes: ['users.write'] },
      params: byId,
      body: bodies.change,
      answer: person,
      ifMatch: 'honoured',
      refusals: shared,
      handle: async ({ params, body, ...asked }) => write(asked, params.id, false, body as Body, 'patch'),
    }),
  ];
}
