// What makes the pages' forms kinder. Nothing here is needed: every page works without it.
(() => {
  // A form is sent once. The pause ends when the page comes back from the history.
  const sent = new WeakSet();
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (event.defaultPrevented || !form.matches('form[data-once]')) return;
    if (sent.has(form)) return event.preventDefault();
    sent.add(form);
    const button = event.submitter ?? form.querySelector('button:not([type=button])');
    button?.setAttribute('aria-disabled', 'true');
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
  });

  for (const button of document.querySelectorAll('[data-reveal]')) {
    const input = document.getElementById(button.dataset.reveal);
    button.hidden = false;
    button.addEventListener('click', () => {
      const show = input.type === 'password';
      input.type = show ? 'text' : 'password';
      button.textContent = show ? button.dataset.hide : button.dataset.show;
      button.setAttribute('aria-pressed', String(show));
      input.focus();
    });
    // Password managers and browsers recognise what they may keep by the type.
    input.form?.addEventListener('submit', () => {
      input.type = 'password';
    });
  }

  // A code copied out of a letter brings spaces and words along.
  for (const input of document.querySelectorAll('[data-code]')) {
    input.addEventListener('paste', (event) => {
      const text = event.clipboardData?.getData('text') ?? '';
      const digits = /\d[\d\s-]{4,}\d/.exec(text)?.[0].replace(/\D/g, '');
      if (!digits) return;
      event.preventDefault();
      input.value = digits;
    });
  }

  for (const picker of document.querySelectorAll('[data-colour]')) {
    const text = picker.parentElement.querySelector('[data-colour-text]');
    picker.hidden = false;
    picker.addEventListener('input', () => {
      text.value = picker.value;
    });
    text.addEventListener('input', () => {
      if (/^#[0-9a-f]{6}$/i.test(text.value)) picker.value = text.value;
    });
  }

  for (const source of document.querySelectorAll('[data-copy]')) {
    if (!navigator.clipboard) break;
    const [copy, copied] = source.dataset.copyWords.split('|');
    const button = Object.assign(document.createElement('button'), {
      type: 'button',
      className: 'copy',
      textContent: copy,
    });
    button.setAttribute('aria-live', 'polite');
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = copied;
      setTimeout(() => {
        button.textContent = copy;
      }, 2000);
    });
    source.after(button);
  }

  document.querySelector('[data-focus]')?.focus();
})();
