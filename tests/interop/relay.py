"""What stands between the application and the server: it passes bytes on, writes them down, and sees
to it that the session's id is used as it should be."""

import dataclasses
import http.client
import json
import math
import re
import socket
import threading
import time
from collections import deque

# How long what was sent before an answer was read can take to arrive, in seconds.
UNDER_WAY = 0.1
# Longer than any tool works whose server does not say what it noticed.
WORK = 3
# One message of progress as an event, with its id if it has one. These servers write an event as a
# whole.
STEP = re.compile(rb'(?:^id: (\S+)\r?\n)?^data: (\{.*"notifications/progress".*\})\r?\n', re.MULTILINE)


@dataclasses.dataclass
class Asked:
    method: str
    session: str | None
    is_initialize: bool = False


class Relay:
    """Passes on to the server, whichever that is now."""

    def __init__(self, server, record):
        self.server = server
        self.record = record
        self.lock = threading.RLock()
        # The session's id that came last, when a 404 ended which others, and what went wrong with them.
        self.session = None
        self.dead = {}
        self.complaints = []
        self.initializes = 0
        self.wanted = None
        # Since when nothing may come any more.
        self.silence = math.inf
        # The messages of progress that came: each one's id as an event, and whether it tells of the
        # last step.
        self.steps = []
        # What the client's own DELETEs said, and what was answered.
        self.deletes = []
        # They read what the client says.
        self.readers = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        count = 0
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            count += 1
            try:
                server = socket.create_connection(self.server.address)
            except OSError:
                client.close()
                continue
            self.connect(client, server, count)

    def connect(self, client, server, count):
        unanswered = deque()
        asked = Messages(
            head=lambda *head: self.asking(unanswered, *head),
            whole=lambda *all: self.asked(unanswered, *all),
        )
        answered = Messages(head=lambda *head: self.answered(unanswered, *head), part=self.told)
        ways = [(client, server, f"> {count}", asked), (server, client, f"< {count}", answered)]
        reader, writer = (threading.Thread(target=self.carry, args=way, daemon=True) for way in ways)
        self.readers.append(reader)
        reader.start()
        writer.start()

    def carry(self, source, sink, mark, messages):
        try:
            while piece := source.recv(65536):
                # In the order in which either side can know it: what is asked before it arrives, what
                # is answered before anything can come of it.
                with self.lock:
                    self.note(piece, mark)
                    messages.feed(piece)
                    sink.sendall(piece)
        except OSError:
            pass
        with self.lock:
            self.note(b"(closed)", mark)
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def note(self, piece, mark):
        if not self.record.closed:
            text = piece.decode("utf-8", "replace").rstrip("\r\n").replace("\r", "")
            self.record.write(f"{mark} {time.monotonic():.3f}\n{text}\n\n")

    def asking(self, unanswered, line, headers):
        """A request begins. Its answer may come before it is there as a whole."""
        unanswered.append(Asked(line.split(" ")[0], session_of(line, headers)))

    def asked(self, unanswered, line, headers, body):
        method, session = line.split(" ")[0], session_of(line, headers)
        now = time.monotonic()
        # The listening stream is opened beside the call that is refused, maybe just before; so is
        # the ping that settles whether it was refused because the session is lost.
        is_beside = method == "GET" or b'"method":"ping"' in body
        allowed = UNDER_WAY if is_beside else 0
        if now - self.dead.get(session, math.inf) > allowed:
            self.complaints.append(f"{method} with the id of a session that is lost")
        if now - self.silence > allowed:
            self.complaints.append(f"{method} after the end")
        if method == "DELETE":
            self.expect_silence()
        if b'"method":"initialize"' in body:
            self.initializes += 1
            if unanswered:
                unanswered[-1].is_initialize = True

    def answered(self, unanswered, line, headers):
        status = int(line.split(" ")[1])
        if status < 200 or not unanswered:
            return
        asked = unanswered.popleft()
        if asked.is_initialize:
            self.session = headers.get("mcp-session-id")
        if asked.method == "POST" and status == 404 and asked.session:
            self.dead.setdefault(asked.session, time.monotonic())
        if asked.method == "DELETE":
            self.deletes.append((asked.session, status))

    def told(self, part):
        for event, data in STEP.findall(part):
            message = json.loads(data)
            if message.get("method") == "notifications/progress":
                params = message["params"]
                self.steps.append((event, params["progress"] == params.get("total")))

    def expect_silence(self):
        """The application has closed the connection, or its DELETE goes out."""
        with self.lock:
            self.silence = min(self.silence, time.monotonic())

    def begin_loss(self, wanted):
        """What follows ends the session: so many handshakes come of it."""
        with self.lock:
            self.wanted = self.initializes + wanted

    def blame(self, feature):
        """What the application cannot see of a feature that it says went well."""
        with self.lock:
            if self.complaints:
                return self.complaints.pop(0)
            if feature in ("DELETE", "restart") and self.initializes != self.wanted:
                return f"{self.initializes - self.wanted:+} `initialize` to what one loss takes"
            if feature == "close":
                if [session for session, _ in self.deletes] != ([self.session] if self.session else []):
                    return f"{len(self.deletes)} DELETEs, or not with the session's id"
                if any(status >= 300 for _, status in self.deletes):
                    return f"DELETE was answered with {self.deletes[0][1]}"
        return None

    def finish(self):
        """The complaints that are left, once the application has ended and all that it said is read."""
        time.sleep(UNDER_WAY)
        for reader in self.readers:
            reader.join(1)
        with self.lock:
            return self.complaints

    def overhear(self):
        """Whether the server still comes to the last step of a call that nobody waits for any more. It
        tells of it on a stream of all calls, or to somebody who asks what came after the last event on
        the call's own."""
        with self.lock:
            before = len(self.steps)
        if not before:
            return "nobody can tell: no step came"
        time.sleep(WORK)
        if self.session:
            event, _ = self.steps[before - 1]
            status = self.resume(event) if event else "no id to ask with"
            if status != 200:
                return f"nobody can tell what the stream's rest is: {status}"
        with self.lock:
            is_done = any(is_last for _, is_last in self.steps[before:])
        return "the server worked on to the last step" if is_done else "done"

    def resume(self, event):
        """Reads what is left of a stream, as somebody else who has the session's id."""
        connection = http.client.HTTPConnection(*self.server.address, timeout=1)
        headers = {"mcp-session-id": self.session, "accept": "text/event-stream"}
        headers["last-event-id"] = event.decode()
        connection.request("GET", self.server.path, headers=headers)
        response = connection.getresponse()
        rest = b""
        try:
            while piece := response.read1():
                rest += piece
        except TimeoutError:
            pass
        connection.close()
        with self.lock:
            self.note(b"GET with last-event-id: " + event, "> somebody else")
            self.note(rest, "< somebody else")
            self.told(rest)
        return response.status

    def delete(self):
        """Ends the session, as somebody else who has its id."""
        if self.session is None:
            return "there was no session id"
        connection = http.client.HTTPConnection(*self.server.address, timeout=10)
        headers = {"mcp-session-id": self.session, "accept": "application/json, text/event-stream"}
        connection.request("DELETE", self.server.path, headers=headers)
        status = connection.getresponse().status
        connection.close()
        return "done" if status < 300 else f"answered with {status}"


def session_of(line, headers):
    target = line.split(" ")[1]
    # In HTTP+SSE it is the address that names the session.
    return headers.get("mcp-session-id") or (target if "session" in target else None)


class Messages:
    """Takes one direction of HTTP/1.1 apart, however it comes: tells each head, each part of a body
    that comes in parts, and, when it is there, each message as a whole."""

    def __init__(self, head=lambda *_: None, part=lambda _: None, whole=lambda *_: None):
        self.rest = b""
        self.head, self.part, self.whole = head, part, whole
        self.read = self.messages()
        next(self.read)

    def feed(self, piece):
        self.rest += piece
        self.read.send(None)

    def messages(self):
        while True:
            lines = (yield from self.until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = (line.partition(":") for line in lines[1:])
            headers = {name.lower(): value.strip() for name, _, value in fields}
            self.head(lines[0], headers)
            self.whole(lines[0], headers, (yield from self.body(lines[0], headers)))

    def body(self, line, headers):
        if "chunked" in headers.get("transfer-encoding", ""):
            parts = []
            while size := int((yield from self.until(b"\r\n")), 16):
                parts.append((yield from self.take(size + 2))[:-2])
                self.part(parts[-1])
            yield from self.until(b"\r\n")
            return b"".join(parts)
        if "content-length" in headers or not line.startswith("HTTP/") or line[9:12] in ("204", "304"):
            return (yield from self.take(int(headers.get("content-length", 0))))
        # Until the connection ends.
        while True:
            self.part(self.rest)
            self.rest = b""
            yield

    def until(self, mark):
        while mark not in self.rest:
            yield
        taken, _, self.rest = self.rest.partition(mark)
        return taken

    def take(self, count):
        while len(self.rest) < count:
            yield
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken
