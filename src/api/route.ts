import type { z } from 'zod';
import type { AppContext } from '../platform/http/index.ts';
import type { By } from '../users/index.ts';
import type { Caller, Scope } from './bearer.ts';
import type { ProblemCode } from './problems.ts';

type Fields = z.ZodObject;
type Out<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** What a handler is given: all of it checked against the description, nothing else. */
export interface Asked<Params, Query, Body> {
  params: Out<Params>;
  query: Out<Query>;
  body: Out<Body>;
  caller: Caller;
  /** Reads the body of a route that takes bytes. */
  bytes(): Promise<Buffer>;
  /** The caller as the journal names them, and from where. */
  by: By;
  /**
   * Holds `If-Match` against what is there now. Call it where the row is locked, so that of two changes made from the
   * same state one wins. @throws Refusal `request.precondition_failed`
   */
  demandMatch(version: number | string): void;
  ctx: AppContext;
}

export interface Reply<Answer> {
  body?: Answer;
  /** In place of a body: what is written as it comes, of one of the description's media types. */
  stream?: { type: string; parts: AsyncIterator<string | Uint8Array> };
  /** Of the description's statuses; the first of them when left out. */
  status?: number;
  etag?: string;
  /** Where what was made can be read, below `/api`. */
  location?: string;
}

export interface Description<
  Params extends Fields | undefined,
  Query extends Fields | undefined,
  Body extends z.ZodType | undefined,
  Answer extends z.ZodType | undefined,
> {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/api`, as OpenAPI writes it: `/users/{id}`. */
  path: string;
  /** The section of the reference it stands in. */
  section: string;
  /** One line in the imperative; it must be a name as well: no two routes share one. */
  summary: string;
  details?: string;
  /** All of these must be granted; none of them: open to everybody. */
  scopes: readonly Scope[];
  /** Or else one of these, for whom the handler decides what is theirs. */
  or?: readonly Scope[];
  /** Or else an access token for userinfo that has this scope. */
  orClaim?: string;
  /** Somebody must have proved two factors a few minutes ago (RFC 9470). Services have none and are not asked. */
  dangerous?: boolean;
  /** Only for administrators in person, never for a service. */
  inPerson?: boolean;
  params?: Params;
  query?: Query;
  /** JSON; for PATCH a merge patch (RFC 7396). */
  body?: Body;
  /** Of the body in bytes, where 256 KiB is not the measure. */
  bodyLimit?: number;
  /** In place of a JSON body: bytes, `application/octet-stream`, at most so many. */
  takesBytes?: number;
  /** In place of a JSON answer: a file of one of these media types. */
  streams?: readonly string[];
  /** The body of a successful answer; without it there is none. */
  answer?: Answer;
  /** Successful statuses, the usual one first. Default: 200, or 204 without an answer. */
  status?: readonly number[];
  /** `required`: without If-Match it is refused (428), because it overwrites what the caller may not have seen. */
  ifMatch?: 'honoured' | 'required';
  /** What it may refuse beside what any route may. */
  refusals?: readonly ProblemCode[];
  handle(asked: Asked<Params, Query, Body>): Promise<Reply<Out<Answer>>>;
}

/** A route whatever its schemas are. */
export type Route = Description<Fields | undefined, Fields | undefined, z.ZodType | undefined, z.ZodType | undefined>;

/**
 * One description of a route, from which come the checks of its requests, the checks of its answers outside production,
 * the OpenAPI document and the reference page.
 */
export function route<
  Params extends Fields | undefined = undefined,
  Query extends Fields | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
  Answer extends z.ZodType | undefined = undefined,
>(description: Description<Params, Query, Body, Answer>): Route {
  return description as unknown as Route;
}

export const statusesOf = ({ status, answer, streams }: Route): readonly number[] =>
  status ?? [answer || streams ? 200 : 204];

/** Whether a request sent again can be answered again: not what brings a file, nor what answers with one. */
export const isRepeatable = ({ method, takesBytes, streams }: Route): boolean =>
  method === 'POST' && takesBytes === undefined && !streams;
