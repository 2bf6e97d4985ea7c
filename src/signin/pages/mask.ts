/** ada.lovelace@example.com → a•••e@example.com: enough to recognise one's own, too little to learn another's. */
export function maskAddress(address: string): string {
  const split = address.lastIndexOf('@');
  if (split < 1) return '•••';
  const name = [...address.slice(0, split)];
  const last = name.length > 3 ? name.at(-1) : '';
  return `${name[0]}•••${last}${address.slice(split)}`;
}

/** +442079460018 → ••• 18: the owner knows which, nobody else does. */
export const maskNumber = (number: string): string => `••• ${number.slice(-2)}`;
