import { randomBytes } from 'node:crypto';
import type { Cardea } from './cardea.ts';
import type { View, Walker } from './walker.ts';

/** Long enough for any policy, and in nobody's list. */
export const PASSWORD = 'seven quiet otters read maps';
export const OTHER_PASSWORD = 'a bridge of blue paper 1742';

/** An address nobody had before. */
export const freshAddress = (name = 'ada') => `${name}.${randomBytes(4).toString('hex')}@example.com`;

const stepOf = ({ url }: View) => url.pathname.split('/').at(-1);

/** From the identifier page until the application is reached, whatever stands between; stops where none of it fits. */
export async function signIn(
  walker: Walker,
  { email, password, remember }: { email: string; password: string; remember?: boolean },
): Promise<View> {
  const ticked = remember === undefined ? {} : { remember };
  await walker.submit({ identifier: email, ...ticked });
  return agree(walker, await walker.submit({ password }));
}

/** Says yes when asked for consent. */
export async function agree(walker: Walker, view: View): Promise<View> {
  return stepOf(view) === 'consent' ? walker.submit({}, { button: 'allow' }) : view;
}

/** Registers at the page that asks for it, and stops where the code from the letter is wanted. */
export async function register(
  walker: Walker,
  { email, password, ...profile }: { email: string; password: string; [field: string]: string },
): Promise<View> {
  const view = await walker.see();
  const terms = view.html.includes('name="terms"') ? { terms: true } : {};
  const next = await walker.submit({ ...profile, email, password, ...terms });
  if (stepOf(next) !== 'verify') throw new Error(`not registered: ${next.status} ${next.url}: ${next.text}`);
  return next;
}

/** From the application's start page to the application's start page, as a new person. */
export async function registerAndVerify(
  cardea: Cardea,
  walker: Walker,
  person: { email: string; password: string; [field: string]: string },
): Promise<View> {
  await walker.open(cardea.demo);
  await walker.click('Create an account');
  await register(walker, person);
  const { code } = await cardea.mailbox.next(person.email, 'verify-address');
  return agree(walker, await walker.submit({ code }));
}

/** Out of the application and out of Cardea. */
export async function signOut(cardea: Cardea, walker: Walker): Promise<View> {
  await walker.open(cardea.demo);
  const asked = await walker.submit({}, { form: 'sign-out' });
  return asked.url.pathname === '/signed-out' ? asked : walker.submit({}, { button: 'yes' });
}
