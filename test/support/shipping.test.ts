import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { variables } from '../../src/platform/config/variables.ts';

// No container engine runs where the tests run: what can be read is checked by reading.

const root = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

it('a Node that is too old is told so in words', () => {
  const old = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '20.20.2' })`;
  const started = spawnSync(process.execPath, ['--import', old, 'src/start.js'], { cwd: root, encoding: 'utf8' });
  expect(started.status).toBe(1);
  expect(started.stderr).toMatch(/^\s*Cardea needs Node 24/);
  expect(started.stderr).not.toContain('at ');
});

describe('the Dockerfile', () => {
  const instructions = read('Dockerfile')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => ({ name: line.split(/\s+/)[0]!, rest: line.replace(/^\S+\s+/, '').replace(/\s+/g, ' ') }));
  const of = (name: string) => instructions.filter((one) => one.name === name).map(({ rest }) => rest);
  const last = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));

  it('knows only instructions that there are', () => {
    const known = 'FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK CMD'.split(' ');
    for (const { name } of instructions) expect(known).toContain(name);
  });

  it('builds in one stage and runs in another, on the Node that the project pins', () => {
    expect(of('FROM')).toHaveLength(2);
    for (const image of of('FROM')) expect(image).toMatch(/^node:24-/);
  });

  it('does not run as root, from a number that an orchestrator can check', () => {
    const users = last.filter(({ name }) => name === 'USER').map(({ rest }) => rest);
    expect(users).toEqual(['1000:1000']);
    expect(last.findIndex(({ name }) => name === 'USER')).toBeGreaterThan(
      last.findLastIndex(({ name }) => name === 'RUN'),
    );
  });

  it('is for production, without a secret in it', () => {
    const env = of('ENV').join(' ');
    expect(env).toContain('NODE_ENV=production');
    expect(env).not.toMatch(/SECRET|PASSWORD|DATABASE_URL/);
  });

  it('starts the real entry point directly, so that signals reach it, and asks whether it is ready', () => {
    expect(of('CMD')).toEqual(['["node", "src/start.js"]']);
    expect(existsSync(join(root, 'src/start.js'))).toBe(true);
    expect(of('HEALTHCHECK').join()).toContain('"src/health.ts"');
    expect(existsSync(join(root, 'src/health.ts'))).toBe(true);
  });

  it('copies what is there, and the ignore file lets it through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const copy of of('COPY').filter((line) => !line.startsWith('--from'))) {
      for (const source of copy.split(' ').slice(0, -1)) {
        expect(existsSync(join(root, source)), source).toBe(true);
        expect(allowed).toContain(source);
      }
    }
    expect(read('.dockerignore').split('\n')).toContain('*');
  });
});

describe('docker-compose.yml', () => {
  interface Service {
    image: string;
    environment?: Record<string, string>;
    secrets?: string[];
    read_only?: boolean;
    tmpfs?: string[];
    ports?: string[];
    volumes?: string[];
    configs?: { source: string; target: string }[];
    depends_on?: Record<string, { condition: string }>;
    healthcheck?: { test: string[] };
    security_opt?: string[];
  }
  interface Compose {
    services: Record<string, Service>;
    secrets: Record<string, { file: string }>;
    configs: Record<string, { content: string }>;
    volumes: Record<string, unknown>;
  }
  const compose = parse(read('docker-compose.yml')) as Compose;
  const services = Object.entries(compose.services);
  const cardea = compose.services.cardea!;

  it('has Cardea, PostgreSQL 18, Redis and a mail catcher', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['cardea', 'mailpit', 'postgres', 'redis']);
    expect(compose.services.postgres!.image).toMatch(/^postgres:18/);
    for (const [, { image }] of services) expect(image).toMatch(/:(?!latest)/);
  });

  it.each(services)('%s runs on a read-only file system and gains no rights', (_, service) => {
    expect(service.read_only).toBe(true);
    expect(service.tmpfs?.length).toBeGreaterThan(0);
    expect(service.security_opt).toContain('no-new-privileges:true');
  });

  it.each(services)('%s is reached from this machine only', (_, service) => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it('waits until everything it needs is healthy', () => {
    for (const [name, { condition }] of Object.entries(cardea.depends_on!)) {
      expect(condition).toBe('service_healthy');
      expect(compose.services[name]!.healthcheck!.test[0]).toBe('CMD');
    }
    expect(Object.keys(cardea.depends_on!).sort()).toEqual(['mailpit', 'postgres', 'redis']);
  });

  it('gives Cardea settings that exist, and secrets by file', () => {
    const known = variables.flatMap(({ name }) => [name, `${name}_FILE`]).concat('CARDEA_CONFIG');
    for (const [name, value] of Object.entries(cardea.environment!)) {
      expect(known).toContain(name);
      expect(value).not.toMatch(/:[^/@]+@/);
    }
    for (const [name, { secrets = [], environment = {} }] of services) {
      const used = Object.values(environment).filter((value) => value.startsWith('/run/secrets/'));
      expect(used.map((value) => value.slice('/run/secrets/'.length)).sort(), name).toEqual([...secrets].sort());
      for (const secret of secrets) expect(compose.secrets[secret]?.file).toBe(`./secrets/${secret}`);
    }
    expect(read('.gitignore').split('\n')).toContain('secrets/');
  });

  it('names volumes and files that it declares', () => {
    for (const [, { volumes = [], configs = [] }] of services) {
      for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
      for (const { source } of configs) parse(compose.configs[source]!.content);
    }
  });
});

describe('.ci/run', () => {
  it('can be run and is a script that bash understands', () => {
    expect(statSync(join(root, '.ci/run')).mode & 0o111).toBe(0o111);
    execFileSync('bash', ['-n', join(root, '.ci/run')]);
  });
});
