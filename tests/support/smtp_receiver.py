"""A mail server for tests: aiosmtpd with STARTTLS. Prints its port, then one line of JSON for each mail that comes."""
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP

certificate, key, answers = sys.argv[1], sys.argv[2], sys.argv[3].split(",")


class Handler:
    async def handle_DATA(self, server, session, envelope):
        answer = answers.pop(0) if answers else "250 OK"
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "content": envelope.content.decode(),
            "answer": answer,
        }), flush=True)
        return answer


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    make = lambda: SMTP(Handler(), require_starttls=True, tls_context=context, hostname="localhost")
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
