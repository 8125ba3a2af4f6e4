"""Servers, one per set of flags, each started when the first test asks for it; and what is said at
the end about checks that a random checkpoint can only half pass."""
import os
import socket
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import offline  # noqa: E402,F401
from server import Server  # noqa: E402


@pytest.fixture(scope="session")
def server():
    """What most tests talk to."""
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def detailed():
    """With the flags that add something to answers."""
    with Server("--enable-prompt-tokens-details", "--enable-request-id-headers",
                "--enable-tokenizer-info-endpoint") as running:
        yield running


@pytest.fixture(scope="session")
def guarded():
    with Server("--api-key", "key-1", "key-2", api_key="key-2") as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1: {"ca", "cert", "key"}, each the path of a PEM file."""
    import trustme
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    paths = {name: str(folder / f"{name}.pem") for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(paths["ca"])
    issued.private_key_pem.write_to_path(paths["key"])
    for blob in issued.cert_chain_pems:
        blob.write_to_path(paths["cert"], append=True)
    return paths


@pytest.fixture(scope="session")
def tls(certificate):
    with Server("--ssl-certfile", certificate["cert"], "--ssl-keyfile", certificate["key"],
                scheme="https") as running:
        yield running


@pytest.fixture(scope="session")
def mtp():
    """Two tokens ahead by the MTP layer."""
    with Server("--speculative-config",
                '{"num_speculative_tokens":2,"method":"deepseek_mtp"}') as running:
        yield running


@pytest.fixture(scope="session")
def bare():
    """As `make serve` starts it: the names it has by itself, no flags for chat."""
    with Server(names=None) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def idle(request):
    """A kept connection that says nothing from the first test to the one that uses it."""
    if not any(item.name == "test_60_a_connection_idle_for_60_s" for item in request.session.items):
        yield None
        return
    at = request.getfixturevalue("server")
    with socket.create_connection(("127.0.0.1", at.port)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        yield connection, time.monotonic()


# Half a check is done; the argument of the mark says what the other half asks.
HALVES = {"needs_full_size_model": "left to a full-size model",
          "needs_speculation": "left to the time when drafts are built"}


def pytest_configure(config):
    for mark, why in HALVES.items():
        config.addinivalue_line("markers", f"{mark}(what): the other half of the check is {why}")


def pytest_terminal_summary(terminalreporter):
    reports = [report for kind in ("passed", "failed") for report in
               terminalreporter.stats.get(kind, ()) if report.when == "call"]
    for mark, why in HALVES.items():
        halves = [(report.nodeid.split("::")[-1], what) for report in reports
                  for name, what in report.user_properties if name == mark]
        if halves:
            terminalreporter.section(f"passed or failed mechanically; {why}")
        for name, what in halves:
            terminalreporter.line(f"{name}: {what}")


def pytest_runtest_setup(item):
    for mark in item.iter_markers():
        if mark.name in HALVES:
            item.user_properties.append((mark.name, mark.args[0]))
