import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import type { Clients, ResourceServers } from '../clients/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Vault } from '../platform/index.ts';
import { type CertificateOf, subjectMatches } from './mutual-tls.ts';
import { createDefaultResource, createResourceServerInfo } from './resources.ts';

export interface FeaturePorts {
  settings: Settings;
  vault: Vault;
  clients: Clients;
  resources: ResourceServers;
  /** Our own APIs. */
  ownApi: { identifier: string };
  certificateOf: CertificateOf;
  /** The pages the engine shows by itself. */
  screens: {
    signOut(ctx: KoaContextWithOIDC, form: string): Promise<void>;
    signedOut(ctx: KoaContextWithOIDC): Promise<void>;
    deviceCode(ctx: KoaContextWithOIDC, form: string, out?: unknown, error?: unknown): Promise<void>;
    deviceConfirm(
      ctx: KoaContextWithOIDC,
      form: string,
      client: unknown,
      info: unknown,
      userCode: string,
    ): Promise<void>;
    deviceDone(ctx: KoaContextWithOIDC): Promise<void>;
  };
}

const audiences = (token: { aud?: string | string[] }): string[] => [token.aud ?? []].flat();

/** Which of the engine's features are on, and what they ask us. All of them stable; the experimental ones are off. */
export function features(ports: FeaturePorts): NonNullable<Configuration['features']> {
  const { settings, resources, certificateOf, screens, vault } = ports;
  return {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: screens.deviceCode,
      userCodeConfirmSource: screens.deviceConfirm as never,
      successSource: screens.deviceDone,
    },
    dPoP: { enabled: true, nonceSecret: Buffer.from(vault.mac('dpop-nonce', 'dpop-nonce'), 'base64url') },
    encryption: { enabled: true },
    introspection: {
      enabled: true,
      // A token's own client learns nothing it does not hold; a resource server asks of what was made for it.
      // Nobody asks of the tokens of an application that is gone: without it the engine fails.
      allowedPolicy: async (ctx, client, token) =>
        client.clientAuthMethod !== 'none' &&
        (await ctx.oidc.provider.Client.find(token.clientId!)) !== undefined &&
        (client.clientId === token.clientId ||
          resources.speaksFor(client.clientId, audiences(token as { aud?: string | string[] }))),
    },
    jwtIntrospection: { enabled: true },
    jwtResponseModes: { enabled: true },
    jwtUserinfo: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      selfSignedTlsClientAuth: true,
      tlsClientAuth: true,
      getCertificate: (ctx) => certificateOf(ctx)?.pem,
      certificateAuthorized: (ctx) => certificateOf(ctx)?.authorized ?? false,
      certificateSubjectMatches: (ctx, property, expected) => {
        const presented = certificateOf(ctx);
        return presented !== undefined && subjectMatches(presented, property, expected);
      },
    },
    pushedAuthorizationRequests: { enabled: true },
    requestObjects: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: createResourceServerInfo(ports, { accessTokenSeconds: settings.tokens.accessToken }),
      // What the person was asked for is what the token is made for, also when the client does not repeat it (RFC 8707, section 2.2).
      useGrantedResource: async () => true,
      defaultResource: createDefaultResource(ports, ports.ownApi) as never,
    },
    revocation: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) => client.clientId === token.clientId,
    },
    rpInitiatedLogout: { enabled: true, logoutSource: screens.signOut, postLogoutSuccessSource: screens.signedOut },
    userinfo: { enabled: true },
  };
}
