import { type Refusal, type RefusalKind, statusOfKind } from '../platform/index.ts';

/** One thing that is wrong with a request: in its body at `pointer` (RFC 6901), or in the parameter or header named. */
export interface FieldFault {
  pointer?: string;
  parameter?: string;
  header?: string;
  code: string;
  detail: string;
}

/** A problem as it goes out (RFC 9457), with members of ours: `code`, `trace_id`, `errors`. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  trace_id: string;
  errors?: FieldFault[];
  [detail: string]: unknown;
}

/** Every problem the reference knows by name. The codes are stable; the sentences are for people and may change. */
export const problems = {
  'request.malformed': { status: 400, title: 'The body is not JSON as it should be' },
  'request.invalid': { status: 400, title: 'Something in the request is not as described; see errors' },
  'cursor.invalid': { status: 400, title: 'The cursor is not one of ours, or of another search' },
  'field.not_searchable': { status: 400, title: 'This custom field is not searched; it can be declared searchable' },
  'field.malformed': { status: 400, title: 'Not a custom field as it should be, or not a value of it' },
  'import.options_malformed': { status: 400, title: 'An option of the import is not one it takes; see field' },
  'user.email_malformed': { status: 400, title: 'This cannot be an address' },
  'user.user_name_malformed': { status: 400, title: 'This cannot be a user name' },
  'group.name_malformed': { status: 400, title: 'This cannot be the name of a group' },
  'group.member_unknown': { status: 400, title: 'There are no such people or groups; see members' },
  'group.cycle': { status: 400, title: 'A group cannot be inside itself, however far' },
  'role.malformed': { status: 400, title: 'This cannot be a role' },
  'permission.malformed': { status: 400, title: 'This cannot be the name of a permission' },
  'organisation.malformed': { status: 400, title: 'This cannot be an organisation; see faults' },
  'domain.malformed': { status: 400, title: 'This cannot be a domain' },
  'token.malformed': { status: 400, title: 'The Authorization header is not a token' },
  'token.missing': { status: 401, title: 'An access token is needed' },
  'token.invalid': { status: 401, title: 'The access token is not good, or no longer' },
  'token.insufficient_authentication': { status: 401, title: 'The person must sign in again, with a second factor' },
  'token.insufficient_scope': { status: 403, title: 'The access token lacks a scope' },
  'caller.not_in_person': { status: 403, title: 'Only an administrator in person may do this' },
  'caller.not_permitted': { status: 403, title: 'The caller may not do this to this person' },
  'organisation.not_manager': { status: 403, title: 'The person does not manage this organisation' },
  'role.not_held': { status: 403, title: 'Nobody gives or takes a role that may do more than they may themselves' },
  'page.missing': { status: 404, title: 'There is nothing here' },
  'user.unknown': { status: 404, title: 'There is no such person' },
  'session.unknown': { status: 404, title: 'There is no such session' },
  'task.unknown': { status: 404, title: 'There is no such task' },
  'import.unknown': { status: 404, title: 'There is no such file, or it was started, or somebody else began it' },
  'field.unknown': { status: 404, title: 'There is no such custom field' },
  'group.unknown': { status: 404, title: 'There is no such group' },
  'role.unknown': { status: 404, title: 'There is no such role' },
  'role.subject_unknown': { status: 404, title: 'There is no such person or group' },
  'permission.unknown': { status: 404, title: 'There is no such permission' },
  'organisation.unknown': { status: 404, title: 'There is no such organisation' },
  'organisation.member_unknown': { status: 404, title: 'The person is no member of the organisation' },
  'invitation.unknown': { status: 404, title: 'There is no such open invitation' },
  'domain.unknown': { status: 404, title: 'The organisation has not claimed this domain' },
  'request.method': { status: 405, title: 'Not with this method; see Allow' },
  'request.not_acceptable': { status: 406, title: 'Answers are JSON' },
  'idempotency.running': { status: 409, title: 'The same request is under way' },
  'user.email_taken': { status: 409, title: 'Another account has this address' },
  'user.user_name_taken': { status: 409, title: 'Another account has this user name' },
  'user.transition_not_permitted': { status: 409, title: 'The account is not in a state from which this is possible' },
  'user.email_verified_already': { status: 409, title: 'The address is proved already' },
  'user.oneself': { status: 409, title: 'Nobody stops themselves among many' },
  'user.last_administrator': { status: 409, title: 'There would be no administrator left' },
  'import.part_misplaced': { status: 409, title: 'The part does not begin where the file ends; see received' },
  'import.incomplete': { status: 409, title: 'The file is not as long as was said; see received' },
  'field.type_fixed': { status: 409, title: 'The type of a custom field stays' },
  'field.clash': { status: 409, title: 'Another custom field has this claim or SCIM name; see what' },
  'field.being_removed': { status: 409, title: 'Values of the custom field that had this name are still being erased' },
  'field.too_many': { status: 409, title: 'There are as many custom fields as there can be' },
  'role.exists': { status: 409, title: 'There is a role of this name and scope' },
  'role.scope_mismatch': {
    status: 409,
    title: 'A role of organisations is not for the installation, nor the other way',
  },
  'organisation.exists': { status: 409, title: 'Another organisation has this name' },
  'invitation.too_many': { status: 409, title: 'As many invitations are open as there may be' },
  'domain.unproved': { status: 409, title: 'The record is not in the DNS' },
  'domain.taken': { status: 409, title: 'Another organisation has proved this domain' },
  'domain.too_many': { status: 409, title: 'The organisation has as many domains as it can have' },
  'request.precondition_failed': { status: 412, title: 'It has changed since it was read' },
  'request.too_large': { status: 413, title: 'The body is too large' },
  'import.too_large': { status: 413, title: 'The file is larger than an import may be' },
  'request.media_type': { status: 415, title: 'The body must be of a media type of the reference' },
  'idempotency.reused': { status: 422, title: 'The idempotency key was used for another request' },
  'request.precondition_required': { status: 428, title: 'If-Match is needed, with the ETag of what was read' },
  'limit.exceeded': { status: 429, title: 'Too many requests; see Retry-After' },
  'import.too_many': { status: 429, title: 'Too many files were begun and not started' },
  'task.too_many': { status: 429, title: 'Too many tasks of this kind wait already' },
  'mail.too_many': { status: 429, title: 'This address was sent too many letters' },
  internal: { status: 500, title: 'A fault of ours; tell its trace id to whoever runs this' },
  'domain.unreachable': { status: 503, title: 'The DNS does not answer' },
  'store.unavailable': { status: 503, title: 'A store cannot be reached just now' },
} as const satisfies Record<string, { status: number; title: string }>;

/** A code of the list, or of a room that has not put it into words here. */
export type ProblemCode = keyof typeof problems | `${string}.${string}`;

const titleOfKind: Record<RefusalKind, string> = {
  invalid: 'The request cannot be carried out as it is',
  unauthenticated: 'An access token is needed',
  forbidden: 'This is not permitted',
  missing: 'There is nothing here',
  conflict: 'What is there now does not permit it',
  limited: 'Too many requests',
  unavailable: 'Not available just now',
};

export const problemOf = (code: string): { status: number; title: string } | undefined =>
  Object.hasOwn(problems, code) ? problems[code as keyof typeof problems] : undefined;

/** The status of a refusal: what the list says of its code, else of its kind. */
export const statusOf = ({ code, kind }: Refusal): number => problemOf(code)?.status ?? statusOfKind[kind];

/** @param base where the reference page is; a problem's `type` leads to its line there */
export function problemFrom(refusal: Refusal, base: string, traceId: string): Problem {
  const { code, kind, details } = refusal;
  const status = statusOf(refusal);
  return {
    ...details,
    type: `${base}#${code}`,
    title: problemOf(code)?.title ?? titleOfKind[kind],
    status,
    code,
    trace_id: traceId,
  };
}
