/** Intl's formatters, kept: making one takes a hundred times as long as saying something with it. */

type Maker<Options, Format> = new (language: string, options?: Options) => Format;

/** More than languages and time zones that are in use at one time. */
const most = 500;

function kept<Options, Format>(Maker: Maker<Options, Format>): (language: string, options?: Options) => Format {
  const formats = new Map<string, Format>();
  return (language, options) => {
    const key = `${language} ${JSON.stringify(options)}`;
    let format = formats.get(key);
    if (!format) {
      if (formats.size >= most) formats.clear();
      format = new Maker(language, options);
      formats.set(key, format);
    }
    return format;
  };
}

export const numberFormat = kept<Intl.NumberFormatOptions, Intl.NumberFormat>(Intl.NumberFormat);
export const dateFormat = kept<Intl.DateTimeFormatOptions, Intl.DateTimeFormat>(Intl.DateTimeFormat);
export const pluralRules = kept<Intl.PluralRulesOptions, Intl.PluralRules>(Intl.PluralRules);

const names = new Map<string, string>();

/** What a language of ours calls itself, as it begins a line. */
export function languageName(code: string): string {
  let name = names.get(code);
  if (!name) {
    const spoken = new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code;
    name = spoken.charAt(0).toLocaleUpperCase(code) + spoken.slice(1);
    names.set(code, name);
  }
  return name;
}
