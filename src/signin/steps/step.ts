import type { Interaction } from '../interaction.ts';

/** A question of the sign-in: `ask` shows it, `answer` takes what was posted, proves it, and lets the flow decide. */
export interface StepHandler {
  ask(interaction: Interaction): Promise<void>;
  answer(interaction: Interaction): Promise<void>;
}

/** Longest text of a field that is looked at. */
export const most = 1024;

export const typed = (text: string | undefined): string => (text ?? '').slice(0, most).trim();
