/** Whether the text can be a user name: neither empty nor endless, nothing invisible, no spaces around it. */
export const isUserName = (text: string): boolean =>
  text.trim() === text && text.length > 0 && text.length <= 254 && !/[\p{Cc}\p{Cf}\p{DI}]/u.test(text);

/** The form under which a user name is unique: SCIM's `userName` knows no case (RFC 7643, section 4.1.1). */
export const userNameKey = (userName: string): string =>
  userName.trim().normalize('NFKC').toLowerCase().normalize('NFKC');
