/** What to paste into an application, by library. Kept short: sign in, finish, read the claims. */

export interface Snippet {
  title: string;
  code: string;
}

export interface SnippetInput {
  issuer: string;
  clientId: string;
  secret?: string | undefined;
  redirectUri?: string | undefined;
  kind: string;
}

/** The libraries' snippets in the order of the page. Applications without redirects get client credentials. */
export function snippets({ issuer, clientId, secret, redirectUri, kind }: SnippetInput): Snippet[] {
  if (kind === 'service') return service(issuer, clientId, secret ?? '');
  const redirect = redirectUri ?? 'http://localhost:8080/callback';
  const discovery = discoveryOf({ issuer, clientId, secret });
  // Both libraries refuse http unless they are told.
  const isPlain = issuer.startsWith('http:');
  const plain = isPlain
    ? `\nconst options = { [oauth.allowInsecureRequests]: true }; // http: in development only`
    : '';
  const options = isPlain ? ', options' : '';
  return [
    {
      title: 'Node.js · openid-client',
      code: `import * as client from 'openid-client';

${discovery}

// 1. Send the person to sign in. Keep verifier and state in their session.
const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: '${redirect}',
  scope: 'openid profile email',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
});

// 2. They come back to ${redirect}
const tokens = await client.authorizationCodeGrant(config, currentUrl, {
  pkceCodeVerifier: verifier,
  expectedState: state,
});
console.log(tokens.claims());`,
    },
    {
      title: 'JavaScript · oauth4webapi',
      code: `import * as oauth from 'oauth4webapi';

const issuer = new URL('${issuer}');${plain}
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer${options}));
const client = { client_id: '${clientId}' };
const auth = ${secret ? `oauth.ClientSecretBasic('${secret}')` : 'oauth.None()'};

// They come back to ${redirect}
const params = oauth.validateAuthResponse(as, client, currentUrl, state);
const response = await oauth.authorizationCodeGrantRequest(
  as, client, auth, params, '${redirect}', verifier${options},
);
const result = await oauth.processAuthorizationCodeResponse(as, client, response, { requireIdToken: true });
console.log(oauth.getValidatedIdTokenClaims(result));`,
    },
    {
      title: 'Java · Spring Security',
      code: `# application.yaml, with spring-boot-starter-oauth2-client
# redirect URI to register: {your address}/login/oauth2/code/cardea
spring:
  security:
    oauth2:
      client:
        registration:
          cardea:
            client-id: ${clientId}
${secret ? `            client-secret: ${secret}` : '            client-authentication-method: none'}
            scope: openid, profile, email
        provider:
          cardea:
            issuer-uri: ${issuer}`,
    },
    {
      title: 'Go · coreos/go-oidc',
      code: `provider, err := oidc.NewProvider(ctx, "${issuer}")
config := oauth2.Config{
	ClientID:     "${clientId}",
	ClientSecret: "${secret ?? ''}",
	Endpoint:     provider.Endpoint(),
	RedirectURL:  "${redirect}",
	Scopes:       []string{oidc.ScopeOpenID, "profile", "email"},
}
verifier := oauth2.GenerateVerifier()
url := config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))

// in the handler of ${redirect}
token, err := config.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(verifier))
idToken, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).
	Verify(ctx, token.Extra("id_token").(string))`,
    },
    {
      title: 'Python · Authlib (Flask)',
      code: `from authlib.integrations.flask_client import OAuth

oauth = OAuth(app)
oauth.register(
    "cardea",
    client_id="${clientId}",
${secret ? `    client_secret="${secret}",\n` : ''}    server_metadata_url="${issuer.replace(/\/$/, '')}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
)

@app.route("/login")
def login():
    return oauth.cardea.authorize_redirect("${redirect}")

@app.route("${new URL(redirect, 'http://localhost').pathname}")
def callback():
    return oauth.cardea.authorize_access_token()["userinfo"]`,
    },
  ];
}

/** How openid-client is told of the issuer; it refuses http unless told otherwise. */
function discoveryOf({ issuer, clientId, secret }: Pick<SnippetInput, 'issuer' | 'clientId' | 'secret'>): string {
  const auth = secret ? [`'${secret}'`] : ['undefined', 'client.None()'];
  const plain = [...(secret ? ['undefined'] : []), '{ execute: [client.allowInsecureRequests] }'];
  const parts = [`new URL('${issuer}')`, `'${clientId}'`, ...auth, ...(issuer.startsWith('http:') ? plain : [])];
  const lines = parts.map((part) => `  ${part},${part.startsWith('{') ? ' // http: in development only' : ''}`);
  return ['const config = await client.discovery(', ...lines, ');'].join('\n');
}

function service(issuer: string, clientId: string, secret: string): Snippet[] {
  const token = `${issuer.replace(/\/$/, '')}/token`;
  return [
    {
      title: 'curl',
      code: `curl -u '${clientId}:${secret}' -d grant_type=client_credentials ${token}`,
    },
    {
      title: 'Node.js · openid-client',
      code: `import * as client from 'openid-client';

${discoveryOf({ issuer, clientId, secret })}
const { access_token } = await client.clientCredentialsGrant(config);`,
    },
    {
      title: 'Java · Spring Security',
      code: `spring:
  security:
    oauth2:
      client:
        registration:
          cardea:
            client-id: ${clientId}
            client-secret: ${secret}
            authorization-grant-type: client_credentials
        provider:
          cardea:
            issuer-uri: ${issuer}`,
    },
    {
      title: 'Go · golang.org/x/oauth2',
      code: `config := clientcredentials.Config{
	ClientID:     "${clientId}",
	ClientSecret: "${secret}",
	TokenURL:     provider.Endpoint().TokenURL, // oidc.NewProvider(ctx, "${issuer}")
}
client := config.Client(ctx)`,
    },
    {
      title: 'Python · Authlib',
      code: `from authlib.integrations.requests_client import OAuth2Session

session = OAuth2Session("${clientId}", "${secret}")
token = session.fetch_token("${token}", grant_type="client_credentials")`,
    },
  ];
}
