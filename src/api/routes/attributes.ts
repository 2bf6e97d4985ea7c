import { Refusal } from '../../platform/index.ts';
import type { Caller } from '../bearer.ts';
import { invalid, pointerTo } from '../checks.ts';
import type { ApiPorts } from '../ports.ts';

type CustomFields = Pick<ApiPorts['fields'], 'check'>;

/** Whose fields they are: a person's own, or those an administrator or a service reaches. */
export const asOf = (caller: Caller, own: boolean) => ({
  as: own ? ('user' as const) : caller.accountId === undefined ? ('client' as const) : ('administrator' as const),
  scopes: [...caller.scopes],
});

/**
 * The values checked, each fault with its pointer.
 * @throws Refusal `request.invalid`
 */
export async function checkAttributes(
  fields: CustomFields,
  values: Record<string, unknown> | undefined,
  given: Parameters<CustomFields['check']>[1],
): Promise<Record<string, unknown> | undefined> {
  if (values === undefined && !given.whole) return undefined;
  try {
    return await fields.check(values ?? {}, given);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'user.attributes_invalid') throw error;
    throw invalid(
      Object.entries(error.details as Record<string, { code: string }>).map(([name, { code }]) => ({
        pointer: pointerTo(['attributes', name]),
        code: code.replace('field.', ''),
        detail: sentences[code] ?? 'Not a value of this field',
      })),
    );
  }
}

const sentences: Record<string, string> = {
  'field.unknown': 'There is no such field',
  'field.missing': 'This field is required',
  'field.read_only': 'The caller may not write this field',
  'field.not_a_choice': 'Not one of the choices',
};
