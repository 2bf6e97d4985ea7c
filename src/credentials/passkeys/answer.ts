import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';

const bytes = (most: number) =>
  z
    .string()
    .regex(/^[\w-]*$/)
    .min(1)
    .max(most);

const common = { id: bytes(1_400), rawId: bytes(1_400), type: z.literal('public-key') };

const created = z.object({
  ...common,
  response: z.object({
    clientDataJSON: bytes(8_000),
    attestationObject: bytes(40_000),
    transports: z
      .array(z.string().regex(/^[\w-]{1,20}$/))
      .max(8)
      .optional(),
  }),
});

const signed = z.object({
  ...common,
  response: z.object({
    clientDataJSON: bytes(8_000),
    authenticatorData: bytes(8_000),
    signature: bytes(8_000),
    userHandle: z
      .string()
      .regex(/^[\w-]*$/)
      .max(100)
      .nullish(),
  }),
});

/** An answer that a browser posted, and the challenge it says it answers. */
export interface Answer<Response> {
  response: Response;
  challenge: string;
}

function read<Response>(shape: z.ZodType, posted: string): Answer<Response> {
  try {
    const response = shape.parse(JSON.parse(posted)) as { response: { clientDataJSON: string } };
    const { challenge, crossOrigin } = JSON.parse(
      Buffer.from(response.response.clientDataJSON, 'base64url').toString(),
    );
    // Our pages are shown in no frame (sections 7.1 and 7.2: the relying party says whether it expects to be).
    if (crossOrigin === true) throw new Error('cross-origin');
    return { response: response as Response, challenge: z.string().parse(challenge) };
  } catch (cause) {
    throw new Refusal('passkey.refused', { kind: 'invalid', cause });
  }
}

/** @throws Refusal `passkey.refused` (invalid): whatever it is, no browser makes it */
export const readCreated = (posted: string) => read<RegistrationResponseJSON>(created, posted);

/** @throws Refusal `passkey.refused` (invalid) */
export const readSigned = (posted: string) => read<AuthenticationResponseJSON>(signed, posted);
