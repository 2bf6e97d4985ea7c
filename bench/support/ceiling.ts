/** The ceiling: a bare node:http server that reads the body and answers 300 bytes of JSON. `node bench/support/ceiling.ts <port>` */
import { createServer } from 'node:http';

const body = JSON.stringify({ access_token: 'x'.repeat(260), expires_in: 600, token_type: 'Bearer' });
const headers = { 'content-type': 'application/json', 'content-length': body.length, 'cache-control': 'no-store' };

createServer((req, res) => {
  req.resume().on('end', () => res.writeHead(200, headers).end(body));
}).listen(Number(process.argv[2]), '127.0.0.1');
