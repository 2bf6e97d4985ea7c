import { at, type ClientShown, type Common, type Shown, shown } from './frame.ts';

/** Where it does not go on. */

/** Too many tries. @param input.retryAfter seconds */
export function limitedPage(
  input: Common & { retryAfter: number; forgot?: boolean },
): Shown & { minutes: number; forgot?: string; back: string } {
  const { form: _, ...page } = shown('limited', input, []);
  return {
    ...page,
    minutes: Math.max(1, Math.ceil(input.retryAfter / 60)),
    back: at(input.uid, '/identifier'),
    ...(input.forgot === false ? {} : { forgot: at(input.uid, '/forgot') }),
  };
}

/** The interaction has ended, elsewhere or by time: there is nothing to go on with here. @param input.back where the application can be started again */
export function donePage(input: {
  client?: ClientShown | undefined;
  back?: string | undefined;
}): Shown & { back?: string | undefined } {
  return { page: 'signin/done', title: 'signin.done.title', client: input.client, back: input.back };
}
