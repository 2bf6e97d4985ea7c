import type { Params } from './message.ts';

/** One thing that is wrong. `code` is that of a refusal or a check: the words stand under `problem.<code>`. */
export interface Problem {
  /** The field it belongs to; without one it stands above the form. */
  field?: string;
  code: string;
  params?: Params;
}

/** What a refused form hands back: what was typed, and what is wrong with it. */
export interface Typed {
  values?: Record<string, string | boolean | undefined>;
  problems?: Problem[];
}

export type FieldType =
  | 'text'
  | 'email'
  | 'password'
  | 'tel'
  | 'date'
  | 'url'
  | 'code'
  | 'checkbox'
  | 'textarea'
  | 'color'
  | 'select';

export interface FieldSpec {
  name: string;
  type?: FieldType;
  /** Message codes; `label` defaults to `label.<name>`. */
  label?: string;
  labelParams?: Params;
  hint?: string;
  hintParams?: Params;
  autocomplete?: string;
  required?: boolean;
  maxlength?: number;
  /** Codes of the words for the choices of a select: value → code. */
  options?: Record<string, string>;
  /** Choices that need no words, such as names: value → text, after those of `options`. */
  choices?: Record<string, string>;
  /** Takes the focus on arrival. At most one a page, and none where something above it must be read first. */
  autofocus?: boolean;
  /** What stands in it before anything was typed. */
  value?: string | boolean;
  /** For left-to-right things in any language: addresses, links, colours. */
  ltr?: boolean;
  /** Words that the operator gave it, by language, in place of those of the catalogue. */
  said?: { label: OwnWords; hint?: OwnWords; options?: Record<string, OwnWords> };
}

/** What an operator calls something: language tag → text. */
export type OwnWords = Record<string, string>;

export interface Field extends FieldSpec {
  id: string;
  type: FieldType;
  label: string;
  value: string | boolean;
  problem?: Problem;
  /** The ids for aria-describedby. */
  describedBy?: string;
}

export interface Form {
  action: string;
  fields: Record<string, Field>;
  list: Field[];
  /** What is wrong with the whole, or several things at once. It takes the focus. */
  summary: { id?: string; label?: string; said?: OwnWords; code: string; params?: Params }[];
  refused: boolean;
}

/** Secrets and one-time codes never travel back to a page. */
const NEVER_RETURNED = new Set<FieldType>(['password', 'code']);

/** Lays out a form: its fields with what was typed and what is wrong with each. Pure. */
export function createForm(action: string, specs: FieldSpec[], typed: Typed = {}): Form {
  const problems = typed.problems ?? [];
  const list = specs.map((spec): Field => {
    const type = spec.type ?? 'text';
    const id = `f-${spec.name}`;
    const problem = problems.find(({ field }) => field === spec.name);
    const given = NEVER_RETURNED.has(type) ? undefined : typed.values?.[spec.name];
    const describedBy = [(spec.hint || spec.said?.hint) && `${id}-hint`, problem && `${id}-problem`]
      .filter(Boolean)
      .join(' ');
    return {
      ...spec,
      id,
      type,
      label: spec.label ?? `label.${spec.name}`,
      // A box that was unticked comes back unticked: browsers do not send it.
      value:
        given ?? (type === 'checkbox' && typed.values ? false : (spec.value ?? (type === 'checkbox' ? false : ''))),
      ...(problem ? { problem } : {}),
      ...(describedBy ? { describedBy } : {}),
      // With something wrong, the first field in question is where to go on.
      autofocus: problems.length ? problem === problems[0] && problems.length === 1 : (spec.autofocus ?? false),
    };
  });
  const fields = Object.fromEntries(list.map((field) => [field.name, field]));
  const loose = problems.filter(({ field }) => !field || !fields[field]);
  const summary = (loose.length || problems.length > 1 ? problems : []).map(({ field, code, params }) => ({
    ...named(field ? fields[field] : undefined),
    code,
    ...(params ? { params } : {}),
  }));
  return { action, fields, list, summary, refused: problems.length > 0 };
}

/** A box's label is a whole sentence: what is wrong with it says enough. */
function named(field: Field | undefined) {
  if (!field) return {};
  if (field.type === 'checkbox') return { id: field.id };
  return { id: field.id, label: field.label, ...(field.said ? { said: field.said.label } : {}) };
}
