/**
 * Regular expressions in linear time. An operator writes the pattern, anybody sends the text: with the language's own
 * engine, which backtracks, `(a+)+$` and forty letters would stop the process (ReDoS, CWE-1333). This one walks all
 * states of an automaton at once (Thompson, 1968), so that the work is bounded by states times characters.
 *
 * Takes characters, escapes, classes, groups, alternatives and repetitions, anchored at both ends as the attribute
 * `pattern` of HTML is. What an automaton cannot do (back references, looking around) is refused when it is declared.
 */

interface State {
  id: number;
  /** Takes one character; without it the state is passed through for nothing. */
  takes?: (character: string) => boolean;
  next: State[];
}

interface Fragment {
  start: State;
  /** States whose `next` is still open. */
  ends: State[];
}

export interface Pattern {
  matches(text: string): boolean;
}

/** With the longest list of texts there may be, the worst pattern is done in half a second. */
const mostStates = 500;
const longestPattern = 500;
const deepestGroup = 20;

/** @throws Error with what is wrong with it, in words */
export function compilePattern(source: string): Pattern {
  if (source.length > longestPattern) throw new Error(`is longer than ${longestPattern} characters`);
  const { start, end, count } = parse(source.replace(/^\^/, '').replace(/(?<!\\)\$$/, ''));

  return {
    matches(text) {
      // In which step each state was last reached: each is looked at once a character.
      const reached = new Int32Array(count).fill(-1);
      const reach = (step: number, states: State[], state: State): void => {
        const open = [state];
        for (let at = open.pop(); at; at = open.pop()) {
          if (reached[at.id] === step) continue;
          reached[at.id] = step;
          if (at.takes || at === end) states.push(at);
          if (!at.takes) open.push(...at.next);
        }
      };
      let now: State[] = [];
      let step = 0;
      reach(step, now, start);
      for (const character of text) {
        const then: State[] = [];
        step++;
        for (const state of now) if (state.takes?.(character)) for (const next of state.next) reach(step, then, next);
        if (then.length === 0) return false;
        now = then;
      }
      return reached[end.id] === step;
    },
  };
}

function parse(source: string): { start: State; end: State; count: number } {
  const characters = [...source];
  let at = 0;
  let states = 0;
  const peek = () => characters[at];
  const fault = (what: string) => new Error(`${what} (at character ${at + 1})`);

  const state = (takes?: State['takes']): State => {
    if (states === mostStates) throw new Error('describes too much: repeat less');
    return { id: states++, next: [], ...(takes && { takes }) };
  };
  const join = (ends: State[], to: State): void => {
    for (const end of ends) end.next.push(to);
  };

  function alternatives(depth: number): Fragment {
    if (depth > deepestGroup) throw fault('groups stand too deep');
    const found = [sequence(depth)];
    while (peek() === '|') {
      at++;
      found.push(sequence(depth));
    }
    if (found.length === 1) return found[0]!;
    const start = state();
    start.next.push(...found.map((each) => each.start));
    return { start, ends: found.flatMap(({ ends }) => ends) };
  }

  function sequence(depth: number): Fragment {
    const start = state();
    let ends = [start];
    while (at < characters.length && peek() !== '|' && peek() !== ')') {
      const from = at;
      const first = atom(depth);
      const to = at;
      const { least, most } = repetition();
      // Each copy is read anew from the source: an automaton has no counters.
      const again = (): Fragment => {
        const after = at;
        at = from;
        const copy = atom(depth);
        if (at !== to) throw fault('is not read the same twice');
        at = after;
        return copy;
      };
      ends = repeated(ends, first, again, least, most);
    }
    return { start, ends };
  }

  function repeated(before: State[], first: Fragment, again: () => Fragment, least: number, most: number): State[] {
    let spare: Fragment | undefined = first;
    const one = (): Fragment => {
      const fragment = spare ?? again();
      spare = undefined;
      return fragment;
    };
    let ends = before;
    for (let count = 0; count < least; count++) {
      const fragment = one();
      join(ends, fragment.start);
      ends = fragment.ends;
    }
    if (most === Number.POSITIVE_INFINITY) {
      const loop = state();
      join(ends, loop);
      const fragment = one();
      loop.next.push(fragment.start);
      join(fragment.ends, loop);
      return [loop];
    }
    const left = [...ends];
    for (let count = least; count < most; count++) {
      const fragment = one();
      join(ends, fragment.start);
      ends = fragment.ends;
      left.push(...ends);
    }
    return left;
  }

  function repetition(): { least: number; most: number } {
    const simple = { '*': [0, Number.POSITIVE_INFINITY], '+': [1, Number.POSITIVE_INFINITY], '?': [0, 1] }[
      peek() ?? ''
    ];
    let range = simple;
    if (simple) at++;
    else if (peek() === '{') {
      const match = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/.exec(characters.slice(at, at + 12).join(''));
      if (!match) throw fault('a brace is not a number of repetitions');
      at += match[0].length;
      const least = Number(match[1]);
      range = [least, match[2] ? (match[3] ? Number(match[3]) : Number.POSITIVE_INFINITY) : least];
    }
    if (!range) return { least: 1, most: 1 };
    // Lazy repetitions match the same texts.
    if (peek() === '?') at++;
    if (peek() === '*' || peek() === '+' || peek() === '{') throw fault('repeats a repetition');
    if (range[1]! < range[0]!) throw fault('repeats less often at most than at least');
    return { least: range[0]!, most: range[1]! };
  }

  function atom(depth: number): Fragment {
    const character = characters[at]!;
    if (character === '(') return group(depth);
    if (character === '*' || character === '+' || character === '?' || character === '{')
      throw fault('repeats nothing');
    if (character === '^' || character === '$') throw fault('anchors stand at the ends, where they always are');
    const single = state(one(character));
    return { start: single, ends: [single] };
  }

  function group(depth: number): Fragment {
    at++;
    if (peek() === '?') {
      if (characters[at + 1] !== ':') throw fault('looking around and names of groups are not understood');
      at += 2;
    }
    const inner = alternatives(depth + 1);
    if (characters[at++] !== ')') throw fault('a group is not closed');
    return inner;
  }

  /** What one character is tried with. Classes and escapes are the language's own, asked about one character at a time. */
  function one(character: string): (candidate: string) => boolean {
    if (character === '\\') {
      const escaped =
        /^\\(?:[pP]\{[\w=]{1,40}\}|u\{[\da-f]{1,6}\}|u[\da-f]{4}|x[\da-f]{2}|[dDwWsStnrfv]|[^\w\s])/iu.exec(
          characters.slice(at, at + 50).join(''),
        )?.[0];
      if (!escaped) throw fault('an escape is not understood');
      at += [...escaped].length;
      return tested(escaped);
    }
    if (character === '[') {
      let end = at + 1;
      while (end < characters.length && characters[end] !== ']') end += characters[end] === '\\' ? 2 : 1;
      if (end >= characters.length) throw fault('a class is not closed');
      const text = characters.slice(at, end + 1).join('');
      at = end + 1;
      return tested(text);
    }
    at++;
    return character === '.' ? () => true : (candidate) => candidate === character;
  }

  function tested(text: string): (candidate: string) => boolean {
    let expression: RegExp;
    try {
      expression = new RegExp(`^${text}$`, 'u');
    } catch {
      throw fault(`${text} is not understood`);
    }
    return (candidate) => expression.test(candidate);
  }

  const whole = alternatives(0);
  if (at < characters.length) throw fault('a group ends that did not begin');
  const end = state();
  join(whole.ends, end);
  return { start: whole.start, end, count: states };
}
