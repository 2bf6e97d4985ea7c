import { enableCompileCache } from 'node:module';

// Not TypeScript: Node would load what strips types (some 10 MB) for this file before it is told of the cache, in which all
// others are found stripped and compiled.
enableCompileCache();
await import('./main.ts');
