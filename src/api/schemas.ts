import { z } from 'zod';

// What several routes have in common.

/** An id as it stands in a path or a body; in capitals it is the same. */
export const id = () => z.uuid().toLowerCase();

export const byId = z.strictObject({ id: id() });

export const moment = () => z.iso.datetime();

/** A page of a list: `limit` and where the last page ended. */
export const paging = {
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Most items of a page'),
  cursor: z.string().min(1).max(4_000).optional().describe('`next` of the page before'),
};

/** A page of these. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({
    items: z.array(item),
    next: z.string().nullable().describe('The cursor of the next page; null after the last'),
  });

export const text = (most: number) => z.string().min(1).max(most);

/** JSON with nothing said about it. */
export const anything = () => z.record(z.string(), z.json());

const inList = (value: string | null | undefined) => value ?? null;

/** Dates and what is absent, as JSON has them. */
export const shown = {
  moment: (date: Date | string | null | undefined) => (date == null ? null : new Date(date).toISOString()),
  text: inList,
};
