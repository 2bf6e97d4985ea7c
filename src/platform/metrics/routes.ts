/** What a path is called that fits no template: a stranger's guesses become one series. */
const unknown = 'other';

/**
 * Finds the route of a path among templates as `/signin/:uid/:step`; a `:name` stands for one part. A path itself is never
 * a label: it holds ids, and there is no end of them.
 */
export function createRouteOf(templates: Iterable<string>): (path: string) => string {
  const fixed = new Set<string>();
  const open: { template: string; parts: string[] }[] = [];
  for (const template of new Set(templates)) {
    if (template.includes(':')) open.push({ template, parts: template.split('/') });
    else fixed.add(template);
  }
  // `/signin/:uid/cancel` is asked before `/signin/:uid/:step`.
  const holes = ({ parts }: { parts: string[] }) => parts.filter((part) => part.startsWith(':')).length;
  open.sort((a, b) => holes(a) - holes(b));
  const fits = (parts: string[], path: string[]) =>
    parts.length === path.length && parts.every((part, at) => part === path[at] || (part.startsWith(':') && path[at]));

  return (path) => {
    if (fixed.has(path)) return path;
    const given = path.split('/', 8);
    return open.find(({ parts }) => fits(parts, given))?.template ?? unknown;
  };
}
