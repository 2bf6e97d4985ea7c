import { encode } from 'uqr';

/** A QR code as a page draws it: an inline SVG with one path, so that no policy needs to allow an image. */
export interface QrCode {
  /** Modules along one side, the quiet zone included: the SVG's viewBox is `0 0 size size`. */
  size: number;
  path: string;
}

export function qrCode(text: string): QrCode {
  const { size, data } = encode(text, { ecc: 'M', border: 4 });
  let path = '';
  for (const [y, row] of data.entries()) {
    for (let x = 0; x < size; x++) {
      let width = 0;
      while (row[x + width]) width++;
      if (width > 0) path += `M${x} ${y}h${width}v1h-${width}z`;
      x += width;
    }
  }
  return { size, path };
}

/** A secret as people copy it by hand: four letters at a time. */
export const inGroups = (secret: string): string => secret.replace(/(.{4})(?=.)/g, '$1 ');
