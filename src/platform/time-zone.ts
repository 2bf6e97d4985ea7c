/** Every zone the runtime knows: its name → how it is shown. UTC is none of them to Intl. */
export const timeZones: Record<string, string> = Object.fromEntries(
  ['UTC', ...Intl.supportedValuesOf('timeZone')].map((zone) => [zone, zone.replaceAll('_', ' ')]),
);

/** Whether it is a name of the IANA time zone database, as OpenID Connect's `zoneinfo`. */
export function isTimeZone(name: string): boolean {
  // Offsets such as +01:00 are taken by Intl as well, but are no zone: they know no summer.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}
