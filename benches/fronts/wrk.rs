//! Load by `wrk`, and what it tells.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Round;
use crate::process::folder;

/// One request, to be sent again and again.
pub(crate) struct Load {
    pub(crate) url: String,
    pub(crate) header: (String, String),
    pub(crate) body: String,
}

/// The load generator.
pub(crate) struct Wrk {
    connections: usize,
    script: std::path::PathBuf,
}

impl Wrk {
    pub(crate) fn find(connections: usize) -> Option<Self> {
        let found = Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.is_err() {
            println!("NOT MEASURED: wrk is missing (a package of Debian)");
            return None;
        }
        Some(Self { connections, script: folder("load").join("post.lua") })
    }

    /// Sends as fast as answers come; each must be good.
    pub(crate) fn round(&self, load: &Load, length: Duration) -> Round {
        let (name, value) = &load.header;
        let script = format!(
            "wrk.method = 'POST'\nwrk.body = [==[{}]==]\nwrk.headers['content-type'] = 'application/json'\n\
             wrk.headers['{name}'] = '{value}'\n\
             done = function(s, l, r)\n  io.write(string.format('\\nRESULT %d %d %d %d\\n', s.requests, s.duration, l:percentile(99), \
             s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))\nend\n",
            load.body
        );
        fs::write(&self.script, script).unwrap();
        let (seconds, connections) = (format!("{}s", length.as_secs()), self.connections.to_string());
        let ask = ["-t", "2", "-c", &connections, "-d", &seconds, "--timeout", "30s", "-s"];
        let output = Command::new("wrk").args(ask).arg(&self.script).arg(&load.url).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let result = said.lines().find_map(|line| line.strip_prefix("RESULT ")).unwrap_or_else(|| panic!("{said}"));
        let numbers: Vec<u64> = result.split(' ').map(|number| number.parse().unwrap()).collect();
        let [requests, lasted, p99, errors] = numbers[..] else { panic!("{result}") };
        assert_eq!(errors, 0, "{}: {said}", load.url);
        let per_second = requests as f64 * 1e6 / lasted as f64;
        Round { requests, per_second, p99: Duration::from_micros(p99) }
    }
}
