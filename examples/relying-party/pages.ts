import type { UserInfoResponse } from 'openid-client';
import { type Html, html } from './html.ts';
import type { Notice, SignedIn } from './sessions.ts';
import type { Settings } from './settings.ts';

/** The frame of every page. */
export function page(settings: Settings, title: string, body: Html, name?: string): string {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${settings.clientName}</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
<header>
  <a class="mark" href="/">
    <svg viewBox="0 0 32 32" width="30" height="30" aria-hidden="true"><rect width="32" height="32" rx="9"/><path d="M9 21.5 16 9l7 12.5M11.8 17h8.4"/></svg>
    ${settings.clientName}
  </a>
  ${name && html`<form method="post" action="/sign-out"><span class="who">${name}</span> <button>Sign out</button></form>`}
</header>
<main>${body}</main>
<footer>An example application. It trusts <a href="${settings.issuer.href}">${settings.issuer.host}</a> to say who you are.</footer>
</html>`.text;
}

export function welcome(settings: Settings, notice?: Notice): string {
  return page(
    settings,
    'Welcome',
    html`${noticeBox(notice)}
<section class="hero">
  <h1>Welcome to ${settings.clientName}</h1>
  <p class="lead">You have no password here. Your account lives at ${settings.issuer.host}; this application only asks it who you are.</p>
  <p class="actions"><a class="button primary" href="/sign-in">Sign in</a> <a class="button" href="/sign-in?prompt=create">Create an account</a></p>
</section>
${otherWays()}`,
  );
}

/** `userinfo` is what the provider says at this moment, or why it says nothing. */
export function overview(settings: Settings, held: SignedIn, userinfo: UserInfoResponse | string, notice?: Notice) {
  const name = displayName(typeof userinfo === 'string' ? held.claims : userinfo);
  return page(
    settings,
    'Signed in',
    html`${noticeBox(notice)}
<h1>Hello, ${name}</h1>
<p class="lead">You are signed in. Below is everything this application has learnt about you.</p>
<div class="columns">
  <section class="card wide" aria-labelledby="id-token">
    <h2 id="id-token">ID token</h2>
    <p class="quiet">Signed by the provider when you signed in.</p>
    ${claimsTable(held.claims)}
  </section>
  <section class="card" aria-labelledby="userinfo">
    <h2 id="userinfo">Userinfo</h2>
    <p class="quiet">Asked of the provider for this very page.</p>
    ${typeof userinfo === 'string' ? html`<p class="refused">${userinfo}</p>` : claimsTable(userinfo)}
  </section>
  <section class="card" aria-labelledby="tokens">
    <h2 id="tokens">Tokens</h2>
    <p class="quiet">They stay on the server. Your browser holds a cookie, nothing more.</p>
    ${tokensTable(held)}
    <div class="actions">
      ${held.refreshToken && html`<form method="post" action="/refresh"><button>Refresh</button></form>`}
    </div>
  </section>
  <section class="card wide" aria-labelledby="more">
    <h2 id="more">Try more</h2>
    <div class="actions">
      <a class="button" href="/step-up">Confirm that it is you</a>
      ${settings.resource && html`<form method="post" action="/call-api"><button>Call the protected API</button></form>`}
      <form method="post" action="/forget"><button>Sign out here only</button></form>
    </div>
  </section>
</div>
${otherWays()}`,
    name,
  );
}

/** A page of words and a way on: after sign-out, and whenever something went wrong. */
export function message(settings: Settings, { title, text, detail, again }: Message): string {
  return page(
    settings,
    title,
    html`<section class="hero">
  <h1>${title}</h1>
  <p class="lead">${text}</p>
  ${detail && html`<p class="quiet">The provider’s words: <code>${detail}</code></p>`}
  <p class="actions">${again && html`<a class="button primary" href="/sign-in">Sign in</a>`} <a class="button" href="/">To the start page</a></p>
</section>`,
  );
}

export interface Message {
  title: string;
  text: string;
  detail?: string;
  again?: boolean;
}

const displayName = (claims: Record<string, unknown>) =>
  String(claims.name ?? claims.given_name ?? claims.email ?? 'you');

const noticeBox = (notice?: Notice) =>
  notice &&
  html`<div class="notice ${notice.tone}" role="status">
  <p>${notice.text}</p>
  ${notice.detail && html`<pre>${notice.detail}</pre>`}
  ${notice.action && html`<a class="button" href="${notice.action.href}">${notice.action.label}</a>`}
</div>`;

/** What OpenID Connect lets an application ask for. Each field is a parameter of the authorization request. */
const otherWays = () => html`<details class="card">
  <summary>Other ways to ask</summary>
  <form class="ask" action="/sign-in">
    <label>prompt <select name="prompt"><option value="">(none given)</option>${['none', 'login', 'consent', 'select_account', 'create'].map((value) => html`<option>${value}</option>`)}</select></label>
    <label>max_age <input name="max_age" inputmode="numeric" pattern="[0-9]*" placeholder="seconds"></label>
    <label>acr_values <input name="acr_values" autocapitalize="none" spellcheck="false"></label>
    <label>login_hint <input name="login_hint" autocapitalize="none" spellcheck="false" placeholder="name@example.com"></label>
    <label>ui_locales <input name="ui_locales" autocapitalize="none" spellcheck="false" placeholder="de en"></label>
    <button>Go</button>
  </form>
</details>`;

const claimsTable = (claims: Record<string, unknown>) => html`<table>
  <thead><tr><th scope="col">Claim</th><th scope="col">Value</th></tr></thead>
  <tbody>${Object.entries(claims).map(
    ([name, value]) =>
      html`<tr><th scope="row"><code>${name}</code><small>${MEANINGS[name]}</small></th><td>${claimValue(name, value)}</td></tr>`,
  )}</tbody>
</table>`;

const tokensTable = (held: SignedIn) => html`<table>
  <tbody>
    <tr><th scope="row">Access token</th><td><code>${shortened(held.accessToken)}</code></td></tr>
    <tr><th scope="row">Type</th><td>${held.tokenType.toLowerCase() === 'dpop' ? 'DPoP (bound to a key)' : 'Bearer'}</td></tr>
    <tr><th scope="row">Expires</th><td>${held.expiresAt ? moment(held.expiresAt) : 'not told'}</td></tr>
    <tr><th scope="row">Scope</th><td>${held.scope}</td></tr>
    <tr><th scope="row">Refresh token</th><td>${held.refreshToken ? html`<code>${shortened(held.refreshToken)}</code>` : 'none'}</td></tr>
    <tr><th scope="row">Refreshed</th><td data-refreshes>${['not yet', 'once'][held.refreshes] ?? `${held.refreshes} times`}</td></tr>
  </tbody>
</table>`;

/** Enough to see that a token changed, too little to use it. */
const shortened = (token: string) => `${token.slice(0, 6)}… (${token.length} characters)`;

const TIMES = new Set(['iat', 'exp', 'auth_time', 'updated_at']);

function claimValue(name: string, value: unknown) {
  if (TIMES.has(name) && typeof value === 'number') return moment(new Date(value * 1000));
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const moment = (date: Date) =>
  html`<time datetime="${date.toISOString()}">${date.toISOString().slice(0, 19).replace('T', ' ')} UTC</time>`;

const MEANINGS: Record<string, string> = {
  sub: 'you, to this application',
  iss: 'who says so',
  aud: 'whom it is for',
  exp: 'good until',
  iat: 'made at',
  auth_time: 'when you proved who you are',
  acr: 'how strongly',
  amr: 'by which means',
  nonce: 'ties it to our request',
  sid: 'your session at the provider',
  at_hash: 'ties it to the access token',
  s_hash: 'ties it to our state',
  name: 'your name',
  given_name: 'first name',
  family_name: 'last name',
  preferred_username: 'what you like to be called by',
  email: 'your address',
  email_verified: 'is it proved to be yours?',
  locale: 'your language',
  zoneinfo: 'your time zone',
  updated_at: 'last change of your profile',
};
