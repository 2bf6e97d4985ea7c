import { createHash } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { basic, callback, clients, forwarded, issuer } from './seeds.ts';

const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  path: string;
}

export type Jar = Record<string, string>;

/** What an authorization request asks for. */
export const authorizePath = (parameters: Record<string, string> = {}) =>
  `/authorize?${new URLSearchParams({
    client_id: clients.web.client_id,
    response_type: 'code',
    scope: 'openid email offline_access',
    prompt: '',
    redirect_uri: callback,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...parameters,
  })}`.replace('&prompt=&', '&');

export const redemption = (code: string, parameters: Record<string, string> = {}) =>
  new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: callback,
    code_verifier: verifier,
    ...parameters,
  }).toString();

export const formHeaders = (client?: { client_id: string; client_secret: string }) => ({
  ...forwarded,
  'content-type': 'application/x-www-form-urlencoded',
  ...(client && { authorization: basic(client) }),
});

export function takeCookies(jar: Jar, lines: string[] | string | undefined): void {
  for (const line of [lines ?? []].flat()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
    if (value && !/expires=Thu, 01 Jan 1970/i.test(line)) jar[name!] = value;
    else delete jar[name!];
  }
}

export const cookieOf = (jar: Jar) =>
  Object.entries(jar)
    .map(([name, value]) => `${name}=${value}`)
    .join('; ');

export const codeOf = (location: string | undefined): string | undefined =>
  location?.startsWith(callback) ? (URL.parse(location)?.searchParams.get('code') ?? undefined) : undefined;

/** The leanest browser that can sign in: on its core runs what is measured. */
export function createVisitor(port: number, agent = new Agent({ keepAlive: true })) {
  const jar: Jar = {};

  const send = (method: string, path: string, options: { body?: string; headers?: object } = {}): Promise<Answer> =>
    new Promise<Answer>((resolve, reject) => {
      const { body, headers } = options;
      const cookie = cookieOf(jar);
      const asked = request(
        {
          port,
          host: '127.0.0.1',
          method,
          path,
          agent,
          headers: {
            ...formHeaders(),
            accept: 'text/html',
            ...(cookie && { cookie }),
            ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
            ...headers,
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => {
            takeCookies(jar, response.headers['set-cookie']);
            resolve({ status: response.statusCode!, headers: response.headers, text, path });
          });
        },
      );
      asked
        // The server closed an idle connection at the moment it was taken up again.
        .on('error', (error) => (asked.reusedSocket ? resolve(send(method, path, options)) : reject(error)))
        .end(body);
    });

  /** Follows redirects as long as they stay here. */
  async function follow(method: string, path: string, body?: string): Promise<Answer> {
    let answer = await send(method, path, body === undefined ? {} : { body, headers: { origin: issuer } });
    for (let hops = 0; hops < 10 && answer.status >= 300 && answer.status < 400; hops++) {
      const target = new URL(answer.headers.location!, issuer);
      if (target.origin !== issuer) break;
      answer = await send('GET', target.pathname + target.search);
    }
    return answer;
  }

  /** From the application to its callback, through whatever pages there are. */
  async function signIn(person: { email: string; password: string }, parameters?: Record<string, string>) {
    return signInFrom(await follow('GET', authorizePath({ login_hint: person.email, ...parameters })), person);
  }

  async function signInFrom(asked: Answer, { email, password }: { email: string; password: string }): Promise<string> {
    let page = asked;
    for (let steps = 0; steps < 4; steps++) {
      const code = codeOf(page.headers.location);
      if (code) return code;
      const step = page.path.split('/').at(-1);
      if (step === 'identifier') page = await submit(page, { identifier: email });
      else if (step === 'password') page = await submit(page, { password });
      else break;
    }
    throw new Error(`no code: ${page.status} ${page.path} ${page.headers.location ?? page.text.slice(0, 300)}`);
  }

  /** Fills in the form that has the field. */
  async function submit(page: Answer, values: Record<string, string>): Promise<Answer> {
    const field = Object.keys(values)[0]!;
    const form = page.text.split('<form ').find((part) => part.includes(`name="${field}"`) && !part.includes('<html'));
    if (!form) throw new Error(`no ${field} at ${page.status} ${page.path}: ${page.text.slice(0, 300)}`);
    const action = /action="([^"]*)"/.exec(form)?.[1] || page.path;
    const body = new URLSearchParams();
    for (const [input] of form.split('</form>')[0]!.matchAll(/<input [^>]*type="hidden"[^>]*>/g)) {
      body.set(/name="([^"]*)"/.exec(input)![1]!, /value="([^"]*)"/.exec(input)?.[1] ?? '');
    }
    for (const [name, value] of Object.entries(values)) body.set(name, value);
    const target = new URL(action.replaceAll('&amp;', '&'), issuer + page.path);
    return follow('POST', target.pathname + target.search, body.toString());
  }

  return { jar, send, follow, submit, signIn, signInFrom };
}

export type Visitor = ReturnType<typeof createVisitor>;
