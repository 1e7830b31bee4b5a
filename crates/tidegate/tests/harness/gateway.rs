//! Starting, asking and ending the binary.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;

use super::http::{Connection, Reply, Request, get};
use super::ports::free_port;
use super::wait::wait_until;

/// The Admin API's key of gateways started by [`Gateway::start`].
pub const ADMIN_KEY: &str = "edd1c9f034335f136f87ad84b625c8f1";

/// How to start: change what the test is about.
pub struct Launch {
    pub proxy: SocketAddr,
    pub tls: SocketAddr,
    pub admin: SocketAddr,
    pub control: SocketAddr,
    pub metrics: SocketAddr,
    pub folder: TempDir,
    environment: Vec<(String, String)>,
    admin_key: Option<String>,
    extra: Value,
}

/// A running gateway. Killed when dropped.
pub struct Gateway {
    pub proxy: SocketAddr,
    pub tls: SocketAddr,
    pub admin: SocketAddr,
    pub control: SocketAddr,
    pub metrics: SocketAddr,
    /// Holds `config.yaml`, `data/`, and the process's output.
    pub folder: TempDir,
    admin_key: String,
    process: Child,
    environment: Vec<(String, String)>,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub output: String,
    pub errors: String,
}

impl Launch {
    /// Free ports, an empty folder, no keys in the environment, and `tidegate.data_dir` in the folder.
    pub fn new() -> Self {
        let address = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        Self {
            proxy: address(),
            tls: address(),
            admin: address(),
            control: address(),
            metrics: address(),
            folder: TempDir::new().unwrap(),
            environment: Vec::new(),
            admin_key: None,
            extra: Value::Null,
        }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts this admin key into `config.yaml`, which also means: no first resources.
    pub fn admin_key(mut self, key: &str) -> Self {
        self.admin_key = Some(key.to_owned());
        self
    }

    /// Merges `extra` into `config.yaml`.
    pub fn config(mut self, extra: Value) -> Self {
        self.extra = extra;
        self
    }

    /// Where `config.yaml` is, or is going to be.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    /// Writes `config.yaml`.
    pub fn write_config(&self) {
        fs::write(self.config_file(), self.config_text()).unwrap();
    }

    fn config_text(&self) -> String {
        let listen = |address: SocketAddr| serde_json::json!({"ip": address.ip(), "port": address.port()});
        let mut config = serde_json::json!({
            "apisix": {
                "node_listen": [listen(self.proxy)],
                "ssl": {"listen": [listen(self.tls)]},
                "control": listen(self.control),
            },
            "deployment": {"admin": {"admin_listen": listen(self.admin)}},
            "plugin_attr": {"prometheus": {"export_addr": listen(self.metrics)}},
            "nginx_config": {"worker_processes": 2, "error_log_level": "info"},
            "tidegate": {"data_dir": self.folder.path().join("data")},
        });
        if let Some(key) = &self.admin_key {
            config["deployment"]["admin"]["admin_key"] =
                serde_json::json!([{"name": "admin", "key": key, "role": "admin"}]);
        }
        merge(&mut config, &self.extra);
        // JSON is YAML.
        config.to_string()
    }

    /// Starts, and waits until it serves.
    pub fn start(self) -> Gateway {
        self.write_config();
        let process = command(self.folder.path(), &self.environment).spawn().unwrap();
        let Self { proxy, tls, admin, control, metrics, folder, environment, admin_key, .. } = self;
        let admin_key = admin_key.unwrap_or_default();
        let mut gateway = Gateway { proxy, tls, admin, control, metrics, folder, admin_key, process, environment };
        gateway.wait_until_ready();
        gateway
    }

    /// Starts what is expected not to serve, and waits until it has ended.
    pub fn fail(self) -> Ended {
        self.write_config();
        let process = command(self.folder.path(), &self.environment).spawn().unwrap();
        ended(process, self.folder.path())
    }
}

impl Gateway {
    /// A gateway with the admin key [`ADMIN_KEY`] and nothing stored.
    pub fn start() -> Self {
        Launch::new().admin_key(ADMIN_KEY).start()
    }

    /// A gateway as a newcomer starts it: keys made, the simulator served.
    pub fn start_first_time() -> Self {
        Launch::new().start()
    }

    fn wait_until_ready(&mut self) {
        wait_until("the gateway serves", || {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the gateway ended with {status}: {}", self.log());
            }
            self.output().contains("\nServing").then_some(())
        });
        if self.admin_key.is_empty() {
            self.admin_key = self.shown("admin key").unwrap_or_default();
        }
    }

    /// Starts the same configuration and data again, after [`Gateway::terminate`] or [`Gateway::kill`].
    pub fn start_again(mut self) -> Self {
        let _ = self.process.kill();
        self.process.wait().unwrap();
        self.process = command(self.folder.path(), &self.environment).spawn().unwrap();
        self.wait_until_ready();
        self
    }

    /// Changes the environment of the next start.
    pub fn set_env(&mut self, name: &str, value: Option<&str>) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// A request to the Admin API, with the key. `path` begins after `/apisix/admin`.
    pub fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let request = Request::new(method, &format!("/apisix/admin{path}")).header("X-API-KEY", &*self.admin_key);
        match body {
            Some(body) => request.json(body),
            None => request,
        }
        .send(self.admin)
    }

    /// Creates or replaces a resource, and waits until the data plane has it.
    pub fn put(&self, path: &str, body: &Value) -> Value {
        let reply = self.admin("PUT", path, Some(body));
        assert!(matches!(reply.status, 200 | 201), "PUT {path}: {} {}", reply.status, reply.text());
        let revision = self.revision();
        wait_until("the data plane has the change", || (self.plan_revision() >= revision).then_some(()));
        reply.json()
    }

    /// Sends a request to the proxy on a connection of its own.
    pub fn send(&self, request: Request) -> Reply {
        request.send(self.proxy)
    }

    /// A connection to the proxy.
    pub fn connect(&self) -> Connection {
        Connection::open(self.proxy)
    }

    /// The metrics text.
    pub fn metrics_text(&self) -> String {
        get("/apisix/prometheus/metrics").send(self.metrics).text()
    }

    /// The sum of all samples whose line begins with `prefix`.
    pub fn metric(&self, prefix: &str) -> f64 {
        let text = self.metrics_text();
        let samples = text.lines().filter(|line| line.starts_with(prefix));
        samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    fn revision(&self) -> f64 {
        self.metric("apisix_etcd_modify_indexes{key=\"x_etcd_index\"}")
    }

    fn plan_revision(&self) -> f64 {
        self.metric("apisix_plan_revision")
    }

    /// What it has printed on standard output.
    pub fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("stdout")).unwrap_or_default()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// The first word behind `name` in the table that was printed.
    pub fn shown(&self, name: &str) -> Option<String> {
        let output = self.output();
        let line = output.lines().find_map(|line| line.trim_start().strip_prefix(name))?;
        line.split_whitespace().next().map(str::to_owned)
    }

    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Sets limits of the operating system, the soft and the hard one.
    pub fn limit(&self, resource: Resource, limit: u64) {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        prlimit(Some(Pid::from_child(&self.process)), resource, limit).unwrap();
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// `true` while it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        wait_until("the gateway has ended", || self.process.try_wait().unwrap())
    }

    /// Runs the binary with `arguments` in the same folder, until it ends.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        run_in(self.folder.path(), arguments)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- the gateway's log ---\n{}", self.log());
        }
    }
}

/// Runs the binary with `arguments` in `folder`, until it ends.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Ended {
    let output = binary(&[]).current_dir(folder).args(arguments).output().unwrap();
    Ended {
        status: output.status,
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Starts the binary with `arguments` in `folder`, its output thrown away.
pub fn start_in(folder: &Path, arguments: &[&str]) -> Child {
    binary(&[]).current_dir(folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The binary, in an environment without this machine's keys.
fn binary(environment: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

fn command(folder: &Path, environment: &[(String, String)]) -> Command {
    let mut command = binary(environment);
    command.current_dir(folder).args(["serve", "-c", "config.yaml"]);
    command.stdout(File::create(folder.join("stdout")).unwrap());
    command.stderr(File::create(folder.join("stderr")).unwrap());
    command
}

fn ended(mut process: Child, folder: &Path) -> Ended {
    let status = wait_until("the process has ended", || process.try_wait().unwrap());
    let read = |name| fs::read_to_string(folder.join(name)).unwrap();
    Ended { status, output: read("stdout"), errors: read("stderr") }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (_, Value::Null) => {}
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
