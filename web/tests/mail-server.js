// A mail server that accepts every message.
import { EventEmitter, once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

/** Starts the server on a free port of this machine; `to` waits for a message to a recipient and returns its text. */
export async function startMailServer() {
  const texts = new Map();
  const arrivals = new EventEmitter();
  const server = createServer((socket) => {
    const reply = (line) => socket.write(`${line}\r\n`);
    let recipients = [];
    let text = null;
    socket.on("error", () => socket.destroy());
    reply("220 mail.example.com");
    createInterface(socket).on("line", (line) => {
      if (text !== null && line !== ".") text.push(line.replace(/^\./, ""));
      else if (text !== null) {
        for (const recipient of recipients) texts.set(recipient, decoded(text));
        [recipients, text] = [[], null];
        arrivals.emit("message");
        reply("250 accepted");
      } else if (/^RCPT TO:/i.test(line)) {
        recipients.push(line.match(/<(.*)>/)[1]);
        reply("250 accepted");
      } else if (/^DATA/i.test(line)) {
        text = [];
        reply("354 go on");
      } else if (/^QUIT/i.test(line)) socket.end("221 bye\r\n");
      else reply("250 mail.example.com");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${server.address().port}`,
    stop: () => server.close(),
    async to(recipient) {
      while (!texts.has(recipient)) await once(arrivals, "message");
      return texts.get(recipient);
    },
  };
}

/** The text of a message; lines of quoted-printable parts are joined. */
const decoded = (lines) => lines.join("\n").replace(/=\n/g, "").replace(/=3D/g, "=");
