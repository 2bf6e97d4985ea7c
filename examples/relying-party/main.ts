import { fstatSync } from 'node:fs';
import { createServer } from 'node:http';
import { createApp } from './app.ts';
import { connectProvider } from './provider.ts';
import { createRoutes, type Routes } from './routes.ts';
import { readSettings } from './settings.ts';

const settings = readSettings(process.env);
let routes: Routes | undefined;

const server = createServer(createApp(settings, () => routes).callback());
server.once('error', (error) => {
  console.error(`The example application cannot listen on port ${settings.port}: ${error.message}`);
  process.exit(1);
});
server.listen(settings.port, () => process.send?.({ listening: settings.port }));

function stop(): void {
  server.close(() => process.exit(0));
  server.closeAllConnections();
}
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
// Started by another program, we end with it, however it ended: the channel, or the pipe on our standard input, closes.
if (process.connected) process.once('disconnect', stop);
else if (fstatSync(0).isSocket()) process.stdin.resume().once('end', stop);

routes = createRoutes(settings, await connectProvider(settings));
process.send?.({ ready: true });
