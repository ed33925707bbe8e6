/** Reads bodies to their end and says so, as an app would: `node upload-origin.ts PORT`. */
import { createServer } from "node:http";

const server = createServer((request, response) => {
  request.resume().once("end", () => response.end("taken\n"));
});
server.keepAliveTimeout = 0;
server.listen(Number(process.argv[2]), "127.0.0.1", 4096);
