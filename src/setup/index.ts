/**
 * The first minutes of an installation: a one-time link, shown where only the operator looks, leads through a wizard
 * that names the organisation, makes the first administrator and registers the first application.
 */
export { type CurrentBranding, currentBranding } from './branding.ts';
export { createSetup } from './setup.ts';
