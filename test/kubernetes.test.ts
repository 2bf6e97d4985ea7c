import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { loadSettings } from '../src/platform/config/index.ts';
import { isSecret, variables } from '../src/platform/config/variables.ts';
import { health } from '../src/platform/http/index.ts';

// No cluster runs where the tests run: the manifests are parsed, and held against each other and against Cardea.

const root = join(import.meta.dirname, '..');
const folder = (name: string) => join(root, 'deploy/kubernetes', name);

// biome-ignore lint/suspicious/noExplicitAny: manifests have a hundred shapes, and the tests say what they expect
type Manifest = any;

function manifestsIn(name: string): Manifest[] {
  return readdirSync(folder(name)).flatMap((file) => {
    const documents = parseAllDocuments(readFileSync(join(folder(name), file), 'utf8'), { uniqueKeys: true });
    for (const { errors, warnings } of documents) expect([...errors, ...warnings]).toEqual([]);
    return documents.map((document) => document.toJS());
  });
}

const base = manifestsIn('base');
const example = manifestsIn('overlays/example');
const one = (
  kind: string,
  name = 'cardea',
  from = [...base, ...example.filter(({ kind }) => kind !== 'ConfigMap')],
) => {
  const found = from.filter((each) => each.kind === kind && (each.metadata?.name ?? name) === name);
  expect(found, `${kind} ${name}`).toHaveLength(1);
  return found[0];
};
const deployment = one('Deployment');
const pod = deployment.spec.template;
const [server] = pod.spec.containers;
const job = one('Job', 'cardea-migrate');
const [migrate] = job.spec.template.spec.containers;
const data: Record<string, string> = one('ConfigMap').data;
const file = (from: Manifest[]): string => one('ConfigMap', 'cardea-settings', from).data['settings.yaml'];
const includes = (labels: Record<string, string>, wanted: Record<string, string>) =>
  Object.entries(wanted).every(([name, value]) => labels[name] === value);

it('a kustomization names every file beside it, and no other', () => {
  for (const name of ['base', 'overlays/example']) {
    const { resources, patches = [] } = one('Kustomization', 'cardea', manifestsIn(name));
    const own = [...resources, ...patches.map(({ path }: { path: string }) => path)].filter(
      (each) => !each.startsWith('..'),
    );
    expect(own.toSorted()).toEqual(
      readdirSync(folder(name))
        .filter((file) => file !== 'kustomization.yaml')
        .toSorted(),
    );
    for (const each of resources) expect(existsSync(join(folder(name), each)), each).toBe(true);
  }
});

it('every manifest is as the schemas of Kubernetes have it', () => {
  const { kinds, $defs } = JSON.parse(readFileSync(join(root, 'test/fixtures/kubernetes-1.34.json'), 'utf8'));
  const schemaOf = ({ apiVersion, kind }: Manifest) =>
    kinds[`${apiVersion} ${kind}`] && z.fromJSONSchema({ $ref: `#/$defs/${kinds[`${apiVersion} ${kind}`]}`, $defs });
  const manifests = [...base, ...example];
  const unknown = manifests.filter((each) => !schemaOf(each)).map(({ kind }) => kind);
  expect(unknown.toSorted()).toEqual(['Kustomization', 'Kustomization', 'ServiceMonitor']);
  for (const each of manifests) expect(schemaOf(each)?.safeParse(each).error?.issues, each.kind).toBeUndefined();

  const wrong = structuredClone(deployment);
  wrong.spec.template.spec.containers[0].readynessProbe = {};
  expect(schemaOf(wrong).safeParse(wrong).success).toBe(false);
});

it('what pods are given are settings that there are, and with the secrets a production can start', () => {
  const patch = one('ConfigMap', 'cardea', example).data;
  for (const name of Object.keys({ ...data, ...patch })) {
    if (name === 'CARDEA_CONFIG') continue;
    const variable = variables.find((each) => each.name === name);
    expect(variable, name).toBeDefined();
    expect(isSecret(variable!.path), `${name} is a secret`).toBe(false);
    expect(typeof { ...data, ...patch }[name], name).toBe('string');
  }
  const secrets = {
    CARDEA_SECRET: 'GzM4r0Tn2vYc8LqWf6PdXk1HbJs9EuAo5RtIiZ7wN3g=',
    DATABASE_URL: 'postgresql://cardea:p@postgres/cardea',
    REDIS_URL: 'redis+sentinel://:p@redis:26379/cardea',
    SMTP_URL: 'smtps://u:p@mail.example.com',
    CARDEA_S3_ACCESS_KEY_ID: 'k',
    CARDEA_S3_SECRET_ACCESS_KEY: 's',
  };
  const told = readFileSync(join(folder('overlays/example'), 'kustomization.yaml'), 'utf8');
  for (const name of Object.keys(secrets)) expect(told).toContain(`--from-literal=${name}=`);
  const cwd = mkdtempSync(join(tmpdir(), 'cardea-pod-'));
  const load = (settingsFile: string) => {
    writeFileSync(join(cwd, 'settings.yaml'), settingsFile);
    const own = { CARDEA_DATA: cwd, CARDEA_CONFIG: join(cwd, 'settings.yaml') };
    return loadSettings({ env: { ...data, ...patch, ...secrets, ...own }, cwd });
  };
  load(file(base));
  const settings = load(file(example));
  rmSync(cwd, { recursive: true });
  expect(settings).toMatchObject({ mode: 'production', database: { migrate: false }, server: { host: '0.0.0.0' } });
  // A directory of one pod is lost with it, and the others do not see it.
  expect(settings.objects.store).toBe('s3');
  for (const { volumeMounts } of [server, migrate])
    expect(volumeMounts).toContainEqual({ name: 'settings', mountPath: dirname(data.CARDEA_CONFIG!), readOnly: true });

  const ports = Object.fromEntries(server.ports.map((port: Manifest) => [port.name, port.containerPort]));
  expect(ports).toEqual({ http: settings.server.port, metrics: settings.metrics.port });
  const { preStop } = server.lifecycle;
  const { drain, stopPatience } = settings.server;
  expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThan(preStop.sleep.seconds + drain + stopPatience);
  // Endpoints are taken away once readiness was refused so often.
  const { periodSeconds, failureThreshold } = server.readinessProbe;
  expect(preStop.sleep.seconds + drain).toBeGreaterThan(periodSeconds * failureThreshold);
});

it('probes ask what Cardea answers, and being alive asks no store', async () => {
  const ask = async (path: string, ready: boolean) => {
    const ctx = { path, status: 404, body: undefined, set() {} };
    await health({ isReady: async () => ready })(ctx as never, async () => {});
    return ctx.status;
  };
  for (const probe of ['startupProbe', 'readinessProbe']) {
    const { path, port } = server[probe].httpGet;
    expect(port).toBe('http');
    expect([await ask(path, true), await ask(path, false)]).toEqual([200, 503]);
  }
  expect(await ask(server.livenessProbe.httpGet.path, false)).toBe(200);
});

it('the job runs a command that there is', () => {
  const [program, file, command] = migrate.command;
  expect(program).toBe('node');
  const help = execFileSync(process.execPath, [file, 'help'], { cwd: root, encoding: 'utf8' });
  expect(help).toMatch(new RegExp(`^ {2}${command} `, 'm'));
});

it('what chooses pods finds those of the deployment, and not those of the job', () => {
  const chosen = [
    deployment.spec.selector.matchLabels,
    one('Service').spec.selector,
    one('Service', 'cardea-metrics').spec.selector,
    one('PodDisruptionBudget').spec.selector.matchLabels,
    ...pod.spec.topologySpreadConstraints.map((each: Manifest) => each.labelSelector.matchLabels),
  ];
  for (const labels of chosen) {
    expect(includes(pod.metadata.labels, labels)).toBe(true);
    expect(includes(job.spec.template.metadata.labels, labels)).toBe(false);
  }
  const { podSelector } = one('NetworkPolicy').spec;
  for (const each of [pod, job.spec.template])
    expect(includes(each.metadata.labels, podSelector.matchLabels)).toBe(true);
  expect(one('HorizontalPodAutoscaler').spec.scaleTargetRef).toMatchObject({ kind: 'Deployment', name: 'cardea' });
  expect(deployment.spec.replicas).toBeUndefined();
});

it('services, ingress, network policy and monitor name ports that there are', () => {
  const named = server.ports.map(({ name }: Manifest) => name);
  const [http] = one('Service').spec.ports;
  const metrics = one('Service', 'cardea-metrics');
  expect(named).toEqual(expect.arrayContaining([http.targetPort, metrics.spec.ports[0].targetPort]));
  const { backend } = one('Ingress').spec.rules[0].http.paths[0];
  expect(backend.service).toEqual({ name: 'cardea', port: { name: http.name } });
  expect(`https://${one('Ingress').spec.rules[0].host}`).toBe(one('ConfigMap', 'cardea', example).data.CARDEA_ISSUER);
  const allowed = one('NetworkPolicy').spec.ingress.flatMap(({ ports }: Manifest) =>
    ports.map(({ port }: Manifest) => port),
  );
  expect(allowed.toSorted()).toEqual(named.toSorted());
  const { selector, endpoints } = one('ServiceMonitor').spec;
  expect(includes(metrics.metadata.labels, selector.matchLabels)).toBe(true);
  expect(endpoints[0]).toMatchObject({ port: metrics.spec.ports[0].name, path: '/metrics' });
});

it('no pod runs as root, writes to its image, gains rights or holds a key to the cluster', () => {
  for (const { spec } of [pod, job.spec.template]) {
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.serviceAccountName).toBe(one('ServiceAccount').metadata.name);
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    const [container] = spec.containers;
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources.requests).toEqual({ cpu: expect.any(String), memory: expect.any(String) });
    expect(container.envFrom.map((each: Manifest) => Object.keys(each)[0])).toEqual(['configMapRef', 'secretRef']);
    const volumes = spec.volumes.map(({ name }: Manifest) => name);
    for (const { name } of container.volumeMounts) expect(volumes).toContain(name);
  }
});
