import { describe, expect, it } from 'vitest';
import { type Cut, mostBytes, split } from './split.ts';

async function* inPieces(text: string | Buffer, size: number) {
  const bytes = Buffer.from(text as string);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const cut = async (
  how: Cut,
  text: string | Buffer,
  options: { size?: number; from?: { offset: number; line: number } } = {},
) => {
  const found: { line: number; end: number; nextLine: number; text: string | undefined }[] = [];
  for await (const { bytes, ...rest } of split(inPieces(text, options.size ?? 7), { how }, options.from)) {
    found.push({ ...rest, text: bytes?.toString() });
  }
  return found;
};
const texts = async (how: Cut, text: string) => (await cut(how, text)).map((piece) => piece.text?.trim());

describe('a file is cut into records', () => {
  it('lines, whatever ends them; empty ones are none', async () => {
    expect(await texts('lines', '{"a":1}\r\n\n  \n{"b":2}\n{"c":3}')).toEqual(['{"a":1}', '{"b":2}', '{"c":3}']);
    expect((await cut('lines', 'a\n\nb\n')).map(({ line, end }) => [line, end])).toEqual([
      [1, 2],
      [3, 5],
    ]);
  });

  it('CSV, with line breaks and quotes in quotes, and quotes that open nothing', async () => {
    const csv = 'a,b\n"x\ny","say ""hi"", ok"\n5" pipe,"z"\n"",\n';
    expect(await texts('csv', csv)).toEqual(['a,b', '"x\ny","say ""hi"", ok"', '5" pipe,"z"', '"",']);
    expect((await cut('csv', csv)).map(({ line }) => line)).toEqual([1, 2, 4, 5]);
  });

  it('the array that a document is, or the one under users, and nothing around it', async () => {
    const one = { a: '],}\\"[{', b: [{ c: [] }] };
    const two = { d: 'users' };
    const around = { realm: 'x', roles: { users: [{ no: 1 }], list: [1, 2] }, users: [one, two], after: [{ no: 2 }] };
    for (const text of [JSON.stringify([one, two]), JSON.stringify(around), JSON.stringify(around, null, 2)]) {
      for (const size of [1, 3, 1000]) {
        const found = await cut('json', text, { size });
        expect(found.map((piece) => JSON.parse(piece.text!))).toEqual([one, two]);
      }
    }
    expect(await cut('json', '{"users":[]}')).toEqual([]);
  });

  it('and goes on from behind any record', async () => {
    const csv = 'a,b\n"x\ny",1\nlast,2\n';
    const json = JSON.stringify({ users: [{ a: 1 }, { b: '}' }, { c: 3 }], after: [1] }, null, 1);
    for (const [how, text] of [
      ['csv', csv],
      ['json', json],
      ['lines', csv],
    ] as const) {
      const whole = await cut(how, text);
      for (const [at, { end, nextLine }] of whole.entries()) {
        const rest = await cut(how, Buffer.from(text).subarray(end), { from: { offset: end, line: nextLine } });
        expect(rest).toEqual(whole.slice(at + 1));
      }
    }
  });

  it('a record without end is told and not kept, and the next one is found', async () => {
    const found = await cut('lines', `a\n${'x'.repeat(mostBytes + 10)}\nb\n`, { size: 65_536 });
    expect(found.map(({ line, text }) => [line, text])).toEqual([
      [1, 'a\n'],
      [2, undefined],
      [3, 'b\n'],
    ]);
  });
});
