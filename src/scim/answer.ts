import { ScimFault } from './faults.ts';
import type { JsonObject } from './schema/attribute.ts';

/** What became of a request, before it is spoken by HTTP or told as one of many in a bulk's answer. */
export interface Answer {
  status: number;
  body?: JsonObject;
  /** Address of what was made or changed. */
  location?: string;
  /** Its entity tag. */
  version?: string;
}

/** Which versions a request is meant for (RFC 9110, section 13.1; RFC 7644, section 3.14). */
export interface Conditions {
  ifMatch?: string;
  ifNoneMatch?: string;
}

/** Weak tags are all there are, so they are compared weakly. */
const tags = (header: string): string[] => header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));

const isAmong = (header: string, version: number): boolean =>
  header.trim() === '*' || tags(header).includes(`"${version}"`);

/** @throws ScimFault 412 when the resource is another by now */
export function demandMatch({ ifMatch, ifNoneMatch }: Conditions, version: number): void {
  const isOther = ifMatch !== undefined && !isAmong(ifMatch, version);
  const isIt = ifNoneMatch !== undefined && isAmong(ifNoneMatch, version);
  if (isOther || isIt) throw new ScimFault(412, undefined, 'the resource has another version by now');
}

export const isUnmodified = ({ ifNoneMatch }: Conditions, version: number): boolean =>
  ifNoneMatch !== undefined && isAmong(ifNoneMatch, version);
