// Whoever starts it by hand may have another Node on the machine: told in words, before anything is read that it cannot read.
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(`
Cardea needs Node 24, and this is ${process.version}. For Linux, macOS and Windows \`npm ci\` brings it along, and
\`npm start\` takes it; elsewhere it is to be installed.
`);
  process.exit(1);
}

// Not TypeScript: Node would load what strips types (some 10 MB) for this file before it is told of the cache, in which all
// others are found stripped and compiled.
const { enableCompileCache } = await import('node:module');
enableCompileCache();
await import('./main.ts');
