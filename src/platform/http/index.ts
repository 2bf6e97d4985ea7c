/** What every door shares of HTTP: the listening server, the trace of a request, headers that protect, forms and their guard. */
export { readBytes } from './body.ts';
export { type ErrorPage, errorBoundary } from './boundary.ts';
export { createCookieKeys } from './cookie-keys.ts';
export { type Csrf, createCsrf } from './csrf.ts';
export { type Form, formBody, readForm } from './form.ts';
export { contentSecurityPolicy, securityHeaders, serviceHeaders } from './headers.ts';
export { health } from './health.ts';
export { onlyHost, publicProtocol } from './host.ts';
export { multipartBody, type Upload, uploadOf } from './multipart.ts';
export { limitPages } from './page-requests.ts';
export { createPresenter, type Look, type Presenter } from './present.ts';
export { createAddressOf, createTrust, trustProxies } from './proxy.ts';
export { goTo } from './redirect.ts';
export { type Listening, listen } from './server.ts';
export type { AppContext, AppState } from './state.ts';
export { readTraceparent, requestTrace, traceIdOf } from './trace.ts';
