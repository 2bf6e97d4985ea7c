interface Cookie {
  name: string;
  value: string;
  host: string;
  path: string;
  expires: number;
  secure: boolean;
}

/** Cookies as a browser keeps them: by host (ports share them), path and expiry. */
export function createCookies() {
  let kept: Cookie[] = [];

  function take(url: URL, headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const at = pair.indexOf('=');
      const attribute = (name: string) =>
        attributes.find((text) => text.toLowerCase().split('=')[0] === name)?.slice(name.length + 1);
      const maxAge = attribute('max-age');
      const expires = attribute('expires');
      const path = attribute('path');
      const cookie: Cookie = {
        name: pair.slice(0, at),
        value: pair.slice(at + 1),
        host: url.hostname,
        path: path?.startsWith('/') ? path : url.pathname.replace(/\/[^/]*$/, '') || '/',
        expires: maxAge ? Date.now() + Number(maxAge) * 1000 : expires ? Date.parse(expires) : Infinity,
        secure: attribute('secure') !== undefined,
      };
      kept = kept.filter(
        ({ name, host, path: at }) => name !== cookie.name || host !== cookie.host || at !== cookie.path,
      );
      if (cookie.expires > Date.now()) kept.push(cookie);
    }
  }

  const suits = (url: URL) => (cookie: Cookie) =>
    cookie.host === url.hostname &&
    (url.pathname === cookie.path || url.pathname.startsWith(cookie.path.replace(/\/?$/, '/'))) &&
    cookie.expires > Date.now() &&
    (!cookie.secure || url.protocol === 'https:' || url.hostname === 'localhost');

  return {
    take,
    header: (url: URL) =>
      kept
        .filter(suits(url))
        .sort((a, b) => b.path.length - a.path.length)
        .map(({ name, value }) => `${name}=${value}`)
        .join('; '),
    all: () => structuredClone(kept),
    set: (cookie: { name: string; value: string; host?: string; path?: string }) => {
      kept.push({ host: 'localhost', path: '/', expires: Infinity, secure: false, ...cookie });
    },
    /** As closing the browser does: what has no expiry is gone. */
    closeBrowser: () => {
      kept = kept.filter(({ expires }) => expires !== Infinity);
    },
    clear: () => {
      kept = [];
    },
  };
}

export type Cookies = ReturnType<typeof createCookies>;
