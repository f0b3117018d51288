# SPDX-License-Identifier: Apache-2.0
"""
Private MariaDB servers and loads for tests: own folder, own port, ended by their number.

    source = Server(folder, "source", SOURCE_OPTIONS).start()
    source.sql("select 1")                      # [(1,)]
    source.kill(); source.run()                 # SIGKILL, and again on the same folder
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time

import pymysql

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from cluster import SOURCE_DIR, Failure, free_port, make_certificates, wait  # noqa: E402 pylint: disable=wrong-import-position

SOURCE_OPTIONS = ("log_bin=bin", "binlog_format=ROW", "binlog_row_image=FULL", "binlog_row_metadata=FULL",
                  "gtid_strict_mode=ON", "binlog_checksum=CRC32")
START_S = 120


class Server:
    """One mariadbd. Options are lines of its my.cnf."""

    def __init__(self, folder, name, options=()):
        self.name, self.folder, self.port = name, os.path.join(folder, name), free_port()
        self.socket = os.path.join(self.folder, "sock")
        self.process, self.options = None, tuple(options)
        self.local = threading.local()

    def start(self):
        """Makes its folder, and runs it. All servers of a test begin as copies of one."""
        os.makedirs(self.folder)
        self._configure()
        template = os.path.join(os.path.dirname(self.folder), "template")
        if not os.path.exists(template):
            done = subprocess.run(["mariadb-install-db", "--no-defaults", "--datadir=" + template, "--skip-test-db", "--force",
                                   "--auth-root-authentication-method=normal", "--user=" + _user()],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Failure("mariadb-install-db: " + done.stdout[-2000:] + done.stderr[-2000:])
        shutil.copytree(template, os.path.join(self.folder, "data"))
        return self.run()

    def _configure(self):
        lines = ["[mariadbd]", "user=" + _user(), "datadir=" + os.path.join(self.folder, "data"),
                 "socket=" + self.socket, "pid-file=" + os.path.join(self.folder, "mariadbd.pid"),
                 f"port={self.port}", "bind-address=127.0.0.1", f"server_id={self.port}", "skip-name-resolve",
                 "innodb_buffer_pool_size=128M", "innodb_log_file_size=64M", "innodb_flush_log_at_trx_commit=2",
                 *self.options]
        with open(os.path.join(self.folder, "my.cnf"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def run(self):
        """Starts the process on the folder that is there, and waits until it answers."""
        with open(self.log_path(), "ab") as log:
            self.process = subprocess.Popen(["mariadbd", "--defaults-file=" + os.path.join(self.folder, "my.cnf")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait(self._answers, f"{self.name} to answer", START_S)
        return self

    def log_path(self):
        return os.path.join(self.folder, "out")

    def log_end(self):
        if not os.path.exists(self.log_path()):
            return ""
        with open(self.log_path(), encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]

    def _answers(self):
        if self.process.poll() is not None:
            raise Failure(f"mariadbd {self.name} ended: {self.log_end()}")
        try:
            return bool(self.sql("select 1"))
        except pymysql.Error:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait()

    # ---- statements ----

    def connect(self, **more):
        return pymysql.connect(**{"unix_socket": self.socket, "user": "root", "autocommit": True, "charset": "utf8mb4",
                                  "read_timeout": 60, "write_timeout": 60, "connect_timeout": 20, **more})

    def sql(self, text, *values, db=None):
        """Rows of one statement, as root over the socket; a connection per thread that is renewed when it fails."""
        connection = getattr(self.local, "connection", None)
        try:
            if connection is None:
                connection = self.local.connection = self.connect()
            with connection.cursor() as cursor:
                if db:
                    cursor.execute("use `%s`" % db)
                cursor.execute(text, values or None)
                return cursor.fetchall()
        except pymysql.Error as error:
            # An error of the statement leaves the connection as it was; another one, nobody knows.
            if connection is not None and not isinstance(error, (pymysql.ProgrammingError, pymysql.IntegrityError)):
                self.local.connection = None
                try:
                    connection.close()
                except pymysql.Error:
                    pass
            raise

    def run_text(self, text):
        """Many statements, as an operator types them."""
        done = subprocess.run(self.client(), input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{self.name}: {done.stderr}")

    def client(self, *more):
        return ["mariadb", "--no-defaults", "-uroot", "--socket=" + self.socket, "--batch", "--skip-column-names",
                *more]

    def head(self):
        """The position of the last transaction, as Sluice counts (docs/mariadb.md)."""
        file, position = self.sql("show master status")[0][:2]
        return (int(file.rsplit(".", 1)[1]) << 32) + position - 1

    def uri(self, user="repl", password="secret", port=None, **params):
        query = "&".join(f"{key}={value}" for key, value in params.items())
        return f"mysql://{user}:{password}@127.0.0.1:{port or self.port}/" + (f"?{query}" if query else "")

    def tables(self):
        """All tables of users, as (database, table)."""
        return self.sql("""select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'
            and table_schema not in ('mysql', 'information_schema', 'performance_schema', 'sys', 'sluice') order by 1, 2""")


def tls_options(folder):
    """Options of servers that speak TLS, with certificates made in this folder, and the parameters of URIs for them."""
    make_certificates(folder, ["server"])
    files = {"ca": "ca.pem", "cert": "server.pem", "key": "server.key"}
    return [f"ssl_{key}={os.path.join(folder, name)}" for key, name in files.items()], {"ssl-ca": os.path.join(folder, "ca.pem")}


def _user():
    import pwd  # only here
    return pwd.getpwuid(os.getuid()).pw_name


def documented_grants():
    """The statements that docs/mariadb.md tells operators to type: for a source, for one of MySQL, and for the sink."""
    with open(os.path.join(SOURCE_DIR, "docs", "mariadb.md"), encoding="utf-8") as file:
        blocks = [text for text in re.findall(r"```sql\n(.*?)```", file.read(), re.S) if "CREATE USER" in text]
    if len(blocks) != 3:
        raise Failure(f"docs/mariadb.md has {len(blocks)} blocks of grants, not 3")
    return blocks


def grant_source(server, password="secret"):
    server.run_text(documented_grants()[0].replace("'...'", f"'{password}'"))


def grant_sink(server, databases, password="secret"):
    """The documented block, its line about `shop` once for each database."""
    lines = []
    for line in documented_grants()[2].replace("'...'", f"'{password}'").splitlines():
        lines += [line.replace("shop.", f"`{name}`.") for name in databases] if "shop." in line else [line]
    server.run_text("\n".join(lines))


# ---- comparison ----

def compare(source, sink, at_sink_only=()):
    """How many rows were compared, and a line for each table that is not the same: definition, checksum, every row."""
    tables, rows = source.tables(), 0
    differing = [f"{name} is at the sink only" for name in sorted(set(sink.tables()) - set(tables) - set(at_sink_only))]
    for schema, table in tables:
        name = f"`{schema}`.`{table}`"
        both = [_image(server, name) for server in (source, sink)]
        rows += len(both[0][1])
        if both[0] != both[1]:
            differing.append(f"{name}: {_describe(*both)}")
    return rows, differing


def _image(server, name):
    """Checksum and definition, and all rows."""
    try:
        definition = server.sql("show create table " + name)[0][1]
        definition = " ".join(word for word in definition.split(" ") if not word.startswith("AUTO_INCREMENT="))
        head = server.sql("checksum table " + name)[0][1], definition
        return head, sorted(server.sql("select * from " + name), key=str)
    except pymysql.err.ProgrammingError as error:
        return (None, str(error)), []


def _describe(source, sink):
    """In one line, what differs between two images of a table."""
    if source[0][1] != sink[0][1]:
        return f"defined as {source[0][1]!r}, and at the sink as {sink[0][1]!r}"
    at_source, at_sink = set(source[1]), set(sink[1])
    lost, more = at_source - at_sink, at_sink - at_source
    return (f"{len(lost)} rows missing {sorted(lost, key=str)[:3]}, {len(more)} that should not be "
            f"{sorted(more, key=str)[:3]}, checksums {source[0][0]}, {sink[0][0]}")


# ---- loads ----

class Repeated:
    """Runs command() in a thread again and again until stop(): what ends because the server does goes on with it."""

    def __init__(self, name, command, log_path, text=None):
        self.name, self.command, self.log_path, self.text = name, command, log_path, text
        self.is_stopped, self.process, self.ended = False, None, 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.is_stopped:
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            if self.is_stopped:
                self.process.terminate()
            self.process.wait()
            self.ended += 1
            time.sleep(0.1)

    def stop(self):
        self.is_stopped = True
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
        self.thread.join()


def sysbench(server, script, *words, tables=2, rows=5000, rate=100, db=None):
    """The command of sysbench, with a database of its own for each script."""
    return ["sysbench", script, "--db-driver=mysql", "--mysql-socket=" + server.socket, "--mysql-user=root",
            "--mysql-db=" + (db or script), f"--tables={tables}", f"--table-size={rows}", "--rand-type=uniform",
            "--threads=1", f"--rate={rate}", "--mysql-ignore-errors=all", "--time=36000", *words]


class Worker:
    """Calls step(server) in a thread again and again until stop(); errors of a server that is away are waited out."""

    def __init__(self, name, step, pause_s):
        self.name, self.step, self.pause_s = name, step, pause_s
        self.is_stopped, self.failure, self.count = False, None, 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.is_stopped:
            try:
                self.step()
                self.count += 1
            except pymysql.Error as error:
                self.failure = error
                time.sleep(0.2)
            time.sleep(self.pause_s)

    def stop(self):
        self.is_stopped = True
        self.thread.join()
