/**
 * What may be remembered, and until when. Whoever stops something (or changes what others remember of it) says so here, in
 * the same breath; whoever answers from memory asks first what was stopped. Names are strings: it knows nothing of
 * identity. docs/decisions/0016 has the reasons.
 */
export { createStops, type Stops } from './stops.ts';
