"""`fathom serve` as a process that a test owns."""
import os
import pathlib
import re
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = os.environ.get("FATHOM_MODEL", "models/tiny")
M = 8192  # --max-model-len of every server here, where a test does not say otherwise
NAMES = ["dsv3", "deepseek_v3.2", MODEL]

FLAGS = ["--threads", "2", "--max-model-len", str(M), "--max-num-seqs", "64",
         "--kv-cache-memory-bytes", "160M", "--disable-uvicorn-access-log",
         "--tokenizer-mode", "deepseek_v32", "--enable-auto-tool-choice",
         "--tool-call-parser", "deepseek_v32", "--reasoning-parser", "deepseek_v3"]


class Server:
    """Started at once, ready after wait_until_ready(). The last of a repeated flag counts.

    names    what --served-model-name says; None leaves the flag out.
    """

    def __init__(self, *flags, port=0, names=NAMES, scheme="http", api_key=None, model=MODEL):
        self.log = ROOT / "build" / "clients" / "logs" / f"{time.monotonic_ns()}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.scheme, self.port, self.api_key = scheme, port, api_key
        self.told_to_end = False
        command = [ROOT / "build" / "fathom", "serve", model, "--port", str(port), *FLAGS,
                   *(["--served-model-name", *names] if names else []), *flags]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                            cwd=ROOT, stdin=subprocess.DEVNULL)

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def v1(self):
        return self.url + "/v1"

    def said(self):
        return self.log.read_text(errors="replace")

    def wait_until_ready(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if ready := re.search(r"^ready .*:(\d+)", self.said(), re.M):
                self.port = int(ready[1])
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        self.kill()
        lines = [line for line in self.said().splitlines() if "loading weights" not in line]
        raise RuntimeError("fathom serve did not start: " + " | ".join(lines[-3:]))

    def signal(self, number):
        self.told_to_end = True
        self.process.send_signal(number)

    def exit_code(self, seconds=30):
        return self.process.wait(seconds)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self.wait_until_ready()

    def __exit__(self, kind, *_):
        if kind is not None:
            return self.kill()
        if not self.told_to_end:  # A second signal means: at once.
            self.signal(signal.SIGTERM)
        try:
            code = self.exit_code()
        except subprocess.TimeoutExpired:
            self.kill()
            code = "none within 30 s"
        assert code == 0, f"exit code after SIGTERM: {code}; its last lines: {self.said()[-600:]}"
