/**
 * One message of the catalogue: literal text, `{name}`, `{when, date}`, `{when, time}`, `{minutes, duration}` and
 * `{count, plural, one {# minute} other {# minutes}}`. A small part of ICU MessageFormat: what our words need and no more.
 */

import { dateFormat, numberFormat, pluralRules } from './formats.ts';

export type Params = Record<string, unknown>;

export type Part =
  | { kind: 'text'; text: string }
  | { kind: 'value'; name: string; format?: 'date' | 'time' | 'number' | 'duration' }
  | { kind: 'plural'; name: string; forms: Record<string, Part[]> }
  | { kind: 'count' };

/** Reads a message. Throws on a brace that is not closed: catalogues are read at start, so a slip stops the start. */
export function parseMessage(source: string): Part[] {
  let at = 0;
  const fault = () => new Error(`Message "${source}" is not well formed at ${at}.`);

  function parts(nested: boolean): Part[] {
    const found: Part[] = [];
    let text = '';
    const flush = () => {
      if (text) found.push({ kind: 'text', text });
      text = '';
    };
    while (at < source.length && source[at] !== '}') {
      if (source[at] === '{') {
        flush();
        found.push(placeholder());
      } else if (nested && source[at] === '#') {
        flush();
        found.push({ kind: 'count' });
        at++;
      } else text += source[at++];
    }
    flush();
    if (!nested && at < source.length) throw fault();
    return found;
  }

  function placeholder(): Part {
    const head = /\{\s*(\w+)\s*(?:,\s*(date|time|number|duration|plural)\s*)?/y;
    head.lastIndex = at;
    const match = head.exec(source);
    if (!match?.[1]) throw fault();
    at = head.lastIndex;
    const name = match[1];
    if (match[2] === 'plural') return { kind: 'plural', name, forms: forms() };
    if (source[at++] !== '}') throw fault();
    return { kind: 'value', name, ...(match[2] ? { format: match[2] as 'date' } : {}) };
  }

  function forms(): Record<string, Part[]> {
    const found: Record<string, Part[]> = {};
    const opening = /\s*,?\s*(=?\w+)\s*\{/y;
    for (;;) {
      opening.lastIndex = at;
      const match = opening.exec(source);
      if (!match?.[1]) break;
      at = opening.lastIndex;
      found[match[1]] = parts(true);
      if (source[at++] !== '}') throw fault();
    }
    const closing = /\s*\}/y;
    closing.lastIndex = at;
    if (!closing.exec(source) || !found.other) throw fault();
    at = closing.lastIndex;
    return found;
  }

  return parts(false);
}

/** Every parameter a message takes, sorted. */
export function paramsOf(parts: Part[]): string[] {
  const names = new Set<string>();
  const walk = (list: Part[]) => {
    for (const part of list) {
      if (part.kind === 'value' || part.kind === 'plural') names.add(part.name);
      if (part.kind === 'plural') Object.values(part.forms).forEach(walk);
    }
  };
  walk(parts);
  return [...names].sort();
}

/**
 * Says a message in a language.
 * @param options.shielded is applied to every value, never to the message's own text
 * @param options.timeZone of dates and times, by its IANA name; a time says which it is
 */
export function sayMessage(
  parts: Part[],
  language: string,
  params: Params,
  { shielded = (text: string) => text, timeZone = 'UTC' } = {},
): string {
  const say = (list: Part[], count?: number): string => list.map((part) => one(part, count)).join('');
  function one(part: Part, count?: number): string {
    if (part.kind === 'text') return part.text;
    if (part.kind === 'count') return numberFormat(language).format(count ?? 0);
    const value = params[part.name];
    if (part.kind === 'value') return shielded(shown(value, part.format));
    const number = Number(value);
    const form = part.forms[`=${number}`] ?? part.forms[pluralRules(language).select(number)];
    return say(form ?? part.forms.other ?? [], number);
  }
  function shown(value: unknown, format?: string): string {
    if (value === undefined || value === null) return '';
    if (format === 'number') return numberFormat(language).format(Number(value));
    if (format === 'duration') return duration(Number(value), language);
    if (format === 'date' || format === 'time')
      return dateFormat(language, { ...dates[format], timeZone }).format(new Date(value as Date));
    return String(value);
  }
  return say(parts);
}

const dates: Record<'date' | 'time', Intl.DateTimeFormatOptions> = {
  date: { dateStyle: 'long' },
  time: {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
    timeZoneName: 'short',
  },
};

/** Minutes in the largest unit that says them without a rest: 1440 minutes are 24 hours. */
function duration(minutes: number, language: string): string {
  const [unit, count] =
    minutes >= 2880 && minutes % 1440 === 0
      ? ['day', minutes / 1440]
      : minutes >= 60 && minutes % 60 === 0
        ? ['hour', minutes / 60]
        : ['minute', minutes];
  const options = { style: 'unit', unit: unit as string, unitDisplay: 'long' } as const;
  return numberFormat(language, options).format(Number(count));
}

/**
 * The message as a right-to-left language would show it: every run of words between direction overrides, so that
 * a page can be checked for direction without a translator. Tags stay as they are.
 */
export function mirrored(parts: Part[]): Part[] {
  const turn = (text: string) =>
    text.replace(
      /(<[^>]*>)|(\s*)([^\s<](?:[^<]*[^\s<])?)/g,
      (_, tag, space, words) => tag ?? `${space}\u202e${words}\u202c`,
    );
  return parts.map((part) => {
    if (part.kind === 'text') return { kind: 'text', text: turn(part.text) };
    if (part.kind !== 'plural') return part;
    return {
      ...part,
      forms: Object.fromEntries(Object.entries(part.forms).map(([form, list]) => [form, mirrored(list)])),
    };
  });
}
