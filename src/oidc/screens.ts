import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import type { AppContext, ErrorPage, Presenter } from '../platform/http/index.ts';
import type { Users } from '../users/index.ts';
import {
  type ClientShown,
  deviceCodePage,
  deviceConfirmPage,
  deviceDonePage,
  errorPage,
  formPostPage,
  signedOutPage,
  signOutPage,
} from './pages.ts';

interface EngineClient {
  clientName?: string;
  clientId: string;
  logoUri?: string;
  clientUri?: string;
}

const shown = (client: EngineClient | undefined): ClientShown | undefined =>
  client && { name: client.clientName ?? client.clientId, logo: client.logoUri };

const appContext = (ctx: KoaContextWithOIDC) => ctx as unknown as AppContext;

/** Codes of the engine's errors at the device page, as problems of the field. */
const userCodeProblems: Record<string, string> = {
  NoCodeError: 'device.code_missing',
  NotFoundError: 'device.code_unknown',
  ExpiredError: 'device.code_expired',
  AlreadyUsedError: 'device.code_used',
  AbortedError: 'device.aborted',
};

/** The pages that the engine shows by itself: it hands over its form or error, and gets ours instead of its own. */
export function createScreens({ present, users }: { present: Presenter; users: Pick<Users, 'byId'> }) {
  return {
    async signOut(ctx: KoaContextWithOIDC, form: string) {
      const accountId = ctx.oidc.session?.accountId;
      const account = accountId ? (await users.byId(accountId))?.email : undefined;
      present.page(
        appContext(ctx),
        signOutPage({ form, client: shown(ctx.oidc.client as never), account: account ?? undefined }),
      );
    },

    async signedOut(ctx: KoaContextWithOIDC) {
      const client = ctx.oidc.client as unknown as EngineClient | undefined;
      present.page(
        appContext(ctx),
        signedOutPage({ client: shown(client), back: client?.clientUri, stayed: client !== undefined }),
      );
    },

    async deviceCode(ctx: KoaContextWithOIDC, form: string, out?: ErrorOut, error?: Error & { userCode?: string }) {
      const code =
        error && (userCodeProblems[error.name] ?? userCodeProblems[error.constructor.name] ?? 'device.code_unknown');
      if (code === 'device.aborted') return present.page(appContext(ctx), deviceDonePage({ refused: true }));
      present.page(
        appContext(ctx),
        deviceCodePage({
          form,
          ...(code ? { problems: [{ field: 'user_code', code }], values: { user_code: error?.userCode } } : {}),
        }),
        { status: out || error ? 400 : 200 },
      );
    },

    async deviceConfirm(
      ctx: KoaContextWithOIDC,
      form: string,
      client: EngineClient,
      device: { ip?: string; ua?: string },
      userCode: string,
    ) {
      const params = ctx.oidc.entities.DeviceCode?.params as { scope?: string } | undefined;
      present.page(
        appContext(ctx),
        deviceConfirmPage({
          form,
          client: shown(client)!,
          userCode,
          scopes: params?.scope?.split(' ') ?? [],
          device: { ip: device.ip, userAgent: device.ua },
        }),
      );
    },

    async deviceDone(ctx: KoaContextWithOIDC) {
      present.page(appContext(ctx), deviceDonePage({ client: shown(ctx.oidc.client as never) }));
    },

    /** What a browser is shown when there is no application to send it back to. */
    async error(ctx: KoaContextWithOIDC, out: ErrorOut, _error: Error) {
      const { state } = appContext(ctx);
      present.page(
        appContext(ctx),
        errorPage({
          status: ctx.status,
          code: out.error,
          traceId: state.traceId,
          detail: out.error_description,
          client: shown(ctx.oidc?.client as never),
        }),
        { status: ctx.status },
      );
    },

    /** The same for what our own doors refuse. */
    fault: (ctx: AppContext, page: ErrorPage): string => present.document(ctx, errorPage(page)),

    /** OAuth 2.0 Form Post Response Mode, on a page of ours. */
    formPost(ctx: KoaContextWithOIDC, action: string, fields: Record<string, string>) {
      present.page(appContext(ctx), formPostPage({ action, fields, client: shown(ctx.oidc.client as never) }), {
        status: 'error' in fields ? 400 : 200,
      });
    },
  };
}

export type Screens = ReturnType<typeof createScreens>;
