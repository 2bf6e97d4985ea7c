const cut = '[cut]';

/**
 * A text without what could name somebody or open something: addresses of mail and of machines, queries, long random
 * words, and what stands in quotes, where errors quote what they were given. Ids of rows go as well.
 */
export const scrub = (text: string): string =>
  text
    .replace(/[^\s"'<>@]+@[^\s"'<>@]+\.[^\s"'<>@]+/g, cut)
    .replace(/\?[^\s"'<>]*=[^\s"'<>]*/g, `?${cut}`)
    .replace(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, cut)
    .replace(/\b(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}\b/gi, cut)
    .replace(/[\w-]+\.[\w-]+\.[\w-]{16,}/g, cut)
    .replace(/(?<![/\w.-])(?=[\w-]*\d)[\w-]{20,}/g, cut)
    .replace(/"[^"]*"/g, `"${cut}"`)
    .slice(0, 2_000);
