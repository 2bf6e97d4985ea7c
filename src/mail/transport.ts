import type { LetterName } from './catalogue.ts';

/** A letter as it leaves. */
export interface ComposedLetter {
  /** The same at every try. */
  id: string;
  letter: LetterName;
  locale: string;
  from: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  /** When it was asked for. */
  date: Date;
}

/** The way letters leave. Throwing means "try again"; `Undeliverable` that it makes no sense. */
export interface Transport {
  /** Also called again for a letter of which nobody knows whether it arrived. */
  send(letter: ComposedLetter, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
