/** Where the links of letters lead. `resume` is whatever the door wants back: the sign-in that was interrupted. */
export interface Links {
  verify(token: string, resume?: string): string;
  reset(token: string, resume?: string): string;
  invitation(token: string): string;
  signIn(): string;
  register(): string;
  forgot(): string;
  notMe(token: string): string;
  changeEmail(token: string): string;
  undoEmail(token: string): string;
  recovery(token: string): string;
}

/** The pages of the door `account`; a letter knows them by their addresses alone. */
export function linksOf(issuer: string): Links {
  const to = (path: string, query: Record<string, string | undefined> = {}) => {
    const url = new URL(`${issuer.replace(/\/$/, '')}${path}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    return url.href;
  };
  return {
    verify: (token, resume) => to('/account/verify', { token, resume }),
    reset: (token, resume) => to('/account/reset', { token, resume }),
    invitation: (token) => to('/account/reset', { token }),
    signIn: () => to('/'),
    register: () => to('/'),
    forgot: () => to('/account/forgot'),
    notMe: (token) => to('/account/not-me', { token }),
    changeEmail: (token) => to('/account/email/confirm', { token }),
    recovery: (token) => to('/account/recovery', { token }),
    undoEmail: (token) => to('/account/email/undo', { token }),
  };
}
