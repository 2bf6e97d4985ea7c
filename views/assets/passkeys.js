// Passkeys, where the browser knows them: autofill and a button to sign in, an offer and a button to make one, and the
// signals that keep a password manager's list true (WebAuthn Level 3, sections 5.1 to 5.1.10). Without it the pages
// work as they do without passkeys: what needs it is hidden until it runs.
(() => {
  const { PublicKeyCredential, navigator } = window;
  if (!PublicKeyCredential || !navigator.credentials) return;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, '-')
      .replace(/\//g, '_')
      .replace(/=+$/, '');
  const named = (list = []) => list.map((credential) => ({ ...credential, id: bytes(credential.id) }));
  const can = async (question) => {
    try {
      return Boolean(await PublicKeyCredential[question]?.());
    } catch {
      return false;
    }
  };

  /** The server's question; each answers it once, and not for long. */
  async function ask(form, more = {}) {
    const body = new URLSearchParams({ csrf: form.elements.csrf.value, ...more });
    const response = await fetch(form.dataset.options, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body,
    });
    // Somebody has to sign in again first: the page, loaded anew, leads there.
    if (response.status === 401) location.reload();
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    const options = await response.json();
    return {
      ...options,
      challenge: bytes(options.challenge),
      ...(options.user && { user: { ...options.user, id: bytes(options.user.id) } }),
      ...(options.allowCredentials && { allowCredentials: named(options.allowCredentials) }),
      ...(options.excludeCredentials && { excludeCredentials: named(options.excludeCredentials) }),
    };
  }

  /** Not `toJSON`: some password managers answer with objects of their own that lack it. */
  function answerOf({ id, rawId, type, response }) {
    const parts = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) {
      parts.attestationObject = text(response.attestationObject);
      parts.transports = response.getTransports?.() ?? [];
    } else {
      parts.authenticatorData = text(response.authenticatorData);
      parts.signature = text(response.signature);
      if (response.userHandle) parts.userHandle = text(response.userHandle);
    }
    return JSON.stringify({ id, rawId: text(rawId), type, response: parts });
  }

  function send(form, credential) {
    form.elements.credential.value = answerOf(credential);
    const remember = document.querySelector('[name=remember]:not([data-passkey-remember])');
    const kept = form.querySelector('[data-passkey-remember]');
    if (kept) kept.value = remember && (remember.type !== 'checkbox' || remember.checked) ? 'yes' : '';
    form.requestSubmit();
  }

  function tell(form, error) {
    const problem = form.querySelector('[data-passkey-problem]');
    problem.textContent = error.name === 'InvalidStateError' ? problem.dataset.known : problem.dataset.words;
    problem.hidden = false;
  }

  /** One question at a time: the browser refuses a second one, so the first is withdrawn. */
  let open = new AbortController();
  const only = () => {
    open.abort();
    open = new AbortController();
    return open.signal;
  };

  /** Waits, unseen, for the person to pick a passkey among the suggestions of the field. */
  async function autofill(form) {
    if (!(await can('isConditionalMediationAvailable'))) return;
    // A challenge is good for five minutes: whoever leaves the page open gets another one in time.
    const again = setTimeout(() => autofill(form), 4 * 60_000);
    const signal = only();
    signal.addEventListener('abort', () => clearTimeout(again));
    try {
      const publicKey = await ask(form);
      if (signal.aborted) return;
      send(form, await navigator.credentials.get({ publicKey, mediation: 'conditional', signal }));
    } catch {
      // Withdrawn, or nothing there: nobody asked for anything, so nobody is told.
    }
  }

  async function press(form) {
    const { passkey: kind } = form.dataset;
    form.querySelector('[data-passkey-problem]').hidden = true;
    const signal = only();
    try {
      const publicKey = await ask(form);
      send(form, await navigator.credentials[kind]({ publicKey, signal }));
    } catch (error) {
      if (signal.aborted) return;
      tell(form, error);
      if (form.dataset.autofill !== undefined) autofill(form);
    }
  }

  /** Right after a password was typed: the password manager may add a passkey without a question. */
  async function makeQuietly(form) {
    const capabilities = await PublicKeyCredential.getClientCapabilities?.().catch(() => undefined);
    if (!capabilities?.conditionalCreate) return;
    const signal = only();
    try {
      const publicKey = await ask(form, { conditional: 'yes' });
      const credential = await navigator.credentials.create({ publicKey, mediation: 'conditional', signal });
      if (!signal.aborted) send(form, credential);
    } catch {
      // It would rather not: then the page's own offer stands.
    }
  }

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    form.hidden = false;
    form.querySelector('[data-passkey-button]').addEventListener('click', () => press(form));
    if (form.dataset.autofill !== undefined) autofill(form);
    if (form.dataset.quietly !== undefined) makeQuietly(form);
  }

  // Tells the server whether an offer would make sense here.
  for (const input of document.querySelectorAll('[data-passkey-able]')) {
    can('isUserVerifyingPlatformAuthenticatorAvailable').then((able) => {
      if (able) input.value = 'yes';
    });
  }

  // A device that can make one need not be given a password.
  for (const part of document.querySelectorAll('[data-passkey-first]')) {
    can('isUserVerifyingPlatformAuthenticatorAvailable').then((able) => {
      part.hidden = !able;
    });
  }

  for (const { dataset } of document.querySelectorAll('[data-passkey-signals]')) {
    for (const [signal, facts] of Object.entries(JSON.parse(dataset.passkeySignals))) {
      PublicKeyCredential[signal]?.(facts).catch(() => {});
    }
  }
})();
