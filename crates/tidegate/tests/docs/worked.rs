//! Worked examples run as they stand: every block of `sh` that is marked `run`, in the order of its page, against a
//! gateway that has just been started for the first time. What a page shows as printed must have been printed.

use std::process::Command;

use crate::harness::{Gateway, Launch, free_port, simulator, wait_until};
use crate::pages::{self, Page};

const ADMIN_KEY: &str = "admin-key-of-the-docs";
const KEY: &str = "consumer-key-of-the-docs";

/// Where the pages have the simulator; exchanged for the address of one that was started for the test.
const SIMULATOR: &str = "127.0.0.1:8089";

#[test]
fn worked_examples_do_what_their_pages_say() {
    let pages = pages::all();
    let with_examples = pages.iter().filter(|page| page.text.contains("<!-- run -->"));
    std::thread::scope(|scope| {
        with_examples.for_each(|page| {
            scope.spawn(|| run(page));
        });
    });
}

fn run(page: &Page) {
    let status = format!("127.0.0.1:{}", free_port());
    let port: u16 = status.rsplit_once(':').unwrap().1.parse().unwrap();
    let provider = simulator();
    let gateway = Launch::new()
        .env("TIDEGATE_ADMIN_KEY", ADMIN_KEY)
        .env("TIDEGATE_KEY", KEY)
        .config(serde_json::json!({"apisix": {"status": {"ip": "127.0.0.1", "port": port}}}))
        .start();
    let mut printed = String::new();
    for block in page.blocks() {
        let place = format!("docs/{}:{}", page.name(), block.line);
        match block.mark.as_deref() {
            Some("run") => {
                let variables = [
                    ("PROXY", format!("http://{}", gateway.proxy)),
                    ("ADMIN", format!("http://{}/apisix/admin", gateway.admin)),
                    ("CONTROL", format!("http://{}/v1", gateway.control)),
                    ("METRICS", format!("http://{}/apisix/prometheus/metrics", gateway.metrics)),
                    ("STATUS", format!("http://{status}")),
                    ("SIMULATOR", format!("http://{}", provider.addr)),
                    ("ADMIN_KEY", ADMIN_KEY.to_owned()),
                    ("KEY", KEY.to_owned()),
                ];
                let script = block.text.replace(SIMULATOR, &provider.addr.to_string());
                printed = run_block(&gateway, &script, &variables, &place);
                wait_for_the_plan(&gateway);
            }
            Some("prints") => {
                for line in block.text.lines().filter(|line| !line.is_empty()) {
                    assert!(printed.contains(line), "{place}: {line:?} was not printed, but\n{printed}");
                }
            }
            _ => {}
        }
    }
}

fn run_block(gateway: &Gateway, script: &str, variables: &[(&str, String)], place: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(gateway.folder.path()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let binary = env!("CARGO_BIN_EXE_tidegate");
    let output = command.env("TIDEGATE", binary).envs(variables.iter().cloned()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: {}\n{printed}\n{errors}", output.status);
    printed
}

/// A change is served within milliseconds, but after its acknowledgement.
fn wait_for_the_plan(gateway: &Gateway) {
    let written = gateway.metric("apisix_etcd_modify_indexes{key=\"x_etcd_index\"}");
    wait_until("the data plane has the change", || (gateway.metric("apisix_plan_revision") >= written).then_some(()));
}
