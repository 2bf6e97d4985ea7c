/** How a file is cut into records: lines, CSV (whose quoted fields may hold line breaks), elements of a JSON array, LDIF. */
export type Cut = 'lines' | 'csv' | 'json' | 'ldif';

/** A record as it stands in the file. */
export interface Piece {
  /** The line it begins on, from 1; of a JSON array, which may be one line, the element's number. */
  line: number;
  /** The byte behind it: where to go on. */
  end: number;
  /** The line `end` is on. */
  nextLine: number;
  /** Its bytes; undefined when it was longer than {@link mostBytes}. */
  bytes: Buffer | undefined;
}

/** Longest record. No account is this long; a lost quote makes one of the rest of the file. */
export const mostBytes = 1024 * 1024;

const newline = 10;
const quote = 34;
const backslash = 92;

/** Byte by byte, so that memory is bounded whatever the file is. */
interface Cutter {
  /** @returns whether the record ends with (`after`) or before (`before`) this byte, or goes on */
  take(byte: number): 'on' | 'after' | 'before' | 'outside';
}

const lines = (): Cutter => ({ take: (byte) => (byte === newline ? 'after' : 'on') });

/** RFC 2849: an empty line ends a record. */
function ldif(): Cutter {
  let isEmpty = true;
  return {
    take(byte) {
      if (byte === newline && isEmpty) return 'after';
      if (byte !== 0x0d) isEmpty = byte === newline;
      return 'on';
    },
  };
}

/** RFC 4180: only a quote at a field's beginning opens, and two inside are one. */
function csv(delimiter: number): Cutter {
  let state: 'start' | 'plain' | 'quoted' | 'closing' = 'start';
  return {
    take(byte) {
      if (state === 'quoted') {
        if (byte === quote) state = 'closing';
        return 'on';
      }
      if (state === 'closing' && byte === quote) {
        state = 'quoted';
        return 'on';
      }
      if (byte === newline) {
        state = 'start';
        return 'after';
      }
      state = state === 'start' && byte === quote ? 'quoted' : byte === delimiter ? 'start' : 'plain';
      return 'on';
    },
  };
}

/**
 * The elements of the array that a JSON document is, or that stands in it under `users`: what exports of whole realms and
 * projects look like. What stands around it is passed over.
 * @param inside the array was entered before
 */
function json(inside: boolean): Cutter {
  let depth = 0;
  let inText = false;
  let escaped = false;
  let text = '';
  let key = '';
  let within = inside;
  return {
    take(byte) {
      if (inText) {
        if (escaped) escaped = false;
        else if (byte === backslash) escaped = true;
        else if (byte === quote) {
          inText = false;
          if (!within && depth === 1) key = text;
        } else if (!within && depth === 1 && text.length < 8) text += String.fromCharCode(byte);
        return within ? 'on' : 'outside';
      }
      if (byte === quote) {
        inText = true;
        text = '';
        return within ? 'on' : 'outside';
      }
      const opens = byte === 0x7b || byte === 0x5b;
      const closes = byte === 0x7d || byte === 0x5d;
      if (!within) {
        if (byte === 0x5b && (depth === 0 || (depth === 1 && key === 'users'))) {
          within = true;
          depth = 0;
          return 'outside';
        }
        if (opens) depth += 1;
        if (closes) depth -= 1;
        if (byte === 0x2c && depth === 1) key = '';
        return 'outside';
      }
      if (opens) depth += 1;
      if (closes) {
        depth -= 1;
        if (depth < 0) {
          // The array's own end; what follows is not ours.
          within = false;
          depth = 1;
          key = '';
          return 'before';
        }
        if (depth === 0) return 'after';
      }
      if (depth === 0 && byte === 0x2c) return 'before';
      return 'on';
    },
  };
}

const isBlank = (bytes: Buffer) =>
  bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 10);

/**
 * Cuts a file into records as it streams by.
 * @param from the byte and line that `chunks` begin at; anything but the beginning is behind a record
 */
export async function* split(
  chunks: AsyncIterable<Buffer>,
  cut: { how: Cut; delimiter?: string | undefined },
  from: { offset: number; line: number } = { offset: 0, line: 1 },
): AsyncGenerator<Piece> {
  const cutters: Record<Cut, () => Cutter> = {
    lines,
    ldif,
    csv: () => csv((cut.delimiter ?? ',').charCodeAt(0)),
    json: () => json(from.offset > 0),
  };
  const cutter = cutters[cut.how]();
  let { offset, line } = from;
  let start = line;
  let parts: Buffer[] = [];
  let length = 0;

  const keep = (bytes: Buffer) => {
    length += bytes.length;
    if (length <= mostBytes) parts.push(bytes);
    else parts = [];
  };
  const finish = (): Piece | undefined => {
    const bytes = length > mostBytes ? undefined : Buffer.concat(parts);
    const piece = { line: start, end: offset, nextLine: line, bytes };
    parts = [];
    length = 0;
    return bytes && isBlank(bytes) ? undefined : piece;
  };

  for await (const chunk of chunks) {
    let at = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      const verdict = cutter.take(byte);
      if (verdict === 'outside' || verdict === 'before') {
        if (verdict === 'before') keep(chunk.subarray(at, i));
        at = i + 1;
      }
      offset += 1;
      if (byte === newline && cut.how !== 'json') line += 1;
      if (verdict === 'after') {
        keep(chunk.subarray(at, i + 1));
        at = i + 1;
      }
      if (verdict === 'after' || verdict === 'before') {
        const piece = finish();
        if (piece && cut.how === 'json') piece.nextLine = ++line;
        if (piece) yield piece;
        start = line;
      } else if (length === 0 && at === i && (byte === newline || byte === 0x20 || byte === 0x0d || byte === 0x09)) {
        // Blanks before a record are no part of it; the record begins on the line of its first letter.
        at = i + 1;
        start = line;
      } else if (verdict === 'outside') {
        start = line;
      }
    }
    if (at < chunk.length) keep(chunk.subarray(at));
  }
  const rest = length > 0 ? finish() : undefined;
  if (rest) yield rest;
}
