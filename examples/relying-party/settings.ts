/** What the application is told by its environment. Only ISSUER and CLIENT_ID are required. */
export interface Settings {
  issuer: URL;
  clientId: string;
  /** Absent for a public client: PKCE alone protects the code then. */
  clientSecret?: string;
  clientName: string;
  port: number;
  /** Where browsers find this application; every address it registers at the provider begins with it. */
  baseUrl: URL;
  scope: string;
  /** Identifier of our protected API at the provider (RFC 8707). Without it there is no API to call. */
  resource?: string;
  /** The scope of that API. */
  apiScope: string;
  /** What “Confirm that it is you” asks for, beside a fresh sign-in. */
  stepUpAcr?: string;
  /** Send the authorization request over the back channel (RFC 9126). */
  par: boolean;
  /** Bind the tokens to a key of this server (RFC 9449). */
  dpop: boolean;
}

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const port = Number(env.PORT ?? 3001);
  const missing = ['ISSUER', 'CLIENT_ID'].filter((name) => !env[name]);
  if (missing.length > 0) throw new Error(`The example application needs ${missing.join(' and ')}. See its README.`);
  return {
    issuer: new URL(env.ISSUER!),
    clientId: env.CLIENT_ID!,
    clientSecret: env.CLIENT_SECRET || undefined,
    clientName: env.CLIENT_NAME || 'Example application',
    port,
    baseUrl: new URL(env.BASE_URL || `http://localhost:${port}`),
    scope: env.SCOPE || 'openid profile email offline_access',
    resource: env.RESOURCE || undefined,
    apiScope: env.API_SCOPE || '',
    stepUpAcr: env.STEP_UP_ACR || undefined,
    par: isOn(env.USE_PAR),
    dpop: isOn(env.USE_DPOP),
  };
}

const isOn = (value = '') => ['1', 'true', 'yes'].includes(value.toLowerCase());
