"""A program that a test runs beside itself."""

import re
import subprocess
import threading

PATIENCE = 30


class Program:
    """A process whose log is read while it runs. The kernel ends it with the test, however that ends."""

    def __init__(self, command, ready):
        self.name = command[0]
        self.lines, self.is_ready, self.was_ready = [], threading.Event(), False
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stderr=subprocess.PIPE, text=True,
                                        errors="surrogateescape")
        self.reader = threading.Thread(target=self.read, args=[ready], daemon=True)
        self.reader.start()
        if not self.is_ready.wait(PATIENCE) or not self.was_ready:
            self.stop()
            raise RuntimeError(f"{self.name} did not become ready:\n{self.log()}")

    def read(self, ready):
        for line in self.process.stderr:
            self.note(line, ready)
        self.is_ready.set()

    def note(self, line, ready):
        self.lines.append(line)
        if re.search(ready, line):
            self.was_ready = True
            self.is_ready.set()

    def log(self):
        return "".join(self.lines)

    def found(self, pattern):
        return re.search(pattern, self.log())

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(timeout=PATIENCE)
        self.process.stderr.close()
