"""Names by the twin's DNS server, for clients that take no address beside the name: a CONNECT proxy on loopback.

TLS goes through it untouched, so that the client checks the endpoint's name and sends it as SNI, as it does on AWS.
"""

import contextlib
import select
import socket
import threading

import dns.message
import dns.query
import dns.rdatatype


def address(server, name):
    """The first A record behind a name, CNAMEs followed."""
    host, port = server.split(":")
    answer = dns.query.udp(dns.message.make_query(name, "A"), host, port=int(port), timeout=5)
    found = [item.address for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]
    if not found:
        raise OSError(f"{name} has no address")
    return found[0]


class Proxy:
    """Serves as long as the block lasts."""

    def __init__(self, dns_server):
        self.dns_server = dns_server
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry_on, args=(client,), daemon=True).start()

    def _carry_on(self, client):
        with contextlib.suppress(OSError):
            self._carry(client)

    def _carry(self, client):
        asked = b""
        while b"\r\n\r\n" not in asked and len(asked) < 8192:
            asked += client.recv(1024)
        host, port = asked.split()[1].decode().split(":")
        with client, socket.create_connection((address(self.dns_server, host), int(port)), 10) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            other = {client: server, server: client}
            while True:
                for side in select.select(list(other), [], [])[0]:
                    data = side.recv(65536)
                    if not data:
                        return
                    other[side].sendall(data)
