/**
 * Does several things at one time, and is not over before each of them is: where one fails, nothing goes on behind the back
 * of whoever hears of it and makes up for it. @throws what the first of them did that failed, in their order
 */
export async function allOf<Works extends readonly unknown[]>(
  works: readonly [...Works],
): Promise<{ -readonly [At in keyof Works]: Awaited<Works[At]> }> {
  await Promise.allSettled(works);
  return Promise.all(works) as never;
}
