//! A server for a test: the one that the environment names, else one of its own.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use hotgraph::PostgresConfig;
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::{Client, Config, NoTls};

/// Makes a server, says so, and stops it when nobody listens any more, however a test ends.
const SERVE: &str = r#"
set -e
trap '' INT
"$0/initdb" -D "$1" -U hotgraph -A trust -E UTF8 --locale=C --no-sync >"$1.initdb" 2>&1
"$0/pg_ctl" -D "$1" -w -t 60 -l "$1/log" -o "-F -p $2 \
  -c listen_addresses=127.0.0.1 -c unix_socket_directories= $3" start >"$1.start" 2>&1
echo ready
cat >/dev/null || true
"$0/pg_ctl" -D "$1" -m immediate stop >/dev/null 2>&1 || true
rm -rf "$1" "$1.initdb" "$1.start"
"#;

/// One that is given is used by one test at a time: a vacuum frees what no transaction may see.
static TURN: Mutex<()> = Mutex::const_new(());

static MADE: AtomicU32 = AtomicU32::new(0);

/// A name that no other test has.
fn unique() -> String {
    // Relaxed: all that counts is that no two get the same number.
    format!("hotgraph_test_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

/// A server, stopped when it is dropped if it is the test's own.
pub struct Server {
    url: String,
    own: Option<Own>,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Server {
    /// A server; without one that is said aloud, and fails where one is required.
    pub async fn start() -> Option<Self> {
        Self::with_settings("").await
    }

    /// The same, and one of its own gets these settings, such as `-c fsync=off`.
    pub async fn with_settings(settings: &str) -> Option<Self> {
        match env::var("HOTGRAPH_TEST_POSTGRES_URL") {
            Ok(url) => Some(Self { url, own: None, _turn: Some(TURN.lock().await) }),
            Err(_) => Self::own(settings),
        }
    }

    /// A server of its own, which can be restarted.
    pub fn own(settings: &str) -> Option<Self> {
        match binaries() {
            Some(binaries) => {
                let own = Own::start(binaries, settings);
                let url = format!(
                    "postgresql://hotgraph@127.0.0.1:{}/postgres?sslmode=disable",
                    own.port
                );
                Some(Self { url, own: Some(own), _turn: None })
            }
            None => {
                skip("initdb and pg_ctl are neither in PATH nor in /usr/lib/postgresql/*/bin");
                None
            }
        }
    }

    /// A store of its own; it has no tables yet.
    pub fn store(&self) -> Store {
        Store { url: self.url.clone(), schema: unique(), is_dropped: self.own.is_none() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        let config: Config = self.url.parse().unwrap();
        let port = config.get_ports().first().copied().unwrap_or(5432);
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Makes a key for the name `localhost`, where the server looks for it; gives back the file of
    /// the certificate.
    #[cfg(feature = "postgres-tls")]
    pub fn make_certificate(&self) -> PathBuf {
        let folder = &self.own.as_ref().unwrap().folder;
        let certificate = folder.join("server.crt");
        let made = as_user(&[
            "openssl".into(),
            "req".into(),
            "-x509".into(),
            "-newkey".into(),
            "rsa:2048".into(),
            "-nodes".into(),
            "-subj".into(),
            "/CN=localhost".into(),
            "-addext".into(),
            "subjectAltName=DNS:localhost".into(),
            "-keyout".into(),
            folder.join("server.key").into(),
            "-out".into(),
            certificate.clone().into(),
        ])
        .stderr(Stdio::null())
        .status()
        .unwrap();
        assert!(made.success(), "{made}");
        certificate
    }

    /// Stops the server and starts it again.
    ///
    /// `fast` has it end what is under way; `immediate` ends its processes at once, and it recovers
    /// from its log.
    pub fn restart(&self, mode: &str) {
        self.own.as_ref().unwrap().restart(mode);
    }
}

/// Says that a test was not run, past the capture of its output.
fn skip(why: &str) {
    assert!(env::var_os("HOTGRAPH_REQUIRE_POSTGRES").is_none(), "PostgreSQL is required: {why}");
    let text = format!(
        "\n*** PostgreSQL tests were skipped: {why}, and HOTGRAPH_TEST_POSTGRES_URL is not set ***\n"
    );
    io::stderr().write_all(text.as_bytes()).unwrap();
}

/// The folder of the server's programs.
fn binaries() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    folders.extend(versions.map(|version| version.unwrap().path().join("bin")));
    folders.into_iter().find(|folder| folder.join("initdb").exists())
}

/// A server that this test has started.
struct Own {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
    child: Child,
}

impl Own {
    fn start(binaries: PathBuf, settings: &str) -> Self {
        // Somebody may take the port before the server does.
        let started = (0..5).find_map(|_| Self::try_start(&binaries, settings));
        started.expect("a server could not be started")
    }

    fn try_start(binaries: &Path, settings: &str) -> Option<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let folder = env::temp_dir().join(unique());
        let mut child = as_user(&[
            "sh".into(),
            "-c".into(),
            SERVE.into(),
            binaries.into(),
            folder.clone().into(),
            port.to_string().into(),
            settings.into(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        let mut ready = [0; 6];
        let is_ready = child.stdout.as_mut().unwrap().read_exact(&mut ready).is_ok();
        let own = Self { binaries: binaries.to_owned(), folder, port, child };
        is_ready.then_some(own)
    }

    fn restart(&self, mode: &str) {
        let restarted = as_user(&[
            self.binaries.join("pg_ctl").into(),
            "-D".into(),
            self.folder.clone().into(),
            "-w".into(),
            "-l".into(),
            self.folder.join("log").into(),
            "-m".into(),
            mode.into(),
            "restart".into(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
        assert!(restarted.success(), "{restarted}");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// A command as a user that a server may run as: it refuses to be root.
fn as_user(command: &[OsString]) -> Command {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let mut started = match is_root {
        true => Command::new("runuser"),
        false => Command::new(&command[0]),
    };
    match is_root {
        true => started.args(["-u", "postgres", "--"]).args(command),
        false => started.args(&command[1..]),
    };
    // That user may not see where the tests run.
    started.current_dir("/");
    started
}

/// A schema of its own, dropped at the end if the server stays.
pub struct Store {
    url: String,
    schema: String,
    is_dropped: bool,
}

impl Store {
    #[cfg(feature = "postgres-tls")]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub fn config(&self) -> PostgresConfig {
        PostgresConfig::new(&self.url).schema(&self.schema)
    }

    /// The same store, another way to it.
    pub fn config_through(&self, address: SocketAddr) -> PostgresConfig {
        let config: Config = self.url.parse().unwrap();
        let (user, database) =
            (config.get_user().unwrap_or("postgres"), config.get_dbname().unwrap_or("postgres"));
        let (host, port) = (address.ip(), address.port());
        let password = config.get_password().map(String::from_utf8_lossy).unwrap_or_default();
        let url = format!(
            "host={host} port={port} user={user} dbname={database} password='{password}' \
             sslmode=disable"
        );
        PostgresConfig::new(url).schema(&self.schema)
    }

    /// A client without a journal, which finds the tables.
    pub async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let path = format!("SET search_path TO \"{}\"", self.schema);
        client.batch_execute(&path).await.unwrap();
        client
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.is_dropped {
            let (url, schema) = (self.url.clone(), self.schema.clone());
            // On a thread of its own: the runtime of the test does not wait in here.
            let dropped = thread::spawn(|| drop_schema(url, schema));
            dropped.join().unwrap();
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn drop_schema(url: String, schema: String) {
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE");
    client.batch_execute(&sql).await.unwrap();
}
