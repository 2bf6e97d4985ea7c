// Solves ALTCHA's proof of work (altcha-lib 2, PBKDF2 and SHA) with the browser's own cryptography. The same file is
// the page's part and, loaded as a worker, the part that works. Nobody has to solve or read anything.
(() => {
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');

  async function derive(parameters, salt, password) {
    const { algorithm, cost, keyLength = 32 } = parameters;
    const [, derivation, hash] = /^(?:(PBKDF2)\/)?(SHA-(?:256|384|512))$/.exec(algorithm) ?? [];
    if (!hash) throw new Error(`unknown algorithm ${algorithm}`);
    if (derivation) {
      const key = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
      return crypto.subtle.deriveBits({ name: 'PBKDF2', hash, salt, iterations: cost }, key, keyLength * 8);
    }
    let data = new Uint8Array([...salt, ...password]);
    for (let round = 0; round < Math.max(1, cost); round++) data = await crypto.subtle.digest(hash, data);
    return data.slice(0, keyLength);
  }

  async function solve(challenge, start, step) {
    const { parameters } = challenge;
    const salt = bytes(parameters.salt);
    const nonce = bytes(parameters.nonce);
    const password = new Uint8Array(nonce.length + 4);
    password.set(nonce);
    const view = new DataView(password.buffer);
    const prefix = parameters.keyPrefix.toLowerCase();
    const began = performance.now();
    for (let counter = start; counter <= 0xffffffff; counter += step) {
      view.setUint32(nonce.length, counter);
      const derivedKey = hex(await derive(parameters, salt, password));
      if (derivedKey.startsWith(prefix)) return { counter, derivedKey, time: performance.now() - began };
    }
  }

  if (typeof document === 'undefined') {
    self.onmessage = async ({ data: { challenge, start, step } }) => {
      try {
        postMessage({ solution: await solve(challenge, start, step) });
      } catch (error) {
        postMessage({ fault: String(error) });
      }
    };
    return;
  }

  /** As many workers as help without making a phone hot; the first that finds the number ends the others. */
  function shared(challenge, url) {
    const count = Math.min(4, Math.max(1, (navigator.hardwareConcurrency ?? 2) - 1));
    const workers = [];
    return new Promise((resolve, reject) => {
      for (let start = 0; start < count; start++) {
        const worker = new Worker(url);
        workers.push(worker);
        worker.onmessage = ({ data }) => (data.solution ? resolve(data.solution) : reject(new Error(data.fault)));
        worker.onerror = () => reject(new Error('the worker does not run'));
        worker.postMessage({ challenge, start, step: count });
      }
    }).finally(() => {
      for (const worker of workers) worker.terminate();
    });
  }

  for (const box of document.querySelectorAll('[data-pow]')) {
    const field = box.querySelector('[name=altcha]');
    const status = box.querySelector('[data-pow-status]');
    const say = (state) => {
      box.dataset.state = state;
      status.textContent = box.dataset[state];
    };
    let waiting;
    const finished = (async () => {
      say('working');
      const challenge = JSON.parse(box.dataset.pow);
      const solution = await shared(challenge, box.dataset.powWorker).catch(() => solve(challenge, 0, 1));
      field.value = btoa(JSON.stringify({ challenge, solution }));
      say('done');
    })().catch(() => say('failed'));

    // Sent before the sum is done: the form waits for it, then goes by itself with the button that was pressed.
    field.form.addEventListener('submit', async (event) => {
      if (field.value || box.dataset.state === 'failed') return;
      event.preventDefault();
      if (waiting) return;
      waiting = true;
      const button = event.submitter;
      button?.setAttribute('aria-disabled', 'true');
      await finished;
      field.form.requestSubmit(button);
    });
  }
})();
