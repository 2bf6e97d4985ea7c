import type { ConsumerOptions, Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, randomToken, secondsAfter } from '../../platform/index.ts';
import type { Objects } from '../../platform/objects/index.ts';
import type { User } from '../user.ts';
import type { By, Users } from '../users.ts';
import { convertPicture } from './convert.ts';

/** The pictures people show of themselves. The claim `picture` names one by an address nobody can guess. */
export interface Pictures {
  /**
   * Draws the picture anew, keeps it, and names it in the person's claims; the one before goes.
   * @param bytes as uploaded
   * @throws Refusal `picture.kind_refused`, `picture.animated`, `picture.too_many_pixels`, `picture.broken` (invalid),
   *   `picture.busy`, `store.unavailable` (unavailable), `user.unknown` (missing)
   */
  set(userId: string, bytes: Uint8Array, by: By): Promise<User>;
  /** Also takes away an address of elsewhere. */
  remove(userId: string, by: By): Promise<User>;
  /** The bytes of a picture somebody has now, and who is not deleted; image/webp. */
  find(name: string): Promise<Uint8Array | undefined>;
  /** To be run by the relay under {@link pictureTopic}: drops the bytes of what nobody has any more. */
  readonly consumer: ConsumerOptions;
}

export const pictureTopic = 'picture.unneeded';

/** How long a picture that was put into the store may wait for its transaction. */
const grace = 60 * 60;
const shape = /^[\w-]{43}\.webp$/;
const objectOf = (name: string): string => `pictures/${name.slice(0, 2).replace('-', '_')}/${name}`;

export function createPictures(deps: {
  db: Db;
  clock: Clock;
  objects: Objects;
  events: Pick<Events, 'enqueue'>;
  users: Pick<Users, 'update'>;
  issuer: string;
}): Pictures {
  const { db, clock, objects, events, users, issuer } = deps;

  /** Takes the row away; the bytes follow once that is committed. */
  const drop = async (userId: string): Promise<void> => {
    const rows = await db.query<{ name: string }>('delete from picture where account_id = $1 returning name', [userId]);
    for (const { name } of rows) await events.enqueue(pictureTopic, { name });
  };

  const name = async (userId: string, picture: string | undefined, by: By): Promise<User> =>
    users.update(userId, by, (user) => {
      const { picture: _, ...profile } = user.profile;
      user.profile = picture === undefined ? profile : { ...profile, picture };
    });

  return {
    async set(userId, bytes, by) {
      const drawn = await convertPicture(bytes);
      // A new name each time: an address shows the same picture for as long as it shows one, so it may be cached.
      const fresh = `${randomToken()}.webp`;
      // Whatever becomes of us now, somebody will look whether it is needed.
      await events.enqueue(pictureTopic, { name: fresh }, { notBefore: secondsAfter(clock.now(), grace) });
      await objects.put(objectOf(fresh), drawn, 'image/webp');
      return db.transact(async () => {
        // First the lock on the person: of two uploads at once one comes after the other.
        const user = await name(userId, `${issuer}/pictures/${fresh}`, by);
        await drop(userId);
        await db.query('insert into picture (name, account_id, created_at) values ($1, $2, $3)', [
          fresh,
          userId,
          clock.now(),
        ]);
        return user;
      });
    },

    remove: (userId, by) =>
      db.transact(async () => {
        const user = await name(userId, undefined, by);
        await drop(userId);
        return user;
      }),

    async find(wanted) {
      if (!shape.test(wanted)) return undefined;
      const rows = await db.query(
        `select 1 from picture p join user_account u on u.id = p.account_id where p.name = $1 and u.state <> 'Deleted'`,
        [wanted],
      );
      return rows.length === 1 ? objects.get(objectOf(wanted)) : undefined;
    },

    consumer: {
      timeoutSeconds: 30,
      async consume({ name: unneeded }: { name: string }) {
        const rows = await db.query('select 1 from picture where name = $1', [unneeded]);
        if (rows.length === 0) await objects.remove(objectOf(unneeded));
      },
    },
  };
}
