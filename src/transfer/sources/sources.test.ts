import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transferRoom } from '../../../test/support/transfer.ts';

let room: Awaited<ReturnType<typeof transferRoom>>;
beforeAll(async () => {
  room = await transferRoom({ fields: ['department', 'plan'] });
});
afterAll(() => room.stop());

const opens = async (email: string, password: string) =>
  (await room.passwords.check((await room.found(email)).id, 'not this one')) === false &&
  (await room.passwords.check((await room.found(email)).id, password));

describe('what other products export', () => {
  it('Keycloak: a realm', async () => {
    const realm = {
      id: '9d6f',
      realm: 'acme',
      roles: { realm: [{ name: 'auditor', composite: false }], client: { account: [{ name: 'x' }] } },
      groups: [{ name: 'staff', path: '/staff', subGroups: [] }],
      users: [
        {
          id: '1c79fac4-20d6-44ff-a4bf-dee2020648ea',
          createdTimestamp: 1693669855640,
          username: 'kay',
          enabled: true,
          totp: true,
          emailVerified: true,
          firstName: 'Kay',
          lastName: 'McNulty',
          email: 'kay@example.com',
          attributes: { department: ['Ballistics'], locale: ['en'], unknown: ['left behind'] },
          credentials: [
            {
              id: 'c238e9d7',
              type: 'password',
              createdDate: 1693669856610,
              secretData:
                '{"value":"qnA427fe69fAjkevcHZvnm7vp3MewnxKL4g2WLfI7U6teQVH1eR2L5DfcV0psPIfjGPtlZbkpnogYX+2TaSl6w==","salt":"AAECAwQFBgcICQoLDA0ODw==","additionalParameters":{}}',
              credentialData: '{"hashIterations":27500,"algorithm":"pbkdf2-sha256","additionalParameters":{}}',
            },
            {
              type: 'otp',
              createdDate: 1693669856610,
              secretData: '{"value":"12345678901234567890"}',
              credentialData: '{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1"}',
            },
          ],
          requiredActions: [],
          realmRoles: ['default-roles-acme'],
          groups: ['/staff'],
        },
        {
          id: 'b',
          username: 'out',
          enabled: false,
          email: 'out@example.com',
          emailVerified: true,
          requiredActions: [],
        },
        {
          id: 'c',
          username: 'new',
          enabled: true,
          email: 'new@example.com',
          emailVerified: true,
          requiredActions: ['UPDATE_PASSWORD'],
        },
        { id: 'd', username: 'service-account-api', enabled: true, serviceAccountClientId: 'api' },
      ],
      clients: [{ clientId: 'account', users: [{ username: 'no' }] }],
    };
    const task = await room.bring(JSON.stringify(realm, null, 2), { from: 'keycloak', createGroups: true });
    expect(task.tally).toEqual({ created: 3 });
    const kay = await room.found('kay@example.com');
    expect(kay).toMatchObject({
      externalId: '1c79fac4-20d6-44ff-a4bf-dee2020648ea',
      userName: 'kay',
      state: 'Active',
      name: 'Kay McNulty',
      locale: 'en',
      attributes: { department: 'Ballistics' },
      createdAt: new Date(1693669855640),
    });
    expect(await opens('kay@example.com', 'correct horse')).toBe(true);
    expect(await room.groups.of(kay.id)).toMatchObject([{ displayName: 'staff' }]);
    // RFC 6238's own secret, which Keycloak keeps as text.
    const text = await room.everybody({ format: 'ndjson', secrets: true });
    expect(text).toContain('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
    expect((await room.found('out@example.com')).state).toBe('Suspended');
    expect((await room.found('new@example.com')).state).toBe('PasswordResetRequired');
  });

  it('Auth0: the export’s lines, and those with the hashes', async () => {
    const lines = [
      {
        user_id: 'auth0|5f7c8ec7c33c6c004bbafe82',
        email: 'betty@example.com',
        email_verified: true,
        name: 'betty@example.com',
        given_name: 'Betty',
        nickname: 'betty',
        picture: 'https://s.gravatar.com/avatar/x.png',
        created_at: '2020-10-06T15:35:35.000Z',
        user_metadata: { plan: 'gold', colour: 'red' },
      },
      {
        _id: { $oid: '60425dc43519d90068f82973' },
        email_verified: false,
        email: 'jean@example.com',
        passwordHash: '$2b$05$abcdefghijklmnopqrstuu2c1e4vZoCxDVRU9N6VCSSmNg4cQa1Ve',
        password_set_date: { $date: '2021-03-05T16:35:16.775Z' },
        tenant: 'dev',
        connection: 'Username-Password-Authentication',
        _tmp_is_unique: true,
      },
    ];
    expect((await room.bring(lines, { from: 'auth0' })).tally).toEqual({ created: 2 });
    expect(await room.found('betty@example.com')).toMatchObject({
      externalId: 'auth0|5f7c8ec7c33c6c004bbafe82',
      name: null,
      givenName: 'Betty',
      attributes: { plan: 'gold' },
    });
    expect(await room.found('jean@example.com')).toMatchObject({
      externalId: 'auth0|60425dc43519d90068f82973',
      state: 'Created',
    });
    expect(await opens('jean@example.com', 'lètmein')).toBe(true);
  });

  it('Firebase: accounts with the project’s parameters', async () => {
    const users = [
      {
        localId: 'Ka1',
        email: 'ruth@example.com',
        emailVerified: true,
        passwordHash: 'lSrfV15cpx95_sZS2W9c9Kp6i_LVgQNDNC_qzrCnh1SAyZvqmZqAjTdn3aoItz-VHjoZilo78198JAdRuid5lQ==',
        salt: '42xEC-ixf3L2lw==',
        displayName: 'Ruth',
        lastSignedInAt: '1486324445000',
        createdAt: '1486324445000',
        customAttributes: '{"plan":"silver"}',
        providerUserInfo: [],
      },
      { localId: 'Ph2', phoneNumber: '+15555550100', createdAt: '1486324445000', providerUserInfo: [] },
    ];
    const firebase = {
      signerKey: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
      saltSeparator: 'Bw==',
      rounds: 8,
      memCost: 14,
    };
    const without = await room.bring(JSON.stringify({ users: users.slice(0, 1) }), { from: 'firebase' });
    expect(without.results[0]).toMatchObject({ code: 'password.hash_unusable' });
    const task = await room.bring(JSON.stringify({ users }), { from: 'firebase', firebase });
    expect(task.tally).toEqual({ created: 2 });
    expect(JSON.stringify(task.input), 'the signer key is sealed elsewhere').not.toContain('jxspr8Ki0');
    expect(await opens('ruth@example.com', 'user1password')).toBe(true);
    expect(await room.found('ruth@example.com')).toMatchObject({ attributes: { plan: 'silver' }, state: 'Active' });
  });

  it('Cognito and Okta: tables without hashes', async () => {
    const cognito =
      'name,given_name,family_name,email,email_verified,phone_number,cognito:mfa_enabled,cognito:username,custom:department\n' +
      'Fran,Fran,Bilas,fran@example.com,TRUE,+15555550101,FALSE,6a1b-sub,Ballistics\n';
    expect((await room.bring(cognito, { from: 'cognito' })).tally).toEqual({ created: 1 });
    expect(await room.found('fran@example.com')).toMatchObject({
      userName: '6a1b-sub',
      attributes: { department: 'Ballistics' },
      profile: { phone_number: '+15555550101' },
    });
    const okta =
      'id,login,firstName,lastName,email,status,department\n' +
      '00u1,marlyn@example.com,Marlyn,Wescoff,marlyn@example.com,ACTIVE,Ballistics\n' +
      '00u2,left@example.com,Left,Us,left@example.com,DEPROVISIONED,\n';
    expect((await room.bring(okta, { from: 'okta' })).tally).toEqual({ created: 2 });
    expect(await room.found('marlyn@example.com')).toMatchObject({ name: 'Marlyn Wescoff', state: 'Active' });
    expect((await room.found('left@example.com')).state).toBe('Deactivated');
  });

  it('Devise, Django, WordPress, ASP.NET Identity: their tables', async () => {
    const devise =
      'id,email,encrypted_password,confirmed_at\n1,dev@example.com,$2a$05$abcdefghijklmnopqrstuuhxFS8j3UWliJqAO77oZWLlysFjMByMC,2020-01-01 00:00:00\n';
    expect((await room.bring(devise, { from: 'devise', pepper: 'a pepper of ours' })).tally).toEqual({ created: 1 });
    expect(await opens('dev@example.com', 'correct horse')).toBe(true);

    const django = [
      { model: 'auth.group', pk: 1, fields: { name: 'x' } },
      {
        model: 'auth.user',
        pk: 7,
        fields: {
          username: 'dj',
          password: 'pbkdf2_sha1$1000$seasalt$ljleU4wBmTtz/MoG5YTwxpM0d7I=',
          email: 'dj@example.com',
          first_name: 'D',
          last_name: 'J',
          is_active: true,
          date_joined: '2020-01-01T00:00:00Z',
          last_login: null,
        },
      },
    ];
    expect((await room.bring(JSON.stringify(django), { from: 'django' })).tally).toEqual({ created: 1 });
    expect(await opens('dj@example.com', 'lètmein')).toBe(true);

    const wordpress =
      'ID,user_login,user_pass,user_nicename,user_email,user_url,user_registered,display_name\n' +
      '1,"wp","$wp$2y$05$abcdefghijklmnopqrstuu9iY1gyjA3k6CGptWJJ9nIT22tG/wV8K",wp,wp@example.com,,2024-12-04 17:10:13,"W, P"\n' +
      '2,old,$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0,old,old@example.com,https://example.com,0000-00-00 00:00:00,Old\n';
    expect((await room.bring(wordpress, { from: 'wordpress' })).tally).toEqual({ created: 2 });
    expect(await opens('wp@example.com', 'correct horse')).toBe(true);
    expect(await opens('old@example.com', 'test12345')).toBe(true);

    const aspnet =
      'Id,UserName,Email,EmailConfirmed,PasswordHash,PhoneNumber\n' +
      '3f1,net@example.com,net@example.com,True,AQAAAAIAAYagAAAAEAABAgMEBQYHCAkKCwwNDg/Q8A0WMKbtHQJQ2DHCdoEeeFBrgNlldq6vH4qX/CGqGQ==,\n';
    expect((await room.bring(aspnet, { from: 'aspnet' })).tally).toEqual({ created: 1 });
    expect(await opens('net@example.com', 'my password')).toBe(true);
  });
});
