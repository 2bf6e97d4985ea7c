import { describe, expect, it } from 'vitest';
import type { ForeignKey } from './family.ts';
import { keycloakHash } from './keycloak.ts';
import { readForeign, unwrapped } from './registry.ts';
import { firebaseHash } from './scrypt.ts';

/** "táБℓɘ": letters of one to three bytes. */
const TABLE = 't\u00e1\u0411\u2113\u0259';
const LONG = 'a very much longer text to encrypt.  This one even stretches over morethan one line.';

/** What was published, or made by the named software. */
const vectors: Record<string, [password: string, hash: string][]> = {
  'bcrypt (OpenBSD, Openwall and John the Ripper)': [
    ['', '$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.'],
    ['a', '$2a$10$k87L/MF28Q673VKh8/cPi.SUl7MU/rWuSiIDDFayrKk/1tBsSQu4u'],
    ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['U*U*', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'],
    ['U*U*U', '$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a'],
    ['*U*U*U*U', '$2a$05$.WRrXibc1zPgIdRXYfv.4uu6TD1KWf0VnHzq/0imhUhuxSxCyeBs2'],
    [TABLE, '$2a$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG'],
    [TABLE, '$2b$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG'],
    [TABLE, '$2y$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG'],
  ],
  'bcrypt looks at 72 bytes (Openwall’s crypt_blowfish, wrapper.c)': [
    [
      '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored',
      '$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
    ],
  ],
  'WordPress 6.8': [
    ['admin', '$wp$2y$10$Q1xinFjrZeLWJBvxviIL6u834Fu.evIEFHAUVisQ5O.w9Dm0sMdES'],
    ['correct horse', '$wp$2y$05$abcdefghijklmnopqrstuu9iY1gyjA3k6CGptWJJ9nIT22tG/wV8K'],
  ],
  'phpass (Openwall, John the Ripper)': [
    ['test12345', '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0'],
    ['test1', '$H$9aaaaaSXBjgypwqm.JsMssPLiS8YQ00'],
    ['123456', '$H$9PE8jEklgZhgLmZl5.HYJAzfGCQtzi1'],
    ['thisisalongertestPW', '$P$912345678LIjjb6PhecupozNBmDndU0'],
    ['JohnRipper', '$P$612345678si5M0DDyPpmRCmcltU/YW/'],
    ['', '$P$7JaFQsPzJSuenezefD/3jHgt5hVfNH0'],
  ],
  'PBKDF2 (passlib)': [
    ['password', '$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI'],
    ['password', '$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ'],
    ['password', '{PBKDF2-SHA256}1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ'],
    [
      'password',
      '$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI.BzY/YTNJOiKc5gBYFYGww',
    ],
  ],
  Django: [
    ['lètmein', 'pbkdf2_sha256$260000$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo='],
    ['lètmein', 'pbkdf2_sha1$1000$seasalt$ljleU4wBmTtz/MoG5YTwxpM0d7I='],
    ['lètmein', 'bcrypt_sha256$$2b$05$abcdefghijklmnopqrstuuaQz6CVhbgRiZmnmiNLc9bv5cauhFkti'],
    ['lètmein', 'bcrypt$$2b$05$abcdefghijklmnopqrstuu2c1e4vZoCxDVRU9N6VCSSmNg4cQa1Ve'],
    [
      'lètmein',
      'scrypt$1024$seasalt$8$5$ozpUt/qDR/QLBzi9csaWJofO252yHC+Oxl5cycNUQkna/BBjumDq5KMXPAq1Xi3sxxGWxqtAlQmEE+DSWNl+FQ==',
    ],
  ],
  'ASP.NET Identity': [
    // Version 2, then version 3 with each PRF.
    ['my password', 'AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg=='],
    ['my password', 'ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A=='],
    ['my password', 'AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M'],
    [
      'my password',
      'AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ=',
    ],
    ['my password', 'AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw'],
    [
      'my password',
      'AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==',
    ],
    ['my password', 'AQAAAAIAAYagAAAAEAABAgMEBQYHCAkKCwwNDg/Q8A0WMKbtHQJQ2DHCdoEeeFBrgNlldq6vH4qX/CGqGQ=='],
  ],
  'scrypt (RFC 7914, section 12, and passlib)': [
    ['', '$scrypt$ln=4,r=1,p=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI'],
    ['password', '$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI'],
    ['pleaseletmein', '$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI'],
  ],
  'scrypt as one number (lambdaworks’ own example)': [
    ['secret', '$s0$e0801$epIxT/h6HbbwHaehFnh/bw==$7H0vsXlY8UxxyW/BWx/9GuY7jEvGjT71GFd6O4SZND0='],
  ],
  'LDAP (RFC 2307, from a directory)': [
    ['helloworld', '{MD5}/F4DjTilcDIIVEHn/nAQsA=='],
    ['testing1234', '{SMD5}UjFY34os/pnZQ3oQOzjqGu4yeXE='],
    ['helloworld', '{SHA}at+xg6SiyUovktq1redipHiJpaE='],
    ['testing123', '{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr'],
    ['test', '{SSHA}/ZMF5KymNM+uEOjW+9STKlfCFj51bg3BmBNCiPHeW2ttbU0='],
    ['password', '{SSHA256}x1tymSTVjozxQ2PtT46ysrzhZxbcskK0o2f8hEFx7fAQQmhtDSEkJA=='],
    [
      'password',
      '{SSHA512}f/lFQskkl7PdMsTGJxHZq8LDt/l+UqRMm6/pj4pV7/xZkcOaKCgvQqp+KCeXc/Vd4RY6vEHWn4y0DnFcQ6wgyv9fyxk=',
    ],
  ],
  'MD5 crypt (John the Ripper, FreeBSD, Apache)': [
    ['U*U*U*U*', '$1$dXc3I7Rw$ctlgjDdWJLMT.qwHsWhXR1'],
    ['', '$1$Eu.GHtia$CFkL/nE1BYTlEPiVx1VWX0'],
    ['4lpHa N|_|M3r1K W/ Cur5Es: #$%(*)(*%#', '$1$jQS7o98J$V6iTcr71CGgwW2laf17pi1'],
    [TABLE, '$1$d6/Ky1lU$/xpf8m7ftmWLF.TjHCqel0'],
    ['myPassword', '$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/'],
  ],
  'SHA crypt (its specification)': [
    ['Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
    ['This is just a test', '$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5'],
    [LONG, '$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1'],
    [
      'Hello world!',
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    [
      'we have a short salt string but not a short password',
      '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
    ],
    [
      'the minimum number is still observed',
      '$6$rounds=10$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.',
    ],
    [
      TABLE,
      '$6$rounds=40000$PEZTJDiyzV28M3.m$GTlnzfzGB44DGd1XqlmC4erAJKCP.rhvLvrYxiT38htrNzVGBnplFOHjejUGVrCfusGWxLQCc3pFO0A/1jYYr0',
    ],
  ],
};

describe.each(Object.entries(vectors))('%s', (_name, all) => {
  it.each(all)('%s is the password of %s', (password, hash) => {
    const foreign = readForeign(hash)!;
    expect(foreign, 'understood').toBeDefined();
    expect(foreign.dear).toBeLessThanOrEqual(1);
    expect(foreign.verify(password)).toBe(true);
    expect(foreign.verify(`x${password}`)).toBe(false);
    if (password.length <= 72) expect(foreign.verify(`${password}x`)).toBe(false);
  });
});

describe('a hash that takes a key', () => {
  const signer: Extract<ForeignKey, { kind: 'firebase' }> = {
    kind: 'firebase',
    signerKey: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
    saltSeparator: 'Bw==',
    rounds: 8,
    memCost: 14,
  };

  it('Firebase’s own example', () => {
    const hash = firebaseHash(
      { keyId: 'one', key: signer },
      {
        salt: '42xEC+ixf3L2lw==',
        passwordHash: 'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
      },
    );
    const foreign = readForeign(hash)!;
    expect(foreign.keyId).toBe('one');
    expect(foreign.verify('user1password', signer)).toBe(true);
    expect(foreign.verify('user1password', { ...signer, saltSeparator: 'CA==' })).toBe(false);
    expect(foreign.verify('user2password', signer)).toBe(false);
    expect(() => foreign.verify('user1password')).toThrow('the key one of a hash is not there');
  });

  it('Devise with a pepper', () => {
    const foreign = readForeign('$devise$k=two$2a$05$abcdefghijklmnopqrstuuhxFS8j3UWliJqAO77oZWLlysFjMByMC')!;
    expect(foreign.keyId).toBe('two');
    expect(foreign.verify('correct horse', { kind: 'pepper', pepper: 'a pepper of ours' })).toBe(true);
    expect(foreign.verify('correct horse', { kind: 'pepper', pepper: 'another' })).toBe(false);
  });
});

describe('Keycloak’s credentials', () => {
  const made = {
    pbkdf2: [20000, 'fniHe4wujMvABtTa8nlrXUNDmQbEVpEAOGSrBOKjUxr8fq0EhOTrbtwxv0kDHkCeZpDFXImqFMKFND2GDrIqXQ=='],
    'pbkdf2-sha256': [
      27500,
      'qnA427fe69fAjkevcHZvnm7vp3MewnxKL4g2WLfI7U6teQVH1eR2L5DfcV0psPIfjGPtlZbkpnogYX+2TaSl6w==',
    ],
    'pbkdf2-sha512': [
      210000,
      'l4pqr0UVqxiWEnbGDBV//hzeVcB7ZgsFnr5Z+SZYIYjhXWCECCVC/oKM2WWMwBzQGCBfe2yb+20zK3Rr1rkPjg==',
    ],
  } as const;

  it.each(Object.entries(made))('%s', (algorithm, [hashIterations, value]) => {
    const hash = keycloakHash({
      credentialData: JSON.stringify({ hashIterations, algorithm, additionalParameters: {} }),
      secretData: JSON.stringify({ value, salt: 'AAECAwQFBgcICQoLDA0ODw==', additionalParameters: {} }),
    })!;
    expect(readForeign(hash)?.verify('correct horse')).toBe(true);
    expect(readForeign(hash)?.verify('correct mule')).toBe(false);
  });

  it('argon2 becomes the PHC form', () => {
    const argon2 = {
      credentialData:
        '{"hashIterations":5,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}',
      secretData: '{"value":"BruFLfFkjH/8erZ26NnrbkOrWiZuQyDRCHD9o0R6Scg=","salt":"Cf9AYCE5pAbb4CKEF0GUTA=="}',
    };
    expect(keycloakHash(argon2)).toBe(
      '$argon2id$v=19$m=7168,t=5,p=1$Cf9AYCE5pAbb4CKEF0GUTA$BruFLfFkjH/8erZ26NnrbkOrWiZuQyDRCHD9o0R6Scg',
    );
    expect(keycloakHash({ ...argon2, secretData: 'nothing' })).toBeUndefined();
    expect(keycloakHash({ ...argon2, secretData: '{"value":null}' })).toBeUndefined();
  });
});

describe('a hash that would cost too much to verify', () => {
  it.each([
    '$2b$15$abcdefghijklmnopqrstuuVjy3WfYsef9X9ig7GWAQsq.R8VvWccC',
    '$2b$31$abcdefghijklmnopqrstuuVjy3WfYsef9X9ig7GWAQsq.R8VvWccC',
    '$pbkdf2-sha256$5000001$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ',
    'pbkdf2_sha256$999999999$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=',
    // Four thousand million iterations.
    Buffer.concat([Buffer.from('0100000002ffffffff00000010', 'hex'), Buffer.alloc(48, 1)]).toString('base64'),
    '$scrypt$ln=18,r=8,p=1$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI',
    '$s0$1f0801$epIxT/h6HbbwHaehFnh/bw==$7H0vsXlY8UxxyW/BWx/9GuY7jEvGjT71GFd6O4SZND0=',
    '$scrypt$ln=14,r=8,p=9999$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI',
    '$scrypt$ln=31,r=9999,p=1$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI',
    '$firebase$k=a,ln=20,r=8$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
    '$P$SIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0',
    '$6$rounds=999999999$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
  ])('%s is known as such', (hash) => {
    expect(readForeign(hash)?.dear).toBeGreaterThan(1);
  });

  it('for its password: the families that read it in every round look at no long one', () => {
    const since = performance.now();
    for (const hash of [
      '$6$rounds=600000$abc$TBBLZJFy9x2iuZQMfd.C2W9kQ9KWyxzNX1B0rrstreL/4hikUXhLNVNh16ufNmKRzIyt7XBpyZSRXqZOqeG36/',
      '$P$GIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0',
    ]) {
      expect(readForeign(hash)?.verify('x'.repeat(1024))).toBe(false);
    }
    expect(performance.now() - since).toBeLessThan(100);
  });
});

describe('what is no hash', () => {
  it.each([
    'password',
    '{CLEARTEXT}password',
    '$2x$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG',
    '$2b$99$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG',
    '$pbkdf2-sha256$0$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ',
    '$pbkdf2-sha256$1$$YQ',
    '{SSHA}ZQK3Yvtvl6wtIRoISgMGPkcWU7Nfq5U=\n',
    '{SSHA}cGFzc3dvcmQ=',
    '{SHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr',
    'AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggE=',
    'AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4A=',
    'AQAAAAIAAAAy/////+Mwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw',
    '$6$salt$short',
    'scrypt$1023$seasalt$8$5$ozpUt/qDR/QLBzi9csaWJofO252yHC+Oxl5cycNUQkna/BBjumDq5KMXPAq1Xi3sxxGWxqtAlQmEE+DSWNl+FQ==',
    '$'.repeat(100_000),
    `{SSHA512}${'A'.repeat(1_000_000)}`,
  ])('%s is not taken for one', (text) => {
    const since = performance.now();
    expect(readForeign(text)).toBeUndefined();
    expect(performance.now() - since).toBeLessThan(50);
  });

  it('a wrapping that only names the hash inside is taken off', () => {
    expect(unwrapped('{CRYPT}$6$a$b')).toBe('$6$a$b');
    expect(unwrapped('{BCRYPT}$2b$05$x')).toBe('$2b$05$x');
    expect(unwrapped('argon2$argon2id$v=19$m=64')).toBe('$argon2id$v=19$m=64');
    expect(unwrapped('{SSHA}abc')).toBe('{SSHA}abc');
  });
});
