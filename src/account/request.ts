/** The first value of a parameter, bounded. */
export const textOf = (value: string | string[] | undefined): string => ([value].flat()[0] ?? '').slice(0, 1024).trim();

/**
 * Back to the sign-in that was interrupted. Only an id is taken, never a URL, so that no link of ours leads elsewhere;
 * in another browser it leads to the page that says where to go on.
 */
export const resumePath = (uid: string | undefined): string | undefined =>
  uid && /^[\w-]{10,64}$/.test(uid) ? `/signin/${uid}` : undefined;
