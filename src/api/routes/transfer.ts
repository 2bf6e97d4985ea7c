import { z } from 'zod';
import { importOptions } from '../../transfer/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id } from '../schemas.ts';
import { showTask, task } from './tasks.ts';

const section = 'Import and export';
/** Of one part of a file. */
const mostPart = 8 * 1024 * 1024;

const { dryRun, createGroups, firebase, ...same } = importOptions.shape;
const { signerKey, saltSeparator, rounds, memCost } = firebase.unwrap().shape;

/** The options of an import, as the API spells names. */
const body = z
  .strictObject({
    ...same,
    dry_run: dryRun,
    create_groups: createGroups,
    firebase: z
      .strictObject({ signer_key: signerKey, salt_separator: saltSeparator, rounds, mem_cost: memCost })
      .optional(),
    size: z.number().int().min(1).optional().describe('Bytes of the file, where they are known: too many are refused'),
  })
  .meta({ id: 'ImportRequest' });

const upload = z
  .strictObject({
    id: id(),
    received: z.number().int().describe('Bytes that are here: the offset of the next part'),
  })
  .meta({ id: 'ImportFile' });

const sizes = z.strictObject({ size: z.number().int().min(1).describe('Bytes of the whole file') });
const offsets = z.strictObject({ offset: z.coerce.number().int().min(0).describe('The byte this part begins at') });
const exports = z
  .strictObject({
    format: z.enum(['ndjson', 'csv']).default('ndjson'),
    secrets: z.boolean().default(false).describe('With hashes, secrets of apps and keys; never in CSV'),
  })
  .meta({ id: 'ExportRequest' });

/**
 * People in files. An import brings passwords and an export takes them out: administrators in person, who have just
 * proved two factors, and never services. Where a file comes in parts, that was proved when it was begun; what it may do
 * was fixed then, and nobody else goes on with it.
 */
export function transferRoutes({ transfer, tasks }: ApiPorts): Route[] {
  const { uploads } = transfer;
  const person = { section, scopes: ['users.write'], inPerson: true } as const;

  return [
    route({
      method: 'POST',
      path: '/admin/imports',
      ...{ ...person, scopes: ['users.write', 'directory.write'], summary: 'Begin an import', dangerous: true },
      details: 'Says how it is to be done. Then the file is sent in parts, and the import started.',
      body,
      answer: upload,
      status: [201],
      refusals: ['import.options_malformed', 'import.too_large', 'import.too_many'],
      async handle({ body: { size, dry_run, create_groups, firebase, ...rest }, by }) {
        const options = {
          ...rest,
          dryRun: dry_run,
          createGroups: create_groups,
          firebase: firebase && {
            signerKey: firebase.signer_key,
            saltSeparator: firebase.salt_separator,
            rounds: firebase.rounds,
            memCost: firebase.mem_cost,
          },
        };
        const begun = await uploads.open(options, by, size);
        return { body: begun, location: `/admin/imports/${begun.id}` };
      },
    }),
    route({
      method: 'GET',
      path: '/admin/imports/{id}',
      ...{ ...person, summary: 'Read how much of the file is here' },
      details: 'To go on after a connection broke off. Once it is started, ask for the task of the same id.',
      params: byId,
      answer: upload,
      refusals: ['import.unknown'],
      handle: async ({ params, by }) => ({ body: await uploads.find(params.id, by) }),
    }),
    route({
      method: 'PATCH',
      path: '/admin/imports/{id}/file',
      ...{ ...person, summary: 'Send a part of the file' },
      details: 'At most 8 MiB, behind what is there. A part is here wholly or not at all.',
      params: byId,
      query: offsets,
      takesBytes: mostPart,
      answer: upload,
      refusals: ['import.unknown', 'import.part_misplaced', 'import.too_large'],
      async handle({ params, query, bytes, by }) {
        await uploads.find(params.id, by);
        return { body: await uploads.add(params.id, query.offset, await bytes(), by) };
      },
    }),
    route({
      method: 'POST',
      path: '/admin/imports/{id}/start',
      ...{ ...person, summary: 'Start the import' },
      details:
        'Once all of the file is here. The task has the same id; it tells progress and what became of each line.',
      params: byId,
      body: sizes,
      answer: task,
      status: [202],
      refusals: ['import.unknown', 'import.incomplete', 'task.too_many'],
      async handle({ params, body: { size }, by }) {
        const started = await uploads.start(params.id, size, by);
        return { body: showTask(started, tasks), location: `/admin/tasks/${started.id}` };
      },
    }),
    route({
      method: 'DELETE',
      path: '/admin/imports/{id}',
      ...{ ...person, summary: 'Discard a file that was begun' },
      params: byId,
      refusals: ['import.unknown'],
      async handle({ params, by }) {
        await uploads.discard(params.id, by);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/admin/exports',
      ...{ ...person, summary: 'Take everybody out', dangerous: true },
      details:
        'NDJSON is what an import takes back; CSV is for people to read. Written into the journal before it begins.',
      body: exports,
      streams: ['application/x-ndjson', 'text/csv'],
      async handle({ body: { format, secrets }, by }) {
        const type = format === 'csv' ? 'text/csv' : 'application/x-ndjson';
        return { stream: { type, parts: transfer.everybody({ format, secrets }, by) } };
      },
    }),
  ];
}
