import type { Pool } from 'pg';

// People by the million, made where they are kept: names as they are spread in life, few that many have and many that few have.

const given = `Anna Maria Elena Sophie Laura Julia Emma Mia Lena Sarah Lisa Hannah Marie Eva Clara Ida Nora Zoë Chloé Inês
  Ada Grace Barbara Frances Katherine Margaret Radia Hedy Joan Adele Peter Thomas Michael Andreas Stefan Martin Daniel David
  Lukas Felix Jonas Paul Max Leon Noah Elias Ben Finn Luis Oskar Emil Anton Jakob Moritz Karl Otto Hugo Theo Åke Søren Jürgen
  Björn Łukasz José João François René Zoltán Dvořák Mehmet Yusuf Omar Ali Hassan Fatima Aisha Leila Ravi Priya Anjali Arjun
  Wei Li Jun Yuki Hiro Kenji Sakura Ivan Olga Dmitri Natalia Sergei Tatiana Kwame Amara Chidi Ngozi Santiago Valentina`;
const family = `Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf Schröder
  Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Werner Krause Lehmann Köhler Maier Kaiser Fuchs Peters Lang
  Scholz Möller Weiß Jung Hahn Vogel Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz Baumann Franke Albrecht
  Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Lovelace Hopper Hamilton Perlman Liskov Clarke
  Nguyen Kim Park Tanaka Suzuki Yamamoto Kowalski Nowak Horváth Nagy Popescu Ivanov Petrov Andersson Nilsson Hansen Larsen
  Virtanen Rossi Ferrari Bianchi Silva Santos Ferreira Dubois Moreau Laurent Öztürk Yılmaz Demir Haddad Okafor Mensah Singh`;
const domains =
  'example.com example.org example.net mail.example post.example firma.example school.example city.example';
const syllables = 'ba ke lo mi nu ra si to vu wa ze di fa gu ho je ky la mo ne pi qua ro sa te';

const list = (words: string) => words.split(/\s+/);

/**
 * @param people how many are made, in steps that each are one statement
 * @returns seconds it took
 */
export async function makePeople(pool: Pool, people: number, told: (made: number) => void): Promise<number> {
  const started = performance.now();
  const client = await pool.connect();
  try {
    await client.query(`set synchronous_commit = off; set work_mem = '64MB'; set maintenance_work_mem = '512MB'`);
    // A bitmap of trigrams is made far quicker at the end than kept along the way.
    const search = (await client.query(`select indexdef from pg_indexes where indexname = 'user_account_search'`))
      .rows[0].indexdef;
    await client.query('drop index user_account_search');
    const step = 50_000;
    for (let made = 0; made < people; made += step) {
      await client.query({
        text: insertion,
        values: [made, Math.min(step, people - made), list(given), list(family), list(domains), list(syllables)],
        query_timeout: 600_000,
      } as never);
      told(made + step);
    }
    await client.query({ text: search, query_timeout: 900_000 } as never);
    await client.query({ text: groups, query_timeout: 900_000 } as never);
    await client.query({ text: 'vacuum analyze', query_timeout: 900_000 } as never);
  } finally {
    client.release(true);
  }
  return (performance.now() - started) / 1000;
}

// Squared, so that the first of a list are met more often. Every seventh family name is one of thousands that few have.
const insertion = `
  insert into user_account (id, state, state_changed_at, email, email_key, email_verified_at, name, given_name,
    family_name, locale, profile, user_name, user_name_key, attributes, last_sign_in_at, created_at, updated_at)
  select
    (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0')
      || '8' || substr(md5(n::text), 1, 15))::uuid,
    case when n % 100 < 90 then 'Active' when n % 100 < 94 then 'Unverified' when n % 100 < 97 then 'Suspended'
      when n % 100 < 98 then 'Deactivated' when n % 100 < 99 then 'Created' else 'Deleted' end,
    at, email, email, case when n % 100 < 90 then at end, g || ' ' || f, g, f,
    case when n % 3 = 0 then 'de' when n % 3 = 1 then 'en' end,
    case when n % 4 = 0 then jsonb_build_object('phone_number', '+4930' || (1000000 + n)) else '{}' end,
    case when n % 2 = 0 then 'u' || n end, case when n % 2 = 0 then 'u' || n end,
    jsonb_build_object('cost_centre', 'CC' || (n % 5000)),
    case when n % 10 < 8 then at + random() * (timestamptz '2026-11-21' - at) end, at, at
  from (
    select n, g, f, at, search_key(g || '.' || f) || n || '@' || ($5::text[])[1 + n % 8] as email from (
      select n, ($3::text[])[1 + floor(power(random(), 2) * cardinality($3::text[]))::int] as g,
        case when n % 7 = 0
          then initcap(($6::text[])[1 + floor(random() * 24)::int] || ($6::text[])[1 + floor(random() * 24)::int]
            || ($6::text[])[1 + floor(random() * 24)::int] || 'son')
          else ($4::text[])[1 + floor(power(random(), 2) * cardinality($4::text[]))::int] end as f,
        timestamptz '2020-01-01' + n * interval '3 minutes' as at
      from generate_series($1::int + 1, $1::int + $2::int) n
    ) named
  ) addressed`;

// Groups of all sizes, one inside another; organisations likewise.
const groups = `
  insert into user_group (id, display_name, created_at, updated_at)
    select ('00000000-0000-7000-8000-' || lpad(g::text, 12, '0'))::uuid, 'Group ' || g, '2026-01-01', '2026-01-01'
    from generate_series(0, 1000) g;
  insert into group_member (group_id, member_id, member_kind, added_at)
    select ('00000000-0000-7000-8000-' || lpad((case when n % 10 = 0 then 1 else n * 7919 % 997 + 2 end)::text, 12, '0'))::uuid,
      id, 'user', '2026-01-01'
    from (select id, row_number() over (order by id) as n from user_account) people;
  insert into group_member (group_id, member_id, member_kind, added_at)
    select '00000000-0000-7000-8000-000000000000', ('00000000-0000-7000-8000-' || lpad(g::text, 12, '0'))::uuid,
      'group', '2026-01-01' from generate_series(2, 11) g;
  insert into organisation (id, name, display_name, created_at, updated_at)
    select ('00000000-0000-7000-9000-' || lpad(g::text, 12, '0'))::uuid, 'org' || g, 'Org ' || g, '2026-01-01', '2026-01-01'
    from generate_series(1, 200) g;
  insert into organisation_member (organisation_id, account_id, joined_at)
    select ('00000000-0000-7000-9000-' || lpad((n * 7919 % 199 + 1)::text, 12, '0'))::uuid, id, '2026-01-01'
    from (select id, row_number() over (order by id) as n from user_account) people where n % 2 = 0`;

export const groupId = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
export const organisationId = (n: number) => `00000000-0000-7000-9000-${String(n).padStart(12, '0')}`;

/** What the job learns within minutes. */
export async function learn(pool: Pool): Promise<void> {
  const [row] = (await pool.query('select exists (select from user_word) as known')).rows;
  if (row.known) return;
  await pool.query(
    `insert into user_word select distinct word, now() from user_account,
       regexp_split_to_table(search_text, '[^[:alpha:]]+') as word where length(word) between 3 and 30`,
  );
  await pool.query('analyze user_word');
}

/** Reads what lists need into PostgreSQL's memory, as it is where somebody has been working for a while. */
export async function warm(pool: Pool): Promise<void> {
  await pool.query('create extension if not exists pg_prewarm');
  await pool.query({
    text: `select pg_prewarm(c.oid::regclass) from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'i') and c.relpages > 0
        and c.relname ~ '^(user_account|group_member|organisation_member|user_word)'`,
    query_timeout: 300_000,
  } as never);
}
