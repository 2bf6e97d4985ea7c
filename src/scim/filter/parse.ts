import { bad, type ScimType } from '../faults.ts';
import type { Comparison, Filter, PatchPath, Value } from './ast.ts';

/** Deeper than anybody writes, and far from what would exhaust the stack, ours or the planner's. */
const deepest = 32;
const longest = 16_000;
const mostTerms = 256;

const operators = new Set<string>(['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le']);

type Token = { kind: '(' | ')' | '[' | ']' | 'word' | 'value'; text: string; value?: Value; at: number };

const word = /[A-Za-z$_][\w$.:-]*/y;
const number = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const string = /"(?:[^"\\]|\\.)*"/y;

/**
 * Parses a filter. Precedence: not, and, or.
 * @throws ScimFault `invalidFilter` (or `scimType`), telling where
 */
export function parseFilter(text: string, scimType: ScimType = 'invalidFilter'): Filter {
  const parser = createParser(text, scimType);
  const filter = parser.filter(0);
  parser.end();
  return filter;
}

/** Parses the path of a PATCH operation: `emails[type eq "work"].value`. @throws ScimFault `invalidPath` */
export function parsePatchPath(text: string): PatchPath {
  const open = text.indexOf('[');
  if (open < 0) {
    if (!/^[A-Za-z$_][\w$.:-]*$/.test(text)) throw bad('invalidPath', `the path is malformed: ${shown(text)}`);
    return { path: text };
  }
  const close = text.lastIndexOf(']');
  const path = text.slice(0, open);
  const rest = text.slice(close + 1);
  if (close < open || !/^[A-Za-z$_][\w$.:-]*$/.test(path) || !/^(\.[A-Za-z$_][\w$-]*)?$/.test(rest))
    throw bad('invalidPath', `the path is malformed: ${shown(text)}`);
  // A filter that is wrong inside a path makes the path wrong.
  const filter = parseFilter(text.slice(open + 1, close), 'invalidPath');
  return { path, filter, ...(rest && { sub: rest.slice(1) }) };
}

export const shown = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);

function createParser(text: string, scimType: ScimType) {
  if (text.length > longest) throw bad(scimType, `the filter is longer than ${longest} characters`);
  const tokens = tokenise(text, scimType);
  let at = 0;
  let terms = 0;

  const fail = (what: string): never => {
    throw bad(scimType, `${what} at position ${(tokens[at]?.at ?? text.length) + 1}`);
  };
  const isWord = (...words: string[]) => {
    const token = tokens[at];
    return token?.kind === 'word' && words.includes(token.text.toLowerCase());
  };
  const take = (kind: Token['kind'], what: string): Token => {
    const token = tokens[at];
    if (token?.kind !== kind) return fail(`expected ${what}`);
    at++;
    return token;
  };

  const chain = (depth: number, joint: 'and' | 'or', part: (depth: number) => Filter): Filter => {
    const parts = [part(depth)];
    while (isWord(joint)) {
      at++;
      parts.push(part(depth));
    }
    return parts.length === 1 ? parts[0]! : { kind: joint, parts };
  };
  const or = (depth: number): Filter => chain(depth, 'or', and);
  const and = (depth: number): Filter => chain(depth, 'and', term);

  const grouped = (depth: number, open: '(' | '[', close: ')' | ']'): Filter => {
    if (depth >= deepest) fail(`nested deeper than ${deepest}`);
    take(open, `"${open}"`);
    const filter = or(depth + 1);
    take(close, `"${close}"`);
    return filter;
  };

  const term = (depth: number): Filter => {
    if (++terms > mostTerms) fail(`more than ${mostTerms} terms`);
    if (tokens[at]?.kind === '(') return grouped(depth, '(', ')');
    // `not` is a word that an attribute could be called as well; what follows tells.
    if (isWord('not') && tokens[at + 1]?.kind === '(') {
      at++;
      return { kind: 'not', part: grouped(depth, '(', ')') };
    }
    const path = take('word', 'an attribute').text;
    if (tokens[at]?.kind === '[') return { kind: 'element', path, filter: grouped(depth, '[', ']') };
    const operator = take('word', 'an operator').text.toLowerCase();
    if (operator === 'pr') return { kind: 'present', path };
    if (!operators.has(operator)) {
      at--;
      return fail('expected an operator');
    }
    return { kind: 'compare', path, operator: operator as Comparison, value: value() };
  };

  const value = (): Value => {
    const token = tokens[at];
    if (token?.kind === 'word' && ['true', 'false', 'null'].includes(token.text.toLowerCase())) {
      at++;
      return JSON.parse(token.text.toLowerCase()) as Value;
    }
    return take('value', 'a value: a string in quotes, a number, true, false or null').value!;
  };

  return {
    filter: or,
    end() {
      if (at < tokens.length) fail('expected the end');
    },
  };
}

function tokenise(text: string, scimType: ScimType): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const sign = text[at]!;
    if (sign === ' ' || sign === '\t') {
      at++;
      continue;
    }
    if ('()[]'.includes(sign)) {
      tokens.push({ kind: sign as '(', text: sign, at });
      at++;
      continue;
    }
    const token = read(text, at);
    if (!token) throw bad(scimType, `cannot read on at position ${at + 1}`);
    tokens.push(token);
    at += token.text.length;
  }
  return tokens;
}

function read(text: string, at: number): Token | undefined {
  for (const [pattern, kind] of [
    [string, 'value'],
    [number, 'value'],
    [word, 'word'],
  ] as const) {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) continue;
    if (kind === 'word') return { kind, text: found, at };
    try {
      return { kind, text: found, value: JSON.parse(found) as Value, at };
    } catch {
      return undefined;
    }
  }
  return undefined;
}
