/**
 * Reads the HTML of our own pages as far as a browser without JavaScript needs it: forms with what is filled in,
 * links, and the text a person would read. Not a parser for any HTML.
 */
export interface Field {
  name: string;
  value: string;
  type: string;
  checked: boolean;
  /** Of a `select`: what may be chosen. */
  options?: string[];
}

export interface Form {
  action: string;
  method: string;
  id: string;
  fields: Field[];
  /** Buttons that submit; the first is the one that the Enter key presses. */
  buttons: { name: string; value: string; text: string; action?: string }[];
}

export interface Document {
  title: string;
  /** What stands in `main`, tags taken out. */
  text: string;
  lang: string;
  dir: string;
  forms: Form[];
  links: { href: string; text: string }[];
  /** `<meta http-equiv=refresh>`: where to, if anywhere. */
  refresh?: string;
}

type Attributes = Record<string, string>;
interface Tag {
  name: string;
  closing: boolean;
  attributes: Attributes;
  start: number;
  end: number;
}

const TAG = /<!--[\s\S]*?-->|<(\/?)([a-zA-Z][\w-]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>/g;
const ATTRIBUTE = /([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>`]+)))?/g;

export function readHtml(html: string): Document {
  const clean = html.replace(/<(script|style)\b[\s\S]*?<\/\1>/gi, '');
  const tags = [...readTags(clean)];
  const page: Document = { title: '', text: '', lang: '', dir: '', forms: [], links: [] };
  // A form's fields may stand outside it and name it (`form="id"`).
  const form: (attributes: Attributes) => Form | undefined = (attributes) =>
    attributes.form === undefined ? open : page.forms.find(({ id }) => id === attributes.form);
  let open: Form | undefined;
  let select: Field | undefined;

  tags.forEach(({ name, closing, attributes, end }, index) => {
    const inner = () => decode(strip(clean.slice(end, closeOf(tags, index)?.start)));
    if (closing) {
      if (name === 'form') open = undefined;
      if (name === 'select') select = undefined;
      return;
    }
    if (name === 'html') Object.assign(page, { lang: attributes.lang ?? '', dir: attributes.dir ?? '' });
    if (name === 'title' && page.title === '') page.title = inner();
    if (name === 'main') page.text = inner();
    if (name === 'a' && attributes.href !== undefined) page.links.push({ href: attributes.href, text: inner() });
    if (name === 'meta' && attributes['http-equiv']?.toLowerCase() === 'refresh') {
      page.refresh = attributes.content?.match(/url=(.*)$/i)?.[1];
    }
    if (name === 'form') {
      open = {
        action: attributes.action ?? '',
        method: (attributes.method ?? 'get').toUpperCase(),
        id: attributes.id ?? '',
        fields: [],
        buttons: [],
      };
      page.forms.push(open);
    }
    if (attributes.disabled !== undefined) return;
    if (name === 'button' && (attributes.type ?? 'submit') === 'submit') {
      form(attributes)?.buttons.push({
        name: attributes.name ?? '',
        value: attributes.value ?? '',
        text: inner(),
        ...(attributes.formaction !== undefined && { action: attributes.formaction }),
      });
    }
    if (name === 'input' && attributes.name) {
      const type = attributes.type ?? 'text';
      const tick = type === 'checkbox' || type === 'radio';
      form(attributes)?.fields.push({
        name: attributes.name,
        value: attributes.value ?? (tick ? 'on' : ''),
        type,
        checked: attributes.checked !== undefined,
      });
    }
    if (name === 'textarea' && attributes.name) {
      form(attributes)?.fields.push({ name: attributes.name, value: inner(), type: name, checked: false });
    }
    if (name === 'select' && attributes.name) {
      select = { name: attributes.name, value: '', type: name, checked: false, options: [] };
      form(attributes)?.fields.push(select);
    }
    if (name === 'option' && select) {
      const value = attributes.value ?? inner();
      if (select.options!.length === 0 || attributes.selected !== undefined) select.value = value;
      select.options!.push(value);
    }
  });
  if (page.text === '') page.text = decode(strip(clean));
  return page;
}

function* readTags(html: string): Generator<Tag> {
  for (const match of html.matchAll(TAG)) {
    const [whole, slash, name, rest] = match;
    if (name === undefined) continue;
    const attributes: Attributes = {};
    for (const [, key, a, b, c] of rest!.matchAll(ATTRIBUTE))
      attributes[key!.toLowerCase()] ??= decode(a ?? b ?? c ?? '');
    yield {
      name: name.toLowerCase(),
      closing: slash === '/',
      attributes,
      start: match.index,
      end: match.index + whole.length,
    };
  }
}

function closeOf(tags: Tag[], index: number): Tag | undefined {
  let depth = 1;
  for (const tag of tags.slice(index + 1)) {
    if (tag.name !== tags[index]!.name) continue;
    depth += tag.closing ? -1 : 1;
    if (depth === 0) return tag;
  }
  return undefined;
}

const strip = (html: string) => html.replace(/<wbr>/g, '').replace(TAG, ' ').replace(/\s+/g, ' ').trim();

const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

const decode = (text: string) =>
  text.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) =>
    hex || decimal ? String.fromCodePoint(Number.parseInt(hex ?? decimal, hex ? 16 : 10)) : (NAMED[name] ?? whole),
  );
