import type { Tree } from './schema.ts';

type CamelName<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelName<Tail>>}`
  : Name;

type Camel<Value> = Value extends readonly (infer Item)[]
  ? readonly Camel<Item>[]
  : Value extends object
    ? { readonly [Name in keyof Value & string as CamelName<Name>]: Camel<Value[Name]> }
    : Value;

type Written = Camel<Tree>;

/**
 * All settings, checked and frozen. Times are in seconds. `secrets` is newest first: the first encrypts, all decrypt.
 * `database.url` is absent when the embedded server is to be started; `mailbox` says whether letters end on the
 * development's page.
 */
export type Settings = Omit<Written, 'mail' | 'demo' | 'passkeys'> & {
  readonly mail: Written['mail'] & { readonly from: string };
  readonly demo: { readonly enabled: boolean; readonly port: number };
  readonly passkeys: Written['passkeys'] & { readonly rpId: string };
  readonly mailbox: { readonly enabled: boolean };
};

export function settingsFrom(tree: Tree): Settings {
  const written = camelled(tree) as Written;
  const { mail, demo, server, issuer, branding, passkeys } = written;
  return frozen({
    ...written,
    mail: {
      ...mail,
      from: mail.from ?? `"${branding.name.replace(/["\\]/g, '')}" <no-reply@${new URL(issuer).hostname}>`,
    },
    demo: { ...demo, port: demo.port ?? (server.port === 0 ? 0 : server.port + 1) },
    passkeys: { ...passkeys, rpId: passkeys.rpId ?? new URL(issuer).hostname },
    mailbox: { enabled: mail.smtpUrl === undefined },
  });
}

function camelled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [camelName(name), camelled(inner)]));
}

const camelName = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function frozen<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) frozen(inner);
  return Object.freeze(value);
}
